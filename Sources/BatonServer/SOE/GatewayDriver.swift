import NIOCore
import RelayCore
import RelayNIO
import SOE
import SOEGateway

/// Runs a gateway's engine on one event loop: its UDP sockets, its connection to the backend, and one timer.
///
/// Confined to its event loop; everything in it is called there.
final class GatewayDriver {
    let eventLoop: any EventLoop
    private var ports: [DatagramPort] = []
    /// Which socket has heard of somebody, where that is not the first of its family.
    private var routes: [Endpoint: DatagramPort] = [:]
    private var maxRoutes = GatewayDriver.fewestRoutes
    private(set) var engine: GatewayEngine
    private let backendAddress: ServerAddress
    private let log: ListenerLog
    private var outbox = GatewayOutbox()
    private var isDraining = false
    private var backend: (any Channel)?
    private var isStopped = false
    /// When the first message of this turn came.
    private var turnAt: Instant?
    private var turnMessages: UInt64 = 0
    private var forwardLatency = LatencyHistogram()
    private var refusedByDoor = Tally()
    private var events = Tally()
    /// Of open sessions, for the log.
    private var endpoints: [PeerID: Endpoint] = [:]
    private static let fewestRoutes = 65_536
    private lazy var timer = LoopTimer(eventLoop: eventLoop) { [unowned self] in endTurn() }

    init(engine: GatewayEngine, backend: ServerAddress, log: ListenerLog, eventLoop: any EventLoop) {
        self.engine = engine
        self.log = log
        self.eventLoop = eventLoop
        backendAddress = backend
    }

    /// Begins: the first turn asks for the backend.
    func start() {
        endTurn()
    }

    /// All that came together has been handed in: what is ready is sent.
    func endTurn() {
        guard !isStopped else { return }
        engine.advance(to: .now, into: &outbox)
        drainOutbox()
        noteLatency()
    }

    private func noteLatency() {
        let messages = engine.counters.messagesToBackend &+ engine.counters.messagesToClients
        if let turnAt, messages > turnMessages {
            forwardLatency.record(Instant.now.since(turnAt), times: messages - turnMessages)
        }
        turnMessages = messages
        turnAt = nil
    }

    // MARK: The backend

    func receiveFromBackend(_ bytes: ByteBuffer, on channel: any Channel) {
        guard backend === channel else { return }
        let now = Instant.now
        if turnAt == nil { turnAt = now }
        engine.receiveFromBackend(bytes, at: now, into: &outbox)
        drainOutbox()
    }

    func backendWritability(is writable: Bool, on channel: any Channel) {
        guard backend === channel else { return }
        engine.backendWritability(is: writable, at: .now, into: &outbox)
        drainOutbox()
    }

    func backendDisconnected(_ words: String, from channel: any Channel) {
        guard backend === channel else { return }
        backend = nil
        engine.backendDisconnected(words, at: .now, into: &outbox)
        drainOutbox()
    }

    private func connect() {
        let driver = NIOLoopBound(self, eventLoop: eventLoop)
        BackendLink.connect(to: backendAddress, driver: driver, eventLoop: eventLoop).whenComplete { result in
            driver.value.connected(result)
        }
    }

    private func connected(_ result: Result<any Channel, any Error>) {
        switch result {
        case .success(let channel):
            guard !isStopped else {
                channel.close(promise: nil)
                return
            }
            // It can have ended already; then nothing tells of it any more.
            guard channel.isActive else {
                engine.backendDisconnected("the backend closed the connection", at: .now, into: &outbox)
                break
            }
            backend = channel
            engine.backendConnected(at: .now, into: &outbox)
        case .failure(let error):
            engine.backendDisconnected("\(error)", at: .now, into: &outbox)
        }
        drainOutbox()
    }

    // MARK: What an operator wants

    func beginDrain() {
        engine.drain()
    }

    func endDrain() {
        engine.endDrain()
    }

    func kick(_ peer: PeerID) -> Bool {
        let isThere = engine.kick(peer, at: .now, into: &outbox)
        endTurn()
        return isThere
    }

    func reconfigure(_ configuration: GatewayConfiguration) {
        engine.reconfigure(configuration)
        endTurn()
    }

    /// Begins to end all sessions.
    func beginStop() {
        engine.stop(at: .now, into: &outbox)
        endTurn()
    }

    /// Nothing happens any more. What the network has not taken for the backend yet is lost: it reads nothing, or too slowly.
    func stop() {
        isStopped = true
        timer.cancel()
        let channel = backend
        backend = nil
        channel?.close(promise: nil)
    }

