public import NIOCore

/// Cuts a stream of bytes into frames. It keeps no more than one frame that is not complete.
public struct BackendFrameReader: Sendable {
    private var bytes = ByteBuffer()
    private var longestBody: Int

    /// - Parameter longestBody: longer frames are refused before they have come.
    public init(longestBody: Int = BackendFrame.longestBody) {
        self.longestBody = min(longestBody, BackendFrame.longestBody)
    }

    /// Takes longer frames from now on. What was allowed once stays so, for who was told of it.
    mutating func allow(longestBody: Int) {
        self.longestBody = max(self.longestBody, min(longestBody, BackendFrame.longestBody))
    }

    /// Bytes that wait for the rest of their frame.
    public var heldBytes: Int { bytes.readableBytes }

    /// Takes what was read from the stream, cut anywhere.
    public mutating func append(_ read: ByteBuffer) {
        if bytes.readableBytes == 0 {
            bytes = read
        } else {
            bytes.discardReadBytes()
            bytes.writeImmutableBuffer(read)
        }
    }

    /// The next frame, if all of it has come. Nothing can be read after it has thrown.
    public mutating func next() throws(BackendFrameError) -> BackendFrame? {
        guard let length = bytes.getInteger(at: bytes.readerIndex, as: UInt32.self) else { return nil }
        guard length >= BackendFrame.headSize - 4 else { throw .truncated }
        guard Int(length) <= longestBody + BackendFrame.headSize else { throw .tooLong }
        guard bytes.readableBytes >= 4 + Int(length) else { return nil }
        bytes.moveReaderIndex(forwardBy: 4)
        guard let frame = bytes.readSlice(length: Int(length)) else { throw .truncated }
        return try BackendFrame.decode(frame)
    }
}
