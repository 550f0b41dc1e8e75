public import NIOCore

/// The name of the application's protocol, as in `LoginUdp_9`. Both ends must use the same one, byte for byte.
public struct ProtocolName: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// Without the 0 that ends it on the wire.
    public let octets: [UInt8]

    public init(_ octets: some Sequence<UInt8>) {
        self.octets = octets.filter { $0 != 0 }
    }

    public init(_ text: String) { self.init(text.utf8) }
    public init(stringLiteral text: String) { self.init(text) }

    public var description: String { String(decoding: octets, as: UTF8.self) }
}

/// A client's first words.
///
/// | bytes | field |
/// |---|---|
/// | 4 | protocol version: 3, or 2 in SWG |
/// | 4 | session id, chosen by the client |
/// | 4 | UDP length: the largest datagram the sender takes |
/// | to the end | protocol name, ended by 0; absent in some dialects |
public struct SessionRequest: Hashable, Sendable {
    public static let minimumBody = 12

    public var version: UInt32
    public var sessionID: UInt32
    public var udpLength: UInt32
    /// `nil` where the dialect has no names.
    public var protocolName: ProtocolName?

    public init(version: UInt32 = 3, sessionID: UInt32, udpLength: UInt32, protocolName: ProtocolName?) {
        self.version = version
        self.sessionID = sessionID
        self.udpLength = udpLength
        self.protocolName = protocolName
    }

    /// Reads what follows the op code. It throws `truncated` and `unterminatedName`.
    public static func decode(from body: inout ByteBuffer) throws(SOEWireError) -> SessionRequest {
        guard let fields = body.readMultipleIntegers(as: (UInt32, UInt32, UInt32).self) else { throw .truncated }
        var request = SessionRequest(
            version: fields.0, sessionID: fields.1, udpLength: fields.2, protocolName: nil)
        guard body.readableBytes > 0 else { return request }
        let name = body.readableBytesView
        guard let end = name.firstIndex(of: 0) else { throw .unterminatedName }
        request.protocolName = ProtocolName(name[..<end])
        return request
    }

    /// Writes what follows the op code.
    public func encode(into bytes: inout ByteBuffer) {
        bytes.writeMultipleIntegers(version, sessionID, udpLength)
        guard let protocolName else { return }
        bytes.writeBytes(protocolName.octets)
        bytes.writeInteger(UInt8(0))
    }
}

/// A server's answer to a request: with it a client's session is open.
///
/// | bytes | field |
/// |---|---|
/// | 4 | session id, as in the request |
/// | 4 | CRC seed, chosen by the server |
/// | 1 | length of the CRC trailer, 0...4 |
/// | 1, 1 | the encoding passes over each contextual body |
/// | 4 | UDP length: the largest datagram the server takes |
/// | 4 | protocol version; absent in some dialects |
public struct SessionResponse: Hashable, Sendable {
    public static let minimumBody = 15

    public var sessionID: UInt32
    public var crcSeed: UInt32
    public var crcLength: UInt8
    public var firstPass: UInt8
    public var secondPass: UInt8
    public var udpLength: UInt32
    public var version: UInt32?

    public init(
        sessionID: UInt32, crcSeed: UInt32, crcLength: UInt8, firstPass: UInt8 = 0, secondPass: UInt8 = 0,
        udpLength: UInt32, version: UInt32? = 3
    ) {
        self.sessionID = sessionID
        self.crcSeed = crcSeed
        self.crcLength = crcLength
        self.firstPass = firstPass
        self.secondPass = secondPass
        self.udpLength = udpLength
        self.version = version
    }

    /// Reads what follows the op code. It throws `truncated`.
    public static func decode(from body: inout ByteBuffer) throws(SOEWireError) -> SessionResponse {
        guard
            let fields = body.readMultipleIntegers(as: (UInt32, UInt32, UInt8, UInt8, UInt8, UInt32).self)
        else { throw .truncated }
        return SessionResponse(
            sessionID: fields.0, crcSeed: fields.1, crcLength: fields.2, firstPass: fields.3, secondPass: fields.4,
            udpLength: fields.5, version: body.readInteger()
        )
    }

    /// Writes what follows the op code.
    public func encode(into bytes: inout ByteBuffer) {
        bytes.writeMultipleIntegers(sessionID, crcSeed, crcLength, firstPass, secondPass, udpLength)
        if let version { bytes.writeInteger(version) }
    }
}
