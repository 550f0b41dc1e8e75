import NIOCore

/// The bytes of a channel's reliable units, from the oldest that is not acknowledged to the newest: a queue in one piece
/// of memory, so that a small message costs no allocation. Offsets count from the channel's first byte and never wrap.
struct UnitStore {
    private var bytes = ByteBuffer()
    /// The offset of the buffer's index 0.
    private var base = 0

    /// How many bytes are kept.
    var count: Int { bytes.readableBytes }
    /// The offset behind the last byte.
    var end: Int { base + bytes.writerIndex }

    /// Makes room for what is about to be appended.
    @inline(__always)
    mutating func reserve(_ count: Int) {
        if bytes.writableBytes < count { makeRoom(for: count) }
    }

    private mutating func makeRoom(for count: Int) {
        // Moving what is kept costs no more than what was released since the last time.
        if bytes.readerIndex >= bytes.readableBytes {
            base += bytes.readerIndex
            bytes.discardReadBytes()
        }
        bytes.reserveCapacity(minimumWritableBytes: count)
    }

    @inline(__always)
    mutating func append(_ byte: UInt8) { bytes.writeInteger(byte) }

    @inline(__always)
    mutating func append(_ short: UInt16) { bytes.writeInteger(short) }

    @inline(__always)
    mutating func append(_ long: UInt32) { bytes.writeInteger(long) }

    @inline(__always)
    mutating func append(_ message: ByteBuffer) { bytes.writeImmutableBuffer(message) }

    mutating func append(_ length: Int, as form: VariableLength) { form.write(UInt32(length), into: &bytes) }

    /// Encrypts what stands from an offset to the end.
    mutating func encrypt(from offset: Int, with cipher: inout RC4?) {
        let start = offset - base - bytes.readerIndex
        bytes.withUnsafeMutableReadableBytes {
            cipher?.apply(to: UnsafeMutableRawBufferPointer(rebasing: $0[start...]))
        }
    }

    /// Appends a stretch to a datagram.
    @inline(__always)
    func copy(_ start: Int, _ count: Int, into datagram: inout ByteBuffer) {
        let offset = start - base - bytes.readerIndex
        bytes.withUnsafeReadableBytes { stored in
            _ = datagram.writeBytes(UnsafeRawBufferPointer(rebasing: stored[offset..<(offset + count)]))
        }
    }

    /// Forgets everything before an offset.
    @inline(__always)
    mutating func release(upTo offset: Int) {
        bytes.moveReaderIndex(to: offset - base)
        if bytes.readableBytes == 0 {
            base += bytes.readerIndex
            bytes.clear()
        }
    }

    /// Gives storage back that is kept for nothing.
    mutating func trim(keeping capacity: Int) {
        if bytes.readableBytes == 0, bytes.capacity > capacity { bytes = ByteBuffer() }
    }
}
