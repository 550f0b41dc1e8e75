/// What a stream has been given to send and the peer has not acknowledged: the library reads it again when a packet is
/// lost, so it stays where it is until then.
struct StreamBacklog {
    private struct Chunk {
        var bytes: UnsafeMutableRawBufferPointer
        /// The stream offset of its first byte.
        var offset: UInt64
        var end: UInt64 { offset + UInt64(bytes.count) }
    }

    private var chunks: [Chunk] = []
    private var acknowledged: UInt64 = 0
    private(set) var sent: UInt64 = 0
    private(set) var end: UInt64 = 0
    /// Whether the end of the stream follows the last byte, and whether it has been sent.
    private(set) var isEnding = false
    private(set) var endIsSent = false
    /// The peer's flow control lets nothing through until it says so.
    var isBlocked = false

    /// Bytes held.
    var count: Int { Int(end - acknowledged) }

    var hasWork: Bool { !isBlocked && (sent < end || (isEnding && !endIsSent)) }

    mutating func append(_ bytes: UnsafeRawBufferPointer, end isEnding: Bool) {
        if isEnding { self.isEnding = true }
        guard !bytes.isEmpty else { return }
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        copy.copyMemory(from: bytes)
        chunks.append(Chunk(bytes: copy, offset: end))
        end += UInt64(bytes.count)
    }

    /// The next piece to send, and whether the stream ends with it.
    func next() -> (bytes: UnsafeRawBufferPointer, ends: Bool) {
        guard let chunk = chunks.first(where: { $0.end > sent }) else {
            return (UnsafeRawBufferPointer(start: nil, count: 0), isEnding)
        }
        let rest = UnsafeRawBufferPointer(rebasing: chunk.bytes[Int(sent - chunk.offset)...])
        return (rest, isEnding && chunk.end == end)
    }

    /// So many bytes of what `next` gave have gone out.
    mutating func didSend(_ count: Int) {
        sent += UInt64(count)
        if isEnding, sent == end { endIsSent = true }
    }

    /// The peer has everything before this offset.
    mutating func acknowledge(upTo offset: UInt64) {
        acknowledged = max(acknowledged, min(offset, end))
        while let chunk = chunks.first, chunk.end <= acknowledged {
            chunk.bytes.deallocate()
            chunks.removeFirst()
        }
    }

    /// Frees everything. The library must not know the stream any more.
    mutating func discard() {
        for chunk in chunks { chunk.bytes.deallocate() }
        chunks = []
        acknowledged = end
    }
}
