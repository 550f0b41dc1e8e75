public import NIOCore
public import RelayCore

/// A player's end of the tunnel: frames of a virtual card on one side, a connection to the relay on the other.
///
/// Its caller opens connections when the outbox says `open`, names them, and says what came of them; does `datagram`,
/// `control` and `close` on them; hands `deliver` to the card. It keeps the card and its address whatever happens to
/// connections.
public struct LANClientEngine {
    private var session: RelaySession

    public init(configuration: LANEndpointConfiguration, random: RandomSource, at now: Instant) {
        session = RelaySession(role: .client, configuration: configuration, random: random, at: now)
    }

    // MARK: Connections

    /// Begins. The first `open` is in the outbox.
    public mutating func start(at now: Instant, into out: inout LANOutbox) {
        session.start(at: now, into: &out)
    }

    /// A connection stands. `datagram` is the largest datagram it carries now.
    public mutating func connect(_ relay: PeerID, datagram: Int, at now: Instant, into out: inout LANOutbox) {
        session.connect(relay, datagram: datagram, at: now, into: &out)
    }

    /// Larger, or smaller, datagrams go to the relay from now on.
    public mutating func setDatagram(_ size: Int, of relay: PeerID) {
        session.setDatagram(size, of: relay)
    }

    /// A connection has gone, or (`nil`) could not be opened.
    public mutating func disconnect(
        _ relay: PeerID?, _ loss: RelayLoss, at now: Instant, into out: inout LANOutbox
    ) {
        session.disconnect(relay, loss, at: now, into: &out)
    }

    /// The machine has another address or route: the relay is asked for a sign of life at once, and sought anew.
    public mutating func networkChanged(at now: Instant, into out: inout LANOutbox) {
        session.networkChanged(at: now, into: &out)
    }

    /// Bytes came on the control stream, cut anywhere.
    public mutating func receiveControl(
        _ bytes: ByteBuffer, from relay: PeerID, at now: Instant, into out: inout LANOutbox
    ) {
        _ = session.receiveControl(bytes, from: relay, at: now, into: &out)
    }

    /// A datagram came. Its effects refer to its bytes, so they are done while those are there.
    public mutating func receiveDatagram(
        _ datagram: RawSpan, from relay: PeerID, at now: Instant, into out: inout LANOutbox
    ) {
        guard let bytes = session.unwrap(datagram, from: relay, at: now, into: &out) else { return }
        if let (reason, frame) = session.shapeFault(of: bytes, datagram, out) {
            return session.drop(reason, frame, at: now, into: &out)
        }
        out.append(.deliver(session.clamp(bytes, datagram, into: &out)))
    }

    /// Asks the relay to count anew; the answer is in `status`.
    public mutating func askForStats(into out: inout LANOutbox) {
        session.askForStats(into: &out)
    }

    // MARK: The card

    /// The virtual card sent a frame. Its effects refer to its bytes, so they are done while those are there.
    public mutating func receiveFrame(_ frame: RawSpan, at now: Instant, into out: inout LANOutbox) {
        if let reason = LinkRules.checkShape(frame, maxFrame: session.maxFrame) {
            return session.drop(reason, DroppedFrame(frame), at: now, into: &out)
        }
        // The relay would drop it: something behind the card speaks, a bridge or another machine.
        guard frame.mac(at: 6) == session.configuration.mac else {
            return session.drop(.macSpoof, DroppedFrame(frame), at: now, into: &out)
        }
        session.send(frame, at: now, into: &out)
    }

    // MARK: Time

    public var nextDeadline: Instant? { session.nextDeadline }

    /// Does whatever is due.
    public mutating func advance(to now: Instant, into out: inout LANOutbox) {
        session.advance(to: now, into: &out)
    }

    // MARK: The user

    /// Says goodbye. `finish` is in the outbox.
    public mutating func leave(at now: Instant, into out: inout LANOutbox) {
        session.leave(at: now, into: &out)
    }

    public var status: TunnelStatus { session.status }
}
