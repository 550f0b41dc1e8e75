/// The second byte of a packet; the first is 0. A datagram whose first byte is not 0 is raw unreliable data.
///
/// *Contextless* packets stand as they are. All others carry what the session agreed on: `op(2) | [flag(1)] | body |
/// [CRC(0...4)]`. The four reliable channels have an op code each, in a row: `reliableData0` is channel 0's.
public enum OpCode: UInt8, CaseIterable, Sendable {
    /// Unreliable data that itself begins with 0, behind the 0 that is the first half of this op code.
    case zeroEscape = 0x00
    case sessionRequest = 0x01
    case sessionResponse = 0x02
    case multiPacket = 0x03
    case big = 0x04
    case disconnect = 0x05
    case heartbeat = 0x06
    case netStatusRequest = 0x07
    case netStatusResponse = 0x08
    case reliableData0 = 0x09
    case reliableData1 = 0x0A
    case reliableData2 = 0x0B
    case reliableData3 = 0x0C
    case fragment0 = 0x0D
    case fragment1 = 0x0E
    case fragment2 = 0x0F
    case fragment3 = 0x10
    case acknowledge0 = 0x11
    case acknowledge1 = 0x12
    case acknowledge2 = 0x13
    case acknowledge3 = 0x14
    case acknowledgeAll0 = 0x15
    case acknowledgeAll1 = 0x16
    case acknowledgeAll2 = 0x17
    case acknowledgeAll3 = 0x18
    /// Several messages in one: the start of a reliable unit, or a packet of its own.
    case dataBundle = 0x19
    /// Unreliable, but never older than the last one that came.
    case ordered = 0x1A
    /// As `ordered`, with a counter of its own.
    case orderedUnbuffered = 0x1B
    case portAlive = 0x1C
    /// Said to somebody who has no session.
    case unknownSender = 0x1D
    case remapConnection = 0x1E
    case unassigned1F = 0x1F
    case serverStatus = 0x20

    /// Whether such a packet is sent as it is: no flag, no CRC, never compressed. Net status is, too, in some dialects.
    public var isContextless: Bool {
        switch self {
        case .sessionRequest, .sessionResponse, .portAlive, .unknownSender, .remapConnection, .unassigned1F,
            .serverStatus:
            true
        default:
            false
        }
    }

    /// The fewest bytes of a body.
    public var minimumBody: Int {
        switch self {
        case .sessionRequest: SessionRequest.minimumBody
        case .sessionResponse: SessionResponse.minimumBody
        case .remapConnection: RemapConnection.bodySize
        case .disconnect: Disconnect.minimumBody
        case .reliableData0, .reliableData1, .reliableData2, .reliableData3, .fragment0, .fragment1, .fragment2,
            .fragment3:
            3
        case .multiPacket, .acknowledge0, .acknowledge1, .acknowledge2, .acknowledge3, .acknowledgeAll0,
            .acknowledgeAll1, .acknowledgeAll2, .acknowledgeAll3, .ordered, .orderedUnbuffered:
            2
        case .zeroEscape, .big, .heartbeat, .netStatusRequest, .netStatusResponse, .dataBundle, .portAlive,
            .unknownSender, .unassigned1F, .serverStatus:
            0
        }
    }

    /// The fewest bytes of a whole datagram.
    ///
    /// - Parameters:
    ///   - flagged: whether a compression flag follows the op code.
    ///   - crcLength: how long the session's CRC trailer is.
    public func minimumDatagram(flagged: Bool, crcLength: Int) -> Int {
        2 + minimumBody + (isContextless ? 0 : (flagged ? 1 : 0) + crcLength)
    }
}

extension OpCode {
    /// A code of the row that starts at `first`.
    @inline(__always)
    static func code(_ first: OpCode, _ channel: Int) -> UInt8 { first.rawValue &+ UInt8(truncatingIfNeeded: channel) }

    /// Which of the four channels a reliable packet or an acknowledgement belongs to; meaningless for others.
    @inline(__always)
    var channel: Int { Int((rawValue &- OpCode.reliableData0.rawValue) & 3) }
}
