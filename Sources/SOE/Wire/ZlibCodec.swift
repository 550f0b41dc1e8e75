import CZlib
import NIOCore

/// Two zlib streams (RFC 1950) that are used again for every datagram: one inflates, one deflates. Each is made when it
/// is first needed, for together they take a hundred kilobytes; one codec serves all sessions of an engine.
public final class ZlibCodec {
    /// The most bytes a datagram may inflate to: as long as the longest of any dialect. Half a kilobyte could claim
    /// half a megabyte.
    static let inflatedLimit = 16 << 10

    private var inflater: UnsafeMutablePointer<z_stream>?
    private var deflater: UnsafeMutablePointer<z_stream>?
    private var deflated = ByteBuffer()

    public init() {}

    deinit {
        if let inflater {
            inflateEnd(inflater)
            inflater.deallocate()
        }
        if let deflater {
            deflateEnd(deflater)
            deflater.deallocate()
        }
    }

    /// What a body that is one whole stream inflates to. It throws `badCompression` if it is none, is cut off, or is too
    /// long.
    func inflate(_ body: ByteBuffer) throws(SOEWireError) -> ByteBuffer {
        let stream = inflater ?? Self.makeStream { inflateInit_($0, ZLIB_VERSION, $1) }
        inflater = stream
        inflateReset(stream)
        var output = ByteBuffer()
        output.reserveCapacity(min(Self.inflatedLimit, 4 * body.readableBytes) + 1)
        let result = body.withUnsafeReadableBytes { bytes in
            Self.setInput(bytes, of: stream)
            while true {
                let limit = min(Self.inflatedLimit + 1, max(256, 2 * output.readableBytes, output.capacity))
                let result = Self.step(stream, into: &output, limit: limit) {
                    CZlib.inflate($0, Z_NO_FLUSH)
                }
                let isFull = output.readableBytes > Self.inflatedLimit
                guard result == Z_OK, stream.pointee.avail_out == 0, !isFull else {
                    return isFull ? Z_DATA_ERROR : result
                }
            }
        }
        guard result == Z_STREAM_END else { throw .badCompression }
        return output
    }

    /// Replaces what stands from `start` to the end by its deflated form if that is shorter; says whether.
    func deflateInPlace(_ bytes: inout ByteBuffer, from start: Int, threshold: Int) -> Bool {
        let count = bytes.writerIndex - start
        guard count >= threshold else { return false }
        let stream =
            deflater
            ?? Self.makeStream {
                // A small hash table: a datagram is short, and the table is cleared for each.
                deflateInit2_($0, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15, 4, Z_DEFAULT_STRATEGY, ZLIB_VERSION, $1)
            }
        deflater = stream
        deflateReset(stream)
        deflated.clear()
        let offset = start - bytes.readerIndex
        let result = bytes.withUnsafeReadableBytes { readable in
            Self.setInput(UnsafeRawBufferPointer(rebasing: readable[offset...]), of: stream)
            return Self.step(stream, into: &deflated, limit: count - 1) { CZlib.deflate($0, Z_FINISH) }
        }
        guard result == Z_STREAM_END else { return false }
        bytes.moveWriterIndex(to: start)
        bytes.writeImmutableBuffer(deflated)
        return true
    }

    private static func makeStream(
        _ start: (UnsafeMutablePointer<z_stream>, CInt) -> CInt
    ) -> UnsafeMutablePointer<z_stream> {
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let result = start(stream, CInt(MemoryLayout<z_stream>.size))
        precondition(result == Z_OK, "zlib cannot start: \(result)")
        return stream
    }

    /// zlib only reads its input, though its type does not say so. The caller keeps `bytes` alive.
    private static func setInput(_ bytes: UnsafeRawBufferPointer, of stream: UnsafeMutablePointer<z_stream>) {
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(clamping: bytes.count)
    }

    /// Lets zlib write until it stops, or until `output` holds `limit` bytes.
    private static func step(
        _ stream: UnsafeMutablePointer<z_stream>, into output: inout ByteBuffer, limit: Int,
        _ run: (UnsafeMutablePointer<z_stream>) -> CInt
    ) -> CInt {
        var result = Z_OK
        let room = limit - output.readableBytes
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { space in
            let count = min(space.count, room)
            stream.pointee.next_out = space.baseAddress?.assumingMemoryBound(to: UInt8.self)
            stream.pointee.avail_out = UInt32(clamping: count)
            result = run(stream)
            return count - Int(stream.pointee.avail_out)
        }
        return result
    }
}
