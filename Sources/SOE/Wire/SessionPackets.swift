public import NIOCore

/// The end of a session. It is said once and never acknowledged.
public struct Disconnect: Hashable, Sendable {
    /// Old peers leave the reason out.
    public static let minimumBody = 4

    public var sessionID: UInt32
    public var reason: DisconnectReason

    public init(sessionID: UInt32, reason: DisconnectReason) {
        self.sessionID = sessionID
        self.reason = reason
    }

    /// Reads what follows the op code. It throws `truncated`.
    public static func decode(from body: inout ByteBuffer) throws(SOEWireError) -> Disconnect {
        guard let sessionID = body.readInteger(as: UInt32.self) else { throw .truncated }
        return Disconnect(
            sessionID: sessionID, reason: body.readInteger().map(DisconnectReason.init(wire:)) ?? .none)
    }

    /// Writes what follows the op code.
    public func encode(into bytes: inout ByteBuffer) {
        bytes.writeMultipleIntegers(sessionID, reason.rawValue)
    }
}

/// A peer whose port has changed asks for its session back. Some send it longer; what follows is ignored.
public struct RemapConnection: Hashable, Sendable {
    public static let bodySize = 8

    public var sessionID: UInt32
    public var crcSeed: UInt32

    public init(sessionID: UInt32, crcSeed: UInt32) {
        self.sessionID = sessionID
        self.crcSeed = crcSeed
    }

    /// Reads what follows the op code. It throws `truncated`.
    public static func decode(from body: inout ByteBuffer) throws(SOEWireError) -> RemapConnection {
        guard let fields = body.readMultipleIntegers(as: (UInt32, UInt32).self) else { throw .truncated }
        return RemapConnection(sessionID: fields.0, crcSeed: fields.1)
    }

    /// Writes what follows the op code.
    public func encode(into bytes: inout ByteBuffer) {
        bytes.writeMultipleIntegers(sessionID, crcSeed)
    }
}

/// What one end has counted: the other answers with its own figures.
///
/// | bytes | field |
/// |---|---|
/// | 2 | the low bits of the sender's clock, in milliseconds |
/// | 5 x 4 | round trips in milliseconds: of the server, average, lowest, highest, last |
/// | 8, 8 | packets sent (this one too) and received |
public struct NetStatusRequest: Hashable, Sendable {
    public static let bodySize = 38

    public var tick: UInt16
    public var serverRoundTrip: UInt32 = 0
    public var averageRoundTrip: UInt32 = 0
    public var lowestRoundTrip: UInt32 = 0
    public var highestRoundTrip: UInt32 = 0
    public var lastRoundTrip: UInt32 = 0
    public var packetsSent: UInt64 = 0
    public var packetsReceived: UInt64 = 0

    public init(tick: UInt16) {
        self.tick = tick
    }

    /// Reads what follows the op code. It throws `truncated`.
    public static func decode(from body: inout ByteBuffer) throws(SOEWireError) -> NetStatusRequest {
        guard
            let fields = body.readMultipleIntegers(
                as: (UInt16, UInt32, UInt32, UInt32, UInt32, UInt32, UInt64, UInt64).self)
        else { throw .truncated }
        var status = NetStatusRequest(tick: fields.0)
        status.serverRoundTrip = fields.1
        status.averageRoundTrip = fields.2
        status.lowestRoundTrip = fields.3
        status.highestRoundTrip = fields.4
        status.lastRoundTrip = fields.5
        status.packetsSent = fields.6
        status.packetsReceived = fields.7
        return status
    }

    /// Writes what follows the op code.
    public func encode(into bytes: inout ByteBuffer) {
        bytes.writeMultipleIntegers(
            tick, serverRoundTrip, averageRoundTrip, lowestRoundTrip, highestRoundTrip, lastRoundTrip, packetsSent,
            packetsReceived)
    }
}

/// The answer to `NetStatusRequest`.
///
/// | bytes | field |
/// |---|---|
/// | 2 | the tick of the request |
/// | 4 | the answerer's clock, in milliseconds |
/// | 8, 8 | packets sent and received, as the request said |
/// | 8, 8 | packets the answerer sent and received |
public struct NetStatusResponse: Hashable, Sendable {
    public static let bodySize = 38

    public var tick: UInt16
    public var serverTick: UInt32
    public var clientPacketsSent: UInt64
    public var clientPacketsReceived: UInt64
    public var serverPacketsSent: UInt64
    public var serverPacketsReceived: UInt64

    public init(
        answering request: NetStatusRequest, serverTick: UInt32, packetsSent: UInt64, packetsReceived: UInt64
    ) {
        tick = request.tick
        self.serverTick = serverTick
        clientPacketsSent = request.packetsSent
        clientPacketsReceived = request.packetsReceived
        serverPacketsSent = packetsSent
        serverPacketsReceived = packetsReceived
    }

    /// Reads what follows the op code. It throws `truncated`.
    public static func decode(from body: inout ByteBuffer) throws(SOEWireError) -> NetStatusResponse {
        guard
            let fields = body.readMultipleIntegers(
                as: (UInt16, UInt32, UInt64, UInt64, UInt64, UInt64).self)
        else { throw .truncated }
        var request = NetStatusRequest(tick: fields.0)
        request.packetsSent = fields.2
        request.packetsReceived = fields.3
        return NetStatusResponse(
            answering: request, serverTick: fields.1, packetsSent: fields.4, packetsReceived: fields.5)
    }

    /// Writes what follows the op code.
    public func encode(into bytes: inout ByteBuffer) {
        bytes.writeMultipleIntegers(
            tick, serverTick, clientPacketsSent, clientPacketsReceived, serverPacketsSent, serverPacketsReceived)
    }
}

extension ByteBuffer {
    /// Writes the two bytes a packet starts with.
    @inline(__always)
    mutating func writeOpCode(_ code: OpCode) {
        writeInteger(UInt16(code.rawValue))
    }

    /// What a datagram's or sub-packet's first two bytes say.
    enum PacketStart: Equatable {
        case packet(OpCode)
        /// The first byte is not 0: application data from its first byte on.
        case data
    }

    /// Looks at the first two bytes and takes none. It throws `truncated` and `unknownOpCode`.
    func packetStart() throws(SOEWireError) -> PacketStart {
        guard let first = getInteger(at: readerIndex, as: UInt8.self) else { throw .truncated }
        guard first == 0 else { return .data }
        guard let second = getInteger(at: readerIndex + 1, as: UInt8.self) else { throw .truncated }
        guard let code = OpCode(rawValue: second) else { throw .unknownOpCode }
        return .packet(code)
    }
}
