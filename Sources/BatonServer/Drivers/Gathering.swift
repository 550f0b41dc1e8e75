import NIOCore

/// Small pieces for one connection, put together. Its storage is used again and again.
final class Gathering {
    /// The largest piece that is better copied than written by itself, in bytes.
    static let largestPiece = 1024
    /// So many bytes are written without waiting for more.
    static let enough = 16 << 10

    private var bytes = ByteBuffer()

    /// Appends a piece; returns how much there is now.
    func add(_ piece: ByteBuffer) -> Int {
        // Once what was taken has left, nobody else holds the storage, and clearing keeps it.
        if bytes.readableBytes == 0 { bytes.clear() }
        bytes.writeImmutableBuffer(piece)
        return bytes.readableBytes
    }

    /// All there is; `nil` if that is nothing.
    func take() -> ByteBuffer? {
        guard bytes.readableBytes > 0 else { return nil }
        defer { bytes.moveReaderIndex(to: bytes.writerIndex) }
        return bytes
    }
}
