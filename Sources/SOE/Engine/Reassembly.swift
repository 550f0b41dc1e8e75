import NIOCore

/// What a peer does on a reliable channel that cannot be gone on from: the session ends.
public enum ChannelFault: Error, Hashable, Sendable {
    /// A message of 0 bytes in fragments, or fragments that hold more than was announced, or none of their own.
    case badFragment
    /// A message longer than allowed.
    case messageTooLong
    /// Data between the fragments of a message.
    case interrupted
}

/// Gathers the fragments of one message. Its storage grows with what has arrived, never with what was announced.
struct Reassembly {
    private var bytes = ByteBuffer()
    private var missing = 0

    var isActive: Bool { missing > 0 }
    /// Bytes of memory it has taken.
    var heldBytes: Int { isActive ? bytes.capacity : 0 }

    /// Takes the next fragment, and returns the message when it is whole. The first fragment begins with the total.
    mutating func add(_ fragment: ByteBuffer, limit: Int) throws(ChannelFault) -> ByteBuffer? {
        var fragment = fragment
        if !isActive {
            guard let total = fragment.readInteger(as: UInt32.self), total > 0 else { throw .badFragment }
            guard total <= limit else { throw .messageTooLong }
            missing = Int(total)
            bytes = ByteBuffer()
            bytes.reserveCapacity(min(missing, 16 << 10))
        }
        guard fragment.readableBytes > 0, fragment.readableBytes <= missing else { throw .badFragment }
        missing -= fragment.readableBytes
        if bytes.writableBytes < fragment.readableBytes {
            // The end is known: the last doubling need not go beyond it.
            bytes.reserveCapacity(min(2 * bytes.capacity, bytes.readableBytes + fragment.readableBytes + missing))
        }
        bytes.writeImmutableBuffer(fragment)
        guard missing == 0 else { return nil }
        defer { bytes = ByteBuffer() }
        return bytes
    }
}
