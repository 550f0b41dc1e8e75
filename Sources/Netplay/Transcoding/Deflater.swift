import CZlib
import NIOCore

/// zlib's compression into one stream, kept in pieces, so that it grows without being copied and goes piece by piece.
/// A class, for zlib's state must stay where it is.
final class Deflater {
    /// What zlib says it needs for a stream of this kind, in bytes.
    static let stateSize = 256 << 10
    private static let pieceSize = 32 << 10

    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private var last: ByteBuffer
    private var pieces: [ByteBuffer] = []
    private(set) var count = 0

    /// - Parameter expected: how many bytes are going to be compressed.
    init(expecting expected: Int) {
        last = ByteBufferAllocator().buffer(capacity: min(expected + 64, Self.pieceSize))
        stream.initialize(to: z_stream())
        // The fastest level: a state is mostly alike or empty and shrinks a lot at any, and while one is compressed
        // players wait, the one who joins and those of other rooms.
        let result = deflateInit_(stream, Z_BEST_SPEED, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size))
        // It fails for another version of zlib, or for want of memory, without which Swift stops as well.
        precondition(result == Z_OK, "deflateInit: \(result)")
    }

    deinit {
        deflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    /// Compresses all of `input`.
    func append(_ input: ByteBufferView) {
        run(input, flush: Z_NO_FLUSH)
    }

    /// Ends the stream, or, if it is not complete, brings out what is within; gives up what there is, in order.
    func finish(isComplete: Bool) -> [ByteBuffer] {
        run(ByteBuffer().readableBytesView, flush: isComplete ? Z_FINISH : Z_SYNC_FLUSH)
        if last.readableBytes > 0 { pieces.append(last) }
        last = ByteBuffer()
        return pieces
    }

    private func run(_ input: ByteBufferView, flush: CInt) {
        input.withUnsafeBytes { input in
            stream.pointee.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: Bytef.self).baseAddress)
            stream.pointee.avail_in = uInt(clamping: input.count)
            // zlib has more to give as long as it fills all the room it is given.
            while !fill(flush: flush) {}
            precondition(stream.pointee.avail_in == 0, "deflate left input over")
        }
    }

    /// Lets zlib write once; `true` if it had room to spare.
    private func fill(flush: CInt) -> Bool {
        if last.writableBytes == 0 {
            if last.readableBytes > 0 { pieces.append(last) }
            last = ByteBufferAllocator().buffer(capacity: Self.pieceSize)
        }
        var room = 0
        let written = last.writeWithUnsafeMutableBytes(minimumWritableBytes: 1) { output in
            room = output.count
            stream.pointee.next_out = output.bindMemory(to: Bytef.self).baseAddress
            stream.pointee.avail_out = uInt(clamping: output.count)
            let result = deflate(stream, flush)
            precondition(result != Z_STREAM_ERROR, "deflate: its state is broken")
            return room - Int(stream.pointee.avail_out)
        }
        count += written
        return written < room
    }
}
