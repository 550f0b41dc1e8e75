public import NIOCore
public import RelayCore

/// A player's end of the tunnel, with a virtual card.
public struct LANClientEngine: LANEndpoint {
    private var session: RelaySession

    public init(configuration: LANEndpointConfiguration, random: RandomSource, at now: Instant) {
        session = RelaySession(role: .client, configuration: configuration, random: random, at: now)
    }

    // MARK: Connections

    public mutating func start(at now: Instant, into out: inout LANOutbox) {
        session.start(at: now, into: &out)
    }

    public mutating func connect(_ relay: PeerID, datagram: Int, at now: Instant, into out: inout LANOutbox) {
        session.connect(relay, datagram: datagram, at: now, into: &out)
    }

    public mutating func setDatagram(_ size: Int, of relay: PeerID) {
        session.setDatagram(size, of: relay)
    }

    public mutating func disconnect(
        _ relay: PeerID?, _ loss: RelayLoss, at now: Instant, into out: inout LANOutbox
    ) {
        session.disconnect(relay, loss, at: now, into: &out)
    }

    public mutating func networkChanged(at now: Instant, into out: inout LANOutbox) {
        session.networkChanged(at: now, into: &out)
    }

    public mutating func receiveControl(
        _ bytes: ByteBuffer, from relay: PeerID, at now: Instant, into out: inout LANOutbox
    ) {
        _ = session.receiveControl(bytes, from: relay, at: now, into: &out)
    }

    public mutating func receiveDatagram(
        _ datagram: RawSpan, from relay: PeerID, at now: Instant, into out: inout LANOutbox
    ) {
        guard let bytes = session.unwrap(datagram, from: relay, at: now, into: &out) else { return }
        if let (reason, frame) = session.shapeFault(of: bytes, datagram, out) {
            return session.drop(reason, frame, at: now, into: &out)
        }
        out.append(.deliver(session.clamp(bytes, datagram, into: &out)))
    }

    public mutating func askForStats(into out: inout LANOutbox) {
        session.askForStats(into: &out)
    }

    // MARK: The card

    public mutating func receiveFrame(_ frame: RawSpan, at now: Instant, into out: inout LANOutbox) {
        guard !session.isFinished else { return }
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

    public mutating func advance(to now: Instant, into out: inout LANOutbox) {
        session.advance(to: now, into: &out)
    }

    // MARK: The user

    public mutating func leave(at now: Instant, into out: inout LANOutbox) {
        session.leave(at: now, into: &out)
    }

    public var status: TunnelStatus { session.status }
}
