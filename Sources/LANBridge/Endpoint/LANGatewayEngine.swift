public import NIOCore
public import RelayCore

/// The LAN's end of the tunnel, with a real card.
///
/// Nothing goes to the LAN that a switch would not pass, whatever the relay sends.
public struct LANGatewayEngine: LANEndpoint {
    private var session: RelaySession
    private var random: RandomSource
    /// The cards of the room's clients, by their number in the room.
    private var clients: [MACAddress: Int] = [:]
    private var watch: LoopWatch
    private var stations = RecentTable<MACAddress>(capacity: 4096, lifetime: .seconds(600))
    private var told = RecentTable<MACAddress>(capacity: 256, lifetime: .seconds(60))
    private var desk: ProbeDesk
    private var nextRefresh: Instant?

    /// Switches forget an address after five minutes.
    private static let refreshInterval = Duration.seconds(60)

    public init(configuration: LANEndpointConfiguration, random: RandomSource, at now: Instant) {
        var random = random
        session = RelaySession(
            role: .gateway, configuration: configuration, random: .seeded(random.next()), at: now)
        self.random = random
        watch = LoopWatch(mac: configuration.mac)
        desk = ProbeDesk(mac: configuration.mac, at: now)
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
        for message in session.receiveControl(bytes, from: relay, at: now, into: &out) {
            switch message {
            case .welcome:
                clients.removeAll()
                nextRefresh = now + Self.refreshInterval
                watch.start(&random, at: now)
            case .peerJoined(let notice) where notice.role == .client:
                // Whatever the relay says: no client is the gateway itself, nor a group.
                guard notice.mac.isStation, notice.mac != session.configuration.mac else { continue }
                clients[notice.mac] = notice.peer
                stations.remove(notice.mac)
                refresh(notice.mac, into: &out)
            case .peerLeft(let number, _):
                clients = clients.filter { $0.value != number }
            default: break
            }
        }
    }

    public mutating func receiveDatagram(
        _ datagram: RawSpan, from relay: PeerID, at now: Instant, into out: inout LANOutbox
    ) {
        guard let bytes = session.unwrap(datagram, from: relay, at: now, into: &out) else { return }
        let maxFrame = session.maxFrame
        let (reason, probe, source) = bytes.read(datagram, out) { frame -> (DropReason?, ProbeFrame?, MACAddress) in
            if let reason = FrameFilter.linkReason(against: frame, maxFrame: maxFrame) { return (reason, nil, .zero) }
            return (nil, ProbeFrame(frame), frame.mac(at: 6))
        }
        if let reason { return drop(reason, bytes, datagram, at: now, into: &out) }
        if let probe { return receive(probe, from: source, at: now, into: &out) }
        if watch.isStopped { return drop(.loop, bytes, datagram, at: now, into: &out) }
        out.append(.deliver(session.clamp(bytes, datagram, into: &out)))
    }

    private mutating func drop(
        _ reason: DropReason, _ bytes: FrameBytes, _ input: RawSpan, at now: Instant, into out: inout LANOutbox
    ) {
        let frame = bytes.read(input, out) { DroppedFrame($0) }
        session.drop(reason, frame, at: now, into: &out)
    }

    /// A frame of this protocol came from the relay.
    private mutating func receive(
        _ probe: ProbeFrame, from source: MACAddress, at now: Instant, into out: inout LANOutbox
    ) {
        switch probe.kind {
        case .loop: if watch.isOwn(probe) { loopFound(fromRelay: true, at: now, into: &out) }
        case .request:
            guard let answer = desk.answer(probe, to: source, at: now) else { return }
            let range = out.copy(answer.span.bytes)
            _ = session.send(.scratch(range), into: &out)
        case .refresh, .answer: break
        }
    }

    public mutating func askForStats(into out: inout LANOutbox) {
        session.askForStats(into: &out)
    }

    // MARK: The LAN

