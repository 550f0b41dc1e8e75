public import NIOCore

/// A datagram that asks for a dedicated host. Four texts, then a number:
///
/// | bytes | meaning |
/// |---|---|
/// | u8 + text | the core's name, as RetroArch shows it |
/// | u8 + text | the core's version |
/// | u8 + text | the game's name, for people |
/// | u8 + text | the content's file name without folder and extension |
/// | u32, big-endian | the content's CRC-32; 0 for whichever there is |
///
/// The u8 is a text's length in bytes. Texts are UTF-8 without NUL; nothing follows the number.
public struct HostingRequest: Hashable, Sendable {
    public var coreName: String
    public var coreVersion: String
    public var gameName: String
    public var fileName: String
    /// 0 means any.
    public var crc: UInt32

    public init(coreName: String, coreVersion: String = "", gameName: String = "", fileName: String, crc: UInt32 = 0) {
        self.coreName = coreName
        self.coreVersion = coreVersion
        self.gameName = gameName
        self.fileName = fileName
        self.crc = crc
    }

    /// Reads a whole datagram.
    public static func decode(_ datagram: ByteBuffer) throws(HostingWireError) -> HostingRequest {
        var rest = datagram
        let request = HostingRequest(
            coreName: try rest.readShortText(), coreVersion: try rest.readShortText(),
            gameName: try rest.readShortText(), fileName: try rest.readShortText(), crc: try rest.readChecksum())
        guard rest.readableBytes == 0 else { throw .trailingBytes }
        return request
    }

    /// Writes the datagram; `false` and nothing if a text is longer than its length can say.
    public func encode(into bytes: inout ByteBuffer) -> Bool {
        let texts = [coreName, coreVersion, gameName, fileName]
        guard texts.allSatisfy({ $0.utf8.count <= Int(UInt8.max) }) else { return false }
        for text in texts {
            bytes.writeInteger(UInt8(text.utf8.count))
            bytes.writeString(text)
        }
        bytes.writeInteger(crc)
        return true
    }
}

/// Where a dedicated host can be joined.
public struct HostingInvitation: Equatable, Sendable {
    /// The host's own port, or that of the relay it is behind.
    public var port: UInt16
    /// The session on that relay; `nil` without one.
    public var session: TunnelID?

    public init(port: UInt16, session: TunnelID? = nil) {
        self.port = port
        self.session = session
    }
}

/// The answer to a `HostingRequest`: u16 port, big-endian, 0 if there will be no host. Behind a relay the 12 bytes of
/// the session follow, but only where that makes the answer no longer than the request was: an answer that is longer
/// than its question lends itself to attacks with forged senders.
public struct HostingAnswer: Equatable, Sendable {
    /// `nil` says no.
    public var invitation: HostingInvitation?

    public init(_ invitation: HostingInvitation?) {
        self.invitation = invitation
    }

    /// What is sent to somebody whose request had so many bytes.
    public func encoded(forRequestOf requestLength: Int) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeInteger(invitation?.port ?? 0)
        if let session = invitation?.session, bytes.readableBytes + TunnelID.size <= requestLength {
            bytes.writeMultipleIntegers(session.high, session.low)
        }
        return bytes
    }

    /// Reads a whole answer; `nil` for bytes that are none.
    public static func decode(_ datagram: ByteBuffer) -> HostingAnswer? {
        var rest = datagram
        guard let port = rest.readInteger(as: UInt16.self) else { return nil }
        switch rest.readableBytes {
        case 0:
            return HostingAnswer(port == 0 ? nil : HostingInvitation(port: port))
        case TunnelID.size where port != 0:
            guard let (high, low) = rest.readMultipleIntegers(as: (UInt64, UInt32).self) else { return nil }
            return HostingAnswer(HostingInvitation(port: port, session: TunnelID(high: high, low: low)))
        default:
            return nil
        }
    }
}

/// Why a datagram is no request.
public enum HostingWireError: Error, Equatable {
    /// It ends before the number does.
    case truncated
    /// Something follows the number.
    case trailingBytes
    /// A text is not UTF-8, or holds a NUL.
    case badText
}

extension TunnelID {
    /// Its length in bytes.
    static let size = 12
}

extension ByteBuffer {
    fileprivate mutating func readShortText() throws(HostingWireError) -> String {
        guard let length = readInteger(as: UInt8.self), let bytes = readSlice(length: Int(length)) else {
            throw .truncated
        }
        guard let text = String(validating: bytes.readableBytesView, as: UTF8.self), !text.utf8.contains(0) else {
            throw .badText
        }
        return text
    }

    fileprivate mutating func readChecksum() throws(HostingWireError) -> UInt32 {
        guard let crc = readInteger(as: UInt32.self) else { throw .truncated }
        return crc
    }
}
