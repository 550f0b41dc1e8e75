public import NIOCore
public import RelayCore

/// An end of the tunnel: frames of a card on one side, a connection to the relay on the other. It keeps the card and its
/// address whatever happens to connections.
///
/// Its caller opens connections when the outbox says `open`, names them, and says what came of them; does `datagram`,
/// `control` and `close` on them; hands `deliver` to the card. Effects may refer to the bytes of the input, so they are
/// done before those go.
public protocol LANEndpoint: Sendable {
    /// Begins. The first `open` is in the outbox.
    mutating func start(at now: Instant, into out: inout LANOutbox)
    /// A connection stands. `datagram` is the largest datagram it carries now.
    mutating func connect(_ relay: PeerID, datagram: Int, at now: Instant, into out: inout LANOutbox)
    /// Larger, or smaller, datagrams go to the relay from now on.
    mutating func setDatagram(_ size: Int, of relay: PeerID)
    /// A connection has gone, or (`nil`) could not be opened.
    mutating func disconnect(_ relay: PeerID?, _ loss: RelayLoss, at now: Instant, into out: inout LANOutbox)
    /// The machine has another address or route: the relay is asked for a sign of life at once, and sought anew.
    mutating func networkChanged(at now: Instant, into out: inout LANOutbox)
    /// Bytes came on the control stream, cut anywhere.
    mutating func receiveControl(_ bytes: ByteBuffer, from relay: PeerID, at now: Instant, into out: inout LANOutbox)
    /// A datagram came.
    mutating func receiveDatagram(_ datagram: RawSpan, from relay: PeerID, at now: Instant, into out: inout LANOutbox)
    /// The card sent a frame, if it is a virtual one, or received one, if it is real: those for others too, and none that
    /// was sent by it.
    mutating func receiveFrame(_ frame: RawSpan, at now: Instant, into out: inout LANOutbox)
    /// Asks the relay to count anew; the answer is in `status`.
    mutating func askForStats(into out: inout LANOutbox)
    var nextDeadline: Instant? { get }
    /// Does whatever is due.
    mutating func advance(to now: Instant, into out: inout LANOutbox)
    /// Says goodbye. `finish` is in the outbox.
    mutating func leave(at now: Instant, into out: inout LANOutbox)
    var status: TunnelStatus { get }
}