    public mutating func receiveFrame(_ frame: RawSpan, at now: Instant, into out: inout LANOutbox) {
        guard !session.isFinished else { return }
        if let reason = FrameFilter.linkReason(against: frame, maxFrame: session.maxFrame) {
            return session.drop(reason, DroppedFrame(frame), at: now, into: &out)
        }
        let source = frame.mac(at: 6)
        let destination = frame.mac(at: 0)
        if frame.uint16(at: 12) == ProbeFrame.etherType, let probe = ProbeFrame(frame),
            probe.kind == .loop || probe.kind == .refresh
        {
            return receiveOnLAN(probe, from: source, at: now, into: &out)
        }
        if clients[source] != nil {
            session.drop(.macLoop, DroppedFrame(frame), isTold: false, at: now, into: &out)
            if told.isNew(source, at: now) { out.append(.emit(LANEndpointEvent.duplicateOnLAN(source))) }
            return
        }
        stations.touch(source, at: now)
        if !destination.isGroup, clients[destination] == nil {
            // Most of what a card hears on a busy LAN; the relay would drop it.
            return session.drop(.unknownUnicast, DroppedFrame(frame), isTold: false, at: now, into: &out)
        }
        if destination.isGroup, watch.countGroupFrame(at: now) { sendProbe(at: now, into: &out) }
        if watch.isStopped { return session.drop(.loop, DroppedFrame(frame), at: now, into: &out) }
        session.send(frame, at: now, into: &out)
    }

    /// A gateway's frame came from the LAN.
    private mutating func receiveOnLAN(
        _ probe: ProbeFrame, from source: MACAddress, at now: Instant, into out: inout LANOutbox
    ) {
        if probe.kind == .loop, watch.isOwn(probe) { return loopFound(fromRelay: false, at: now, into: &out) }
        guard probe.kind == .loop, told.isNew(source, at: now) else { return }
        out.append(.emit(LANEndpointEvent.otherGateway(source)))
    }

    private mutating func loopFound(fromRelay: Bool, at now: Instant, into out: inout LANOutbox) {
        guard watch.found(at: now) else { return }
        out.append(.emit(LANEndpointEvent.loopFound(fromRelay: fromRelay)))
    }

    /// Both ways, for a second bridge may lead either way only.
    private mutating func sendProbe(at now: Instant, into out: inout LANOutbox) {
        let range = out.copy(watch.probe(&random, at: now).span.bytes)
        out.append(.deliver(.scratch(range)))
        _ = session.send(.scratch(range), into: &out)
    }

    /// Tells the LAN's switches that a client is here. The frame is for this card, so it goes no further than to them.
    private mutating func refresh(_ client: MACAddress, into out: inout LANOutbox) {
        let frame = ProbeFrame(kind: .refresh).bytes(from: client, to: session.configuration.mac)
        out.append(.deliver(.scratch(out.copy(frame.span.bytes))))
    }

    // MARK: Time

    public var nextDeadline: Instant? {
        let watching = session.current == nil ? nil : Instant.earlier(nextRefresh, watch.next)
        return Instant.earlier(session.nextDeadline, watching)
    }

    public mutating func advance(to now: Instant, into out: inout LANOutbox) {
        session.advance(to: now, into: &out)
        guard session.current != nil else { return }
        if let due = nextRefresh, due <= now {
            for client in clients.keys.sorted(by: { $0.bits < $1.bits }) { refresh(client, into: &out) }
            nextRefresh = now + Self.refreshInterval
        }
        guard let due = watch.next, due <= now else { return }
        if watch.ended(at: now) { out.append(.emit(LANEndpointEvent.loopEnded)) }
        sendProbe(at: now, into: &out)
    }

    // MARK: The user

    public mutating func leave(at now: Instant, into out: inout LANOutbox) {
        session.leave(at: now, into: &out)
    }

    public var status: TunnelStatus {
        var status = session.status
        status.isStopped = watch.isStopped
        status.lanStations = stations.count
        return status
    }
}
