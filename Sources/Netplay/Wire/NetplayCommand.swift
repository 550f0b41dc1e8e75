/// What a netplay message is about. After the header a stream is messages: u32 command, u32 payload size, payload.
///
/// Any number may come; who does not know one skips its payload.
public struct NetplayCommand: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// The length of command and size.
    public static let headSize = 8

    public static let ack = NetplayCommand(rawValue: 0x0000)
    public static let nak = NetplayCommand(rawValue: 0x0001)
    public static let disconnect = NetplayCommand(rawValue: 0x0002)
    public static let input = NetplayCommand(rawValue: 0x0003)
    public static let noInput = NetplayCommand(rawValue: 0x0004)
    public static let nick = NetplayCommand(rawValue: 0x0020)
    public static let password = NetplayCommand(rawValue: 0x0021)
    public static let info = NetplayCommand(rawValue: 0x0022)
    public static let sync = NetplayCommand(rawValue: 0x0023)
    public static let spectate = NetplayCommand(rawValue: 0x0024)
    public static let play = NetplayCommand(rawValue: 0x0025)
    public static let mode = NetplayCommand(rawValue: 0x0026)
    public static let modeRefused = NetplayCommand(rawValue: 0x0027)
    public static let crc = NetplayCommand(rawValue: 0x0040)
    public static let requestSavestate = NetplayCommand(rawValue: 0x0041)
    public static let loadSavestate = NetplayCommand(rawValue: 0x0042)
    public static let pause = NetplayCommand(rawValue: 0x0043)
    public static let resume = NetplayCommand(rawValue: 0x0044)
    public static let stall = NetplayCommand(rawValue: 0x0045)
    public static let reset = NetplayCommand(rawValue: 0x0046)
    public static let cheats = NetplayCommand(rawValue: 0x0047)
    /// A core's own packet. Its head is 12 bytes: the size leaves out the client's number that follows it.
    public static let netpacket = NetplayCommand(rawValue: 0x0048)
    public static let config = NetplayCommand(rawValue: 0x0061)
    public static let configAck = NetplayCommand(rawValue: 0x0062)
    public static let playerChat = NetplayCommand(rawValue: 0x1000)
    public static let pingRequest = NetplayCommand(rawValue: 0x1100)
    public static let pingResponse = NetplayCommand(rawValue: 0x1101)
    public static let settingAllowPausing = NetplayCommand(rawValue: 0x2000)
    public static let settingInputLatencyFrames = NetplayCommand(rawValue: 0x2001)

    /// How many bytes follow a head with this size word. As a 64-bit number, for a size is any 32 bits.
    public func payloadLength(size: UInt32) -> Int {
        Int(size) + (self == .netpacket ? 4 : 0)
    }
}