    var counters: StreamCounters {
        var counters = StreamCounters()
        let (totals, statistics) = (engine.totals, engine.statistics)
        counters.connectionsOpened = statistics.opened
        counters.bytesReceived = totals.bytesReceived
        counters.bytesRelayed = engine.counters.bytesToBackend &+ engine.counters.bytesToClients
        counters.messagesRelayed = engine.counters.messagesToBackend &+ engine.counters.messagesToClients
        counters.closed = statistics.closed
        counters.refused = statistics.refused
        counters.refused.add(refusedByDoor)
        counters.events = events
        counters.forwardLatency = forwardLatency
        return counters
    }

    // MARK: What the engine wants

    private func drainOutbox() {
        // Writing can change writability, which is another input: it joins what is being drained.
        guard !isDraining else { return }
        isDraining = true
        repeat { drainOnce() } while !outbox.isEmpty
        isDraining = false
        timer.arm(engine.nextDeadline)
    }

    private func drainOnce() {
        var taken = GatewayOutbox()
        swap(&taken, &outbox)
        send(taken.datagrams)
        for index in 0..<taken.datagrams.effectCount {
            if case .emit(let event) = taken.datagrams.effect(at: index) { note(event) }
        }
        if taken.backendBytes.readableBytes > 0 { backend?.writeAndFlush(taken.backendBytes, promise: nil) }
        switch taken.command {
        case .connect: connect()
        case .close:
            let channel = backend
            backend = nil
            channel?.close(promise: nil)
        case nil: break
        }
        // Its storage serves again.
        taken.removeAll()
        if outbox.isEmpty { outbox = taken }
    }

    private func send(_ datagrams: DatagramOutbox) {
        guard ports.count != 1 else { return ports[0].send(datagrams) }
        for port in ports { port.send(datagrams) { self.port(to: $0) === port } }
    }

    private func note(_ event: any EngineEvent) {
        events.count(event.name)
        if let event = event as? GatewayEvent, case .refused(_, let refusal) = event {
            refusedByDoor.count(refusal.rawValue)
        }
        switch event as? SOEEvent {
        case .opened(let peer, let endpoint), .remapped(let peer, let endpoint):
            endpoints[peer] = endpoint
        case .closed(let peer, let reason, byPeer: _, undelivered: _):
            let endpoint = endpoints.removeValue(forKey: peer)
            log.closed(peer, endpoint, word: reason.word, sentence: event.message)
            return
        case .writable:
            return
        case nil:
            break
        }
        log.event(event, event.peer.flatMap { endpoints[$0] })
    }
}

// MARK: The sockets

extension GatewayDriver: DatagramReceiver {
    /// Opens one more socket.
    static func listen(
        on address: SocketAddress, for driver: NIOLoopBound<GatewayDriver>, eventLoop: any EventLoop
    ) async throws -> any Channel {
        let port = try await DatagramPort.open(address, on: eventLoop) { port in
            driver.value.ports.append(port)
            return driver.value
        }
        return try await eventLoop.submit { port.value.channel }.get()
    }

    /// Datagrams the system did not take.
    var datagramsNotSent: UInt64 { ports.reduce(0) { $0 &+ $1.dropped } }

    func receive(_ datagram: ByteBuffer, from endpoint: Endpoint, on port: DatagramPort) {
        guard !isStopped else { return }
        if ports.count > 1, self.port(to: endpoint) !== port { route(endpoint, to: port) }
        let now = Instant.now
        if turnAt == nil { turnAt = now }
        engine.receive(datagram, from: endpoint, at: now, into: &outbox)
    }

    func endTurn(of port: DatagramPort) {
        endTurn()
    }

    func closed(_ port: DatagramPort, error: (any Error)?) {
        ports.removeAll { $0 === port }
        routes = routes.filter { $0.value !== port }
    }

    /// The socket that reaches somebody.
    private func port(to endpoint: Endpoint) -> DatagramPort? {
        if !routes.isEmpty, let port = routes[endpoint] { return port }
        return firstPort(to: endpoint)
    }

    private func firstPort(to endpoint: Endpoint) -> DatagramPort? {
        ports.first { ($0.endpoint.address.ipv4 == nil) == (endpoint.address.ipv4 == nil) }
    }

    private func route(_ endpoint: Endpoint, to port: DatagramPort) {
        if firstPort(to: endpoint) === port {
            routes[endpoint] = nil
            return
        }
        if routes.count >= maxRoutes {
            // Those without a session are forgotten: they may be anybody's.
            let known = Set(endpoints.values)
            routes = routes.filter { known.contains($0.key) }
            maxRoutes = max(Self.fewestRoutes, routes.count * 2)
        }
        routes[endpoint] = port
    }
}
