import DequeModule
import NIOCore

/// What waits for a peer that reads more slowly than it is sent to.
struct SendQueue {
    /// The bounds of one peer's queue.
    struct Limits: Sendable, Equatable {
        var bytes = 256 << 10
        var frames = 512
    }

    private var frames = Deque<ByteBuffer>()
    private(set) var bytes = 0

    var isEmpty: Bool { frames.isEmpty }

    /// Keeps a frame; `false` if the queue is full. A queue below its bounds takes one more frame of any size.
    mutating func append(_ frame: ByteBuffer, limits: Limits) -> Bool {
        guard bytes < limits.bytes, frames.count < limits.frames else { return false }
        bytes += frame.readableBytes
        // A small slice must not keep a large read alive for as long as the peer likes.
        frames.append(
            frame.storageCapacity > 2 * frame.readableBytes ? ByteBuffer(bytes: frame.readableBytesView) : frame)
        return true
    }

    mutating func popFirst() -> ByteBuffer? {
        guard let frame = frames.popFirst() else { return nil }
        bytes -= frame.readableBytes
        return frame
    }
}
