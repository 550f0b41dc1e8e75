/// What the games and ports that speak this protocol do differently, as data: nothing else asks which game it is.
public struct SOEDialect: Hashable, Sendable {
    /// The word for it in configuration files and on the command line.
    public let name: String
    /// The version a request must have.
    public var version: UInt32 = 3
    /// Whether requests carry the name of the application's protocol.
    public var namesProtocol = true
    /// Whether responses carry the version.
    public var answersWithVersion = true
    /// The largest datagram an end takes if nothing else is set.
    public var udpLength = 512
    public var compression = CompressionStyle.leadingFlag
    /// Whether the second pass is the xor chain.
    public var chainsXor = false
    /// Whether the passes run over raw data too.
    public var codesRawData = false
    /// Whether an unencrypted message that begins with 0 is sent with one 0 more. Encrypted and raw ones always are.
    public var escapesLeadingZero = false
    /// Whether net status packets carry flag and CRC.
    public var netStatusIsContextual = false
    /// How often a client sends its net status if nothing else is set; zero means never.
    public var netStatusInterval = Duration.zero
    /// Whether the peer may be a receiver that acknowledges nothing but packets it has not seen: it is then sent a unit
    /// that says nothing when everything sent seems lost. Others take that for corruption.
    public var peerMayNotRepeatAcknowledgements = false
    /// Whether a Disconnect is answered with one.
    public var answersDisconnect = false
    /// Bytes of each reliable packet that are left free.
    public var spareBytes = 0
    /// How far the newest packet of a channel may be ahead of the oldest one that is not acknowledged.
    public var maxSpan = 256

    public init(name: String) {
        self.name = name
    }

    /// PlanetSide 2 and H1Z1 as their ports speak it: soe-protocol, h1z1-server, Sanctuary.SoeProtocol.
    public static let v3: SOEDialect = {
        var dialect = SOEDialect(name: "v3")
        dialect.peerMayNotRepeatAcknowledgements = true
        // Its receivers take 256 packets ahead; the difference is for packets that rescue a stuck one.
        dialect.maxSpan = 192
        return dialect
    }()

    /// Peers built on the publisher's own library: Free Realms, and the games themselves.
    public static let udpLibrary: SOEDialect = {
        var dialect = SOEDialect(name: "udplibrary")
        dialect.codesRawData = true
        dialect.escapesLeadingZero = true
        dialect.netStatusIsContextual = true
        return dialect
    }()

    /// Star Wars Galaxies.
    public static let swg: SOEDialect = {
        var dialect = SOEDialect(name: "swg")
        dialect.version = 2
        dialect.namesProtocol = false
        dialect.udpLength = 496
        dialect.compression = .trailingFlag
        dialect.chainsXor = true
        dialect.codesRawData = true
        dialect.escapesLeadingZero = true
        dialect.netStatusIsContextual = true
        dialect.netStatusInterval = .seconds(15)
        return dialect
    }()

    /// EverQuest.
    public static let everQuest: SOEDialect = {
        var dialect = SOEDialect(name: "everquest")
        dialect.namesProtocol = false
        dialect.answersWithVersion = false
        dialect.compression = .leadingLetter
        dialect.chainsXor = true
        dialect.codesRawData = true
        dialect.escapesLeadingZero = true
        dialect.netStatusIsContextual = true
        dialect.answersDisconnect = true
        dialect.spareBytes = 1
        return dialect
    }()

    public static let all: [SOEDialect] = [.v3, .udpLibrary, .swg, .everQuest]

    /// The dialect of that name.
    public static func named(_ name: String) -> SOEDialect? {
        all.first { $0.name == name }
    }
}
