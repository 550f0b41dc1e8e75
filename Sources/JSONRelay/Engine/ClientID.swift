import NIOCore
import RelayCore

/// The name under which a client is reached: UTF-8, compared octet by octet.
///
/// It wraps a `ByteBuffer`, so that a slice of a received frame can be looked up as it is, without a copy.
struct ClientID: Hashable, Sendable, CustomStringConvertible {
    /// The most octets an id may have.
    static let maxLength = 128

    let bytes: ByteBuffer

    /// An id to look up, which may share the storage of a frame.
    init(_ bytes: ByteBuffer) {
        self.bytes = bytes
    }

    /// Text of an id that a client asks for, copied out of its frame.
    init(chosen bytes: ByteBuffer) throws(MessageRefusal) {
        if bytes.readableBytes > Self.maxLength { throw .idTooLong }
        let text = String(buffer: bytes)
        let hasControls = text.unicodeScalars.contains { $0.properties.generalCategory == .control }
        if hasControls { throw .idHasControlCharacters }
        self.init(ByteBuffer(string: text))
    }

    /// An id of 13 characters that nobody can guess.
    init(from random: inout RandomSource) {
        let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUV".utf8)
        let letters = (0..<13).map { _ in alphabet[Int.random(in: alphabet.indices, using: &random)] }
        self.init(ByteBuffer(bytes: letters))
    }

    var description: String { String(buffer: bytes) }
}
