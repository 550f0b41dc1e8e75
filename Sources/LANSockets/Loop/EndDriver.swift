import CLinuxNet
package import LANBridge
import NIOCore
package import QUICTransport
package import RelayCore

/// Runs one end of the tunnel: its engine, its card, and one QUIC endpoint, on one thread and one epoll loop.
///
/// `run` blocks until it is over. Confined to the thread that calls it.
package final class EndDriver: QUICDelegate {
    /// What faces the people: a virtual card of this machine, or the card of a LAN.
    package enum Card {
        case tap(TAP)
        case lan(LANCard)
        case trial(TrialRun)
    }

    /// Who watches. Called on the thread that runs it.
    package struct Observer {
        package var note: (any EngineEvent) -> Void = { _ in }
        /// The relay has let it in: the card may go up.
        package var joined: (ControlMessage.Welcome) throws(NetworkFailure) -> Void = { _ in }
        /// Called about every second.
        package var tick: (EndDriver) -> Void = { _ in }

        package init() {}
    }

    private let endpoint: QUICEndpoint
    private let sockets: QUICSockets
    private var relay: RelayTarget
    private let lookup: RelayLookup?
    private var engine: TunnelEnd
    private let tap: TAP?
    private let lan: LANCard?
    private let trial: TrialRun?
    private let observer: Observer
    private let routes: RouteKeeper?
    private let watch: NetworkWatch
    private var out = LANOutbox()
    private var now: Instant
    /// The control streams of connections.
    private var controls: [PeerID: Int64] = [:]
    private var attempts = 0
    /// Of these, how many since a connection stood.
    private var unanswered = 0
    /// When connections that were parted from are closed.
    private var partings: [PeerID: Instant] = [:]
    private var nextTick: Instant
    private var networkSettles: Instant?
    private var ending: CloseReason?
    private var isLeaving = false
    private var failure: NetworkFailure?

    private static let framesPerTurn = 64
    private static let farewell = Duration.milliseconds(300)
    /// Changes of the network come in bursts.
    private static let settling = Duration.milliseconds(20)

    private enum Number {
        static let stop: UInt32 = 0
        static let card: UInt32 = 1
        static let network: UInt32 = 2
        static let firstSocket: UInt32 = 3
    }

    /// `routes` keeps the way to the relay; a gateway needs none.
    package init(
        _ configuration: LANEndpointConfiguration, card: Card, relay: RelayTarget, routes: RouteKeeper?,
        random: RandomSource, observer: Observer
    ) throws {
        now = .now
        self.relay = relay
        lookup = relay.lookUp.map { RelayLookup($0) }
        self.observer = observer
        self.routes = routes
        switch card {
        case .tap(let tap):
            (self.tap, lan, trial) = (tap, nil, nil)
            engine = TunnelEnd(client: LANClientEngine(configuration: configuration, random: random, at: now))
        case .lan(let card):
            (tap, lan, trial) = (nil, card, nil)
            engine = TunnelEnd(gateway: LANGatewayEngine(configuration: configuration, random: random, at: now))
        case .trial(let run):
            (tap, lan, trial) = (nil, nil, run)
            engine = TunnelEnd(client: LANClientEngine(configuration: configuration, random: random, at: now))
        }
        nextTick = now + .seconds(1)
        watch = try NetworkWatch()
        let families = Set(relay.addresses.map { $0.address.ipv4 != nil }).sorted { $0 && !$1 }
        let bound = try families.map { isIPv4 throws(NetworkFailure) in
            try BoundSocket(Endpoint(address: isIPv4 ? IPAddress(ipv4: 0) : .anyIPv6, port: 0))
        }
        sockets = QUICSockets(bound)
        endpoint = try QUICEndpoint(
            .lanEnd, local: bound.first?.local ?? Endpoint(address: .anyIPv6, port: 0), at: now)
        endpoint.delegate = self
    }

    package var status: TunnelStatus? { engine.status }
    /// What the card lost or could not pass on, by reason.
    package var cardDrops: [String: UInt64] {
        if let tap { return ["card-refused": tap.dropped] }
        guard let lan else { return [:] }
        let statistics = lan.statistics
        return [
            "card-refused": statistics.unsent, "card-overflow": statistics.overflowed,
            "card-overlong": statistics.overlong, DropReason.vlanTag.word: statistics.tagged,
        ]
    }
    package var relayAddresses: [IPAddress] { relay.addresses.map(\.address) }
    package var path: QUICPathStatistics? { status?.connection.flatMap { endpoint.path(of: $0) } }
    package var transport: QUICConnectionCounters? { status?.connection.flatMap { endpoint.counters(of: $0) } }
    package var remote: Endpoint? { status?.connection.flatMap { endpoint.remote(of: $0) } }

    /// Runs until a signal ends it or the relay does for good; gives the reason. `stop` is a descriptor that becomes
    /// readable when it is to end.
    package func run(stop: CInt) throws(NetworkFailure) -> CloseReason {
        let poll = try Poll()
        try poll.add(stop, as: Number.stop)
        if let descriptor = tap?.descriptor ?? lan?.descriptor { try poll.add(descriptor, as: Number.card) }
        try poll.add(watch.descriptor, as: Number.network)
        try sockets.watch(by: poll, from: Number.firstSocket)
        now = .now
        engine.start(at: now, into: &out)
        endTurn()
        while !isOver {
            let ready = poll.wait(until: nextDeadline, now: .now)
            now = .now
            for number in ready {
                switch number {
                case Number.stop:
                    clinuxnet_wake_clear(stop)
                    leave()
                case Number.card: readCard()
                case Number.network: readChanges()
                default: receive(from: Int(number - Number.firstSocket))
                }
            }
            endTurn()
            if let failure { throw failure }
        }
        return ending ?? .left
    }

    // MARK: A turn of the loop

    private var isOver: Bool { ending != nil && partings.isEmpty }

    private var nextDeadline: Instant? {
        let network = Instant.earlier(endpoint.nextDeadline, networkSettles)
        let own = Instant.earlier(engine.nextDeadline, partings.isEmpty ? nil : partings.values.min())
        return Instant.earlier(Instant.earlier(network, own), Instant.earlier(trial?.nextDeadline, nextTick))
    }

    private func endTurn() {
        endpoint.advance(to: now)
        engine.advance(to: now, into: &out)
        drain()
        for frame in trial?.due(at: now) ?? [] { frame.withUnsafeBytes { receive(frame: $0) } }
        if let settles = networkSettles, settles <= now {
            networkSettles = nil
            networkChanged()
        }
        for (peer, due) in partings where due <= now {
            partings[peer] = nil
            endpoint.close(peer, code: 0, reason: ending?.sentence ?? "")
        }
        // Frames before acknowledgements.
        lan?.flush()
        endpoint.flush(at: now)
        if nextTick <= now {
            nextTick = now + .seconds(1)
            if ending == nil { engine.askForStats(into: &out) }
            drain()
            endpoint.flush(at: now)
            lan?.countOverflows()
            routes?.check()
            observer.tick(self)
        }
    }

    /// Says goodbye; a second time it is just over.
    private func leave() {
        if isLeaving { partings.removeAll() }
        isLeaving = true
        engine.leave(at: now, into: &out)
        drain()
    }

    private func readCard() {
        let isThere: Bool
        if let tap {
            isThere = tap.read(atMost: Self.framesPerTurn) { receive(frame: $0) }
        } else if let lan {
            isThere = lan.read(atMost: Self.framesPerTurn) { receive(frame: $0) }
        } else {
            isThere = true
        }
        guard !isThere else { return }
        failure = NetworkFailure(19, "go on: the interface \(tap?.link.name ?? lan?.link.name ?? "") is gone")
    }

    private func receive(frame: UnsafeRawBufferPointer) {
        engine.receiveFrame(frame.bytes, at: now, into: &out)
        drain(input: frame)
    }

    private func receive(from socket: Int) {
        sockets.receive(socket) { packet, remote in endpoint.receive(packet, from: remote, at: now) }
    }

    // MARK: The network of this machine

    private func readChanges() {
        let card = (tap?.link ?? lan?.link)?.index
        var matters = false
        watch.read { change in
            switch change {
            case .routeAdded(let route):
                if route.interface == card { routes?.appeared(route) } else if !isOwn(route) { matters = true }
            case .routeRemoved(let route):
                if routes?.wasTaken(route) ?? false || (route.interface != card && !isOwn(route)) { matters = true }
            case .link(let index), .address(let index):
                if index == card { routes?.leadBroadcasts() } else { matters = true }
            case .lost: matters = true
            }
        }
        if matters, networkSettles == nil { networkSettles = now + Self.settling }
    }

    /// What this program changes itself is told of like everything else.
    private func isOwn(_ route: Route) -> Bool { routes?.isOwn(route) ?? false }

    private func networkChanged() {
        guard ending == nil else { return }
        routes?.renew()
        engine.networkChanged(at: now, into: &out)
        drain()
    }

    // MARK: What the transport tells

    package func transmit(_ packets: borrowing PacketBatch) { sockets.send(packets) }

    package func admits(_ remote: Endpoint) -> Bool { false }

    package func connected(_ connection: PeerID, remote: Endpoint) {
        guard let stream = endpoint.openStream(bidirectional: true, on: connection) else {
            engine.disconnect(connection, .unreachable("it takes no stream"), at: now, into: &out)
            return endpoint.close(connection, code: 0, reason: "no stream")
        }
        controls[connection] = stream
        unanswered = 0
        engine.connect(connection, datagram: endpoint.maxDatagram(of: connection), at: now, into: &out)
        drain()
    }

    package func received(_ bytes: UnsafeRawBufferPointer, stream: Int64, ended: Bool, from connection: PeerID) {
        guard controls[connection] == stream else { return endpoint.reset(stream: stream, code: 1, on: connection) }
        if !bytes.isEmpty {
            engine.receiveControl(ByteBuffer(bytes: bytes), from: connection, at: now, into: &out)
            drain()
        }
        if ended { lose(connection, .unreachable("it ended the conversation")) }
    }

    package func reset(stream: Int64, code: UInt64, from connection: PeerID) {
        if controls[connection] == stream { lose(connection, .unreachable("it ended the conversation")) }
    }

    package func received(datagram: UnsafeRawBufferPointer, from connection: PeerID) {
        engine.receiveDatagram(datagram.bytes, from: connection, at: now, into: &out)
        drain(input: datagram)
    }

    package func pathChanged(_ connection: PeerID, maxDatagram: Int, remote: Endpoint) {
        engine.setDatagram(maxDatagram, of: connection)
    }

    package func closed(_ connection: PeerID, remote: Endpoint, reason: QUICCloseReason) {
        partings[connection] = nil
        let wasConnected = controls.removeValue(forKey: connection) != nil
        engine.disconnect(wasConnected ? connection : nil, RelayLoss(reason), at: now, into: &out)
        drain()
    }

    private func lose(_ connection: PeerID, _ loss: RelayLoss) {
        guard partings[connection] == nil else { return }
        engine.disconnect(connection, loss, at: now, into: &out)
        endpoint.close(connection, code: 0, reason: "")
        drain()
    }

    // MARK: What the engine wants

    private func drain(input: UnsafeRawBufferPointer = .init(start: nil, count: 0)) {
        guard !out.effects.isEmpty else { return }
        var opens = 0
        var welcome: ControlMessage.Welcome?
        out.scratch.withUnsafeBytes { scratch in
            for index in out.effects.indices {
                switch out.effects[index] {
                case .datagram(let header, let bytes, let peer, let isUrgent):
                    endpoint.send(
                        header, bytes, isUrgent: isUrgent, to: peer, input: input, scratch: scratch, at: now)
                case .deliver(let bytes):
                    let frame = bytes.locate(input, scratch)
                    if let tap { tap.write(frame) } else if let lan { lan.write(frame) } else { trial?.receive(frame) }
                case .control(let message, let peer):
                    guard let stream = controls[peer] else { break }
                    message.withUnsafeReadableBytes { _ = endpoint.send($0, stream: stream, to: peer) }
                case .close(let peer, _): part(from: peer)
                case .open: opens += 1
                case .join(let news): welcome = news
                case .finish(let reason): ending = ending ?? reason
                case .emit(let event): observer.note(event)
                }
            }
        }
        out.removeAll()
        if let welcome {
            do throws(NetworkFailure) { try observer.joined(welcome) } catch { failure = failure ?? error }
            // Starting is over.
            clinuxnet_forget_program()
        }
        for _ in 0..<opens { open() }
    }

    private func part(from peer: PeerID) {
        guard let stream = controls[peer], partings[peer] == nil else { return }
        endpoint.send(.init(start: nil, count: 0), stream: stream, end: true, to: peer)
        partings[peer] = now + Self.farewell
    }

    private func open() {
        guard !relay.addresses.isEmpty else { return }
        seekRelay()
        let address = relay.addresses[attempts % relay.addresses.count]
        attempts &+= 1
        unanswered &+= 1
        do {
            _ = try endpoint.connect(to: address, name: relay.name, trust: relay.trust, at: now)
        } catch {
            engine.disconnect(nil, .untrusted("\(error)"), at: now, into: &out)
            drain()
        }
    }
}

extension EndDriver {
    /// Every address had its turn and nothing has answered: perhaps the relay's name leads elsewhere now. There are
    /// sockets for the kinds of addresses it had at first.
    private func seekRelay() {
        guard let lookup else { return }
        let found = lookup.take().filter { place in
            relay.addresses.contains { ($0.address.ipv4 == nil) == (place.address.ipv4 == nil) }
        }
        if !found.isEmpty, found != relay.addresses {
            relay.addresses = found
            routes?.follow(found.map(\.address))
        }
        if unanswered >= relay.addresses.count { lookup.begin(at: now) }
    }
}

extension CloseReason {
    static let left = CloseReason("left", "the user ended it")
}

extension RelayLoss {
    init(_ reason: QUICCloseReason) {
        switch reason {
        case .reset: self = .forgotten
        case .certificate(let words): self = .untrusted(words)
        case .local, .application, .transport, .idle, .handshakeTimeout, .version, .failed:
            self = .unreachable("\(reason)")
        }
    }
}
