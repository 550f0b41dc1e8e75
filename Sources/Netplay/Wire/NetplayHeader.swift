public import NIOCore

/// What both ends of a netplay connection say first: 24 bytes, six words, big-endian.
///
/// | offset | word | meaning |
/// |---|---|---|
/// | 0 | magic | `RANP`; a host may also say `FULL` or `DENY` |
/// | 4 | platform | the sizes of a machine's words; only some cores care |
/// | 8 | compression | bit 0: zlib. Each side ANDs it with its own |
/// | 12 | salt | a host's: 0, or what passwords are salted with. A guest's: the highest protocol it speaks, 0 before 1.10 |
/// | 16 | protocol | a guest's: the lowest it speaks. A host's: the one chosen, 0 for none |
/// | 20 | implementation | a hash of the version; a difference is only a warning |
public struct NetplayHeader: Equatable, Sendable {
    public enum Magic: UInt32, Sendable {
        case netplay = 0x5241_4E50
        case full = 0x4655_4C4C
        case denied = 0x4445_4E59
    }

    /// Its length in bytes.
    public static let size = 24
    /// What somebody says instead of a header to learn whether a host answers: `POKE`.
    public static let poke: UInt32 = 0x504F_4B45
    /// The bit of `compression` that says zlib.
    public static let zlib: UInt32 = 1

    public var magic: Magic
    public var platform: UInt32
    public var compression: UInt32
    public var salt: UInt32
    public var protocolVersion: UInt32
    public var implementation: UInt32

    public init(
        magic: Magic = .netplay, platform: UInt32 = 0, compression: UInt32 = 0, salt: UInt32 = 0,
        protocolVersion: UInt32 = 0, implementation: UInt32 = 0
    ) {
        self.magic = magic
        self.platform = platform
        self.compression = compression
        self.salt = salt
        self.protocolVersion = protocolVersion
        self.implementation = implementation
    }

    /// Takes a header from the front of `bytes`; `nil` while it is incomplete.
    public static func decode(from bytes: inout ByteBuffer) throws(NetplayWireError) -> NetplayHeader? {
        if let word = bytes.peekInteger(as: UInt32.self), Magic(rawValue: word) == nil { throw .unknownMagic }
        guard bytes.readableBytes >= size,
            let words = bytes.readMultipleIntegers(as: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32).self),
            let magic = Magic(rawValue: words.0)
        else { return nil }
        return NetplayHeader(
            magic: magic, platform: words.1, compression: words.2, salt: words.3, protocolVersion: words.4,
            implementation: words.5
        )
    }

    public func encode(into bytes: inout ByteBuffer) {
        bytes.writeMultipleIntegers(
            magic.rawValue, platform, compression, salt, protocolVersion, implementation
        )
    }

    /// The hash that builds of a version put into `implementation`.
    ///
    /// - Parameter highestProtocol: the highest protocol that build speaks.
    public static func implementation(version: String, highestProtocol: UInt32) -> UInt32 {
        var hash: UInt32 = 0
        for (index, byte) in version.utf8.enumerated() { hash ^= UInt32(byte) << UInt32(index & 15) }
        return hash ^ highestProtocol << UInt32(version.utf8.count & 15)
    }
}

/// Bytes that are no netplay.
public enum NetplayWireError: Error, Equatable {
    /// A connection does not begin with a netplay header.
    case unknownMagic
    /// A command's size does not fit its meaning.
    case badSize(NetplayCommand)
    /// A field holds what it may not.
    case badField(NetplayCommand)
}
