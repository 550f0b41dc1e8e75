public import NIOCore

/// The state of one UDP port, or several, of a protocol: datagrams and time in; datagrams, messages and events out.
///
/// As a `StreamEngine`, it owns all its state and touches nothing else.
public protocol DatagramEngine: SendableMetatype {
    /// Takes a datagram, whoever sent it.
    mutating func receive(
        _ datagram: ByteBuffer, from endpoint: Endpoint, at now: Instant, into out: inout DatagramOutbox)

    /// Does what is due and sends what is ready: at the end of each turn of input, and when `nextDeadline` comes.
    mutating func advance(to now: Instant, into out: inout DatagramOutbox)

    /// When `advance` should be called next. It may come early, never late. O(1).
    var nextDeadline: Instant? { get }
}
