import CZlib

/// zlib's decompression of one stream. A class, for zlib's state must stay where it is.
final class Inflater {
    struct Step {
        var consumed: Int
        var produced: Int
        /// The stream is complete, its checksum right.
        var isAtEnd: Bool
    }

    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

    init() {
        stream.initialize(to: z_stream())
        let result = inflateInit_(stream, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size))
        // It fails for another version of zlib, or for want of memory, without which Swift stops as well.
        precondition(result == Z_OK, "inflateInit: \(result)")
    }

    deinit {
        inflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    /// Takes from `input` and fills `output`, as far as either lasts; `nil` if it is no zlib stream.
    func inflate(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Step? {
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: Bytef.self).baseAddress)
        stream.pointee.avail_in = uInt(clamping: input.count)
        stream.pointee.next_out = output.bindMemory(to: Bytef.self).baseAddress
        stream.pointee.avail_out = uInt(clamping: output.count)
        let result = CZlib.inflate(stream, Z_NO_FLUSH)
        // Z_BUF_ERROR only says that there was nothing to be done.
        guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else { return nil }
        return Step(
            consumed: input.count - Int(stream.pointee.avail_in),
            produced: output.count - Int(stream.pointee.avail_out),
            isAtEnd: result == Z_STREAM_END
        )
    }
}
