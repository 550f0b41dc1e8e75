public import NIOCore
public import RelayCore
import SOE

/// Sessions of clients on one side, one connection to a backend on the other: what a client says becomes a frame, what the
/// backend's frames say becomes a message. Sans-I/O: whoever drives it has the sockets.
///
/// Neither side can make it hold more than is bounded. A backend that reads slowly makes all clients wait: their packets
/// are left unacknowledged. A client that is slow makes the backend be asked to pause for it, and is parted from when the
/// backend goes on all the same.
public struct GatewayEngine {
    /// Who guards the door, asked when sessions begin and told when they end.
    public struct Door: Sendable {
        /// Whether an address may not be here.
        public var isBanned: @Sendable (IPAddress, Instant) -> Bool
        /// Counts a session, or says why not.
        public var admit: @Sendable (IPAddress, Instant) -> Admission.Refusal?
        /// Gives back what `admit` counted.
        public var release: @Sendable (IPAddress, Instant) -> Void

        public init(
            isBanned: @escaping @Sendable (IPAddress, Instant) -> Bool,
            admit: @escaping @Sendable (IPAddress, Instant) -> Admission.Refusal?,
            release: @escaping @Sendable (IPAddress, Instant) -> Void
        ) {
            self.isBanned = isBanned
            self.admit = admit
            self.release = release
        }

        /// Lets everybody in.
        public static let open = Door(isBanned: { _, _ in false }, admit: { _, _ in nil }, release: { _, _ in })
    }

    /// How far the connection to the backend has come.
    enum Backend {
        /// There is none; the next try.
        case absent(retryAt: Instant)
        case connecting
        /// It is there and has not introduced itself.
        case greeting(until: Instant)
        case present
    }

    /// What is known of a session beside the session.
    struct Client {
        let number: SessionNumber
        let endpoint: IPAddress
        /// The backend that is there now has been told of it.
        var isAnnounced = false
        /// Some backend has been told of it.
        var wasAnnounced = false
        /// The backend was asked to send nothing.
        var isFull = false
        /// The backend has asked to be sent nothing.
        var isUnwanted = false
        /// Delivery is paused, for whatever reason.
        var isPaused = false
        /// Messages that came before there was a backend to tell of the session.
        var early: [(SOEChannel, ByteBuffer)] = []
    }

    var configuration: GatewayConfiguration
    var sessions: SOEEngine
    let door: Door
    var backend = Backend.absent(retryAt: .zero)
    var reader: BackendFrameReader
    var clients: [PeerID: Client] = [:]
    var peers: [SessionNumber: PeerID] = [:]
    var nextNumber: UInt64 = 1
    /// Sessions the backend was asked to pause.
    var full: Set<PeerID> = []
    /// What is written to the backend is taken by the network.
    var isBackendWritable = true
    /// When a backend that reads nothing is given up.
    var stalledAt = Instant.never
    /// When sessions that wait for a backend are ended.
    var graceEnds = Instant.never
    var statsAt = Instant.never
    var retryDelay = Self.shortestRetry
    var isStopping = false
    public internal(set) var counters = Counters()

    /// What a gateway has counted, beside its sessions.
    public struct Counters: Hashable, Sendable {
        public var messagesToBackend: UInt64 = 0
        public var bytesToBackend: UInt64 = 0
        public var messagesToClients: UInt64 = 0
        public var bytesToClients: UInt64 = 0
        /// Frames of the backend's for sessions that had ended.
        public var framesTooLate: UInt64 = 0
        /// Messages of clients that were dropped because there was no backend: unreliable ones.
        public var messagesDropped: UInt64 = 0
    }

    static let shortestRetry = Duration.milliseconds(100)
    static let longestRetry = Duration.seconds(5)
    static let helloTimeout = Duration.seconds(5)

    public init(configuration: GatewayConfiguration, door: Door = .open, random: RandomSource = .system) {
        self.configuration = configuration
        self.door = door
        sessions = SOEEngine(configuration: configuration.sessions, random: random)
        reader = BackendFrameReader(longestBody: configuration.maxMessage)
        setAcceptance()
    }

    // MARK: Clients

    public mutating func receive(
        _ datagram: ByteBuffer, from endpoint: Endpoint, at now: Instant, into out: inout GatewayOutbox
    ) {
        if isBanned(endpoint, at: now) {
            sessions.turnAway(datagram, from: endpoint, word: "banned", at: now, into: &out.datagrams)
            return
        }
        let first = out.datagrams.effectCount
        sessions.receive(datagram, from: endpoint, at: now, into: &out.datagrams)
        relay(from: first, at: now, into: &out)
    }

    /// Whether it is the first word of somebody who may not be here. Sessions that exist go on.
    private func isBanned(_ endpoint: Endpoint, at now: Instant) -> Bool {
        sessions.session(at: endpoint) == nil && door.isBanned(endpoint.address, now)
    }

    /// Does what is due and sends what is ready: at the end of each turn of input, and when `nextDeadline` comes.
    public mutating func advance(to now: Instant, into out: inout GatewayOutbox) {
        let first = out.datagrams.effectCount
        sessions.advance(to: now, into: &out.datagrams)
        relay(from: first, at: now, into: &out)
        resumeDrained(into: &out)
        runBackendTimers(at: now, into: &out)
    }

    /// When `advance` should be called next. It may come early, never late.
    public var nextDeadline: Instant? {
        var next = min(graceEnds, stalledAt, statsAt)
        switch backend {
        case .absent(let retryAt) where !isStopping: next = min(next, retryAt)
        case .greeting(let until): next = min(next, until)
        case .absent, .connecting, .present: break
        }
        if let own = sessions.nextDeadline { next = min(next, own) }
        return next == .never ? nil : next
    }

    /// Turns what the sessions have said since `first` into frames. Events stay, for the log.
    mutating func relay(from first: Int, at now: Instant, into out: inout GatewayOutbox) {
        guard out.datagrams.effectCount > first else { return }
        var events: [any EngineEvent] = []
        var index = first
        // Ending a session that may not be here appends to them.
        while index < out.datagrams.effectCount {
            defer { index += 1 }
            switch out.datagrams.effect(at: index) {
            case .deliver(let message, from: let peer, channel: let channel):
                deliver(message, from: peer, channel, into: &out)
            case .emit(let event):
                events.append(event)
                if let event = event as? SOEEvent { note(event, at: now, &events, into: &out) }
            }
        }
        out.datagrams.removeEffects(from: first)
        for event in events { out.datagrams.emit(event) }
    }

    private mutating func deliver(
        _ message: ByteBuffer, from peer: PeerID, _ channel: UInt8, into out: inout GatewayOutbox
    ) {
        guard let channel = SOEChannel(rawValue: channel), let client = clients[peer] else { return }
        guard client.isAnnounced else {
            // What came in one datagram with the start of the session; from then on nothing is taken.
            clients[peer]?.early.append((channel, ByteBuffer(bytes: message.readableBytesView)))
            return
        }
        BackendFrame.writeData(client.number, channel, message, into: &out.backendBytes)
        counters.messagesToBackend &+= 1
        counters.bytesToBackend &+= UInt64(message.readableBytes)
    }

    private mutating func note(
        _ event: SOEEvent, at now: Instant, _ events: inout [any EngineEvent], into out: inout GatewayOutbox
    ) {
        switch event {
        case .opened(let peer, let endpoint):
            open(peer, endpoint, at: now, &events, into: &out)
        case .closed(let peer, let reason, let byPeer, let undelivered):
            guard let client = clients.removeValue(forKey: peer) else { return }
            peers[client.number] = nil
            full.remove(peer)
            door.release(client.endpoint, now)
            guard client.isAnnounced else { return }
            let closed = ClosedSession(
                reason: reason, isByClient: byPeer, undelivered: UInt32(clamping: undelivered))
            out.send(.closed(client.number, closed))
        case .remapped(let peer, let endpoint):
            guard let client = clients[peer], client.isAnnounced else { return }
            out.send(.moved(client.number, address: "\(endpoint)"))
        case .writable:
            // `full` knows better: it is asked long before anything is refused.
            break
        }
    }

    private mutating func open(
        _ peer: PeerID, _ endpoint: Endpoint, at now: Instant, _ events: inout [any EngineEvent],
        into out: inout GatewayOutbox
    ) {
        if let refusal = door.admit(endpoint.address, now) {
            // It is nobody's: what it says is dropped, and its end is not told.
            events.append(GatewayEvent.refused(peer, refusal))
            sessions.disconnect(peer, reason: .connectionRefused, at: now, into: &out.datagrams)
            return
        }
        let number = SessionNumber(nextNumber)
        nextNumber &+= 1
        clients[peer] = Client(number: number, endpoint: endpoint.address)
        peers[number] = peer
        if case .present = backend { announce(peer, into: &out) }
        setPaused(peer)
    }

    /// Tells the backend of a session.
    mutating func announce(_ peer: PeerID, into out: inout GatewayOutbox) {
        guard let client = clients[peer], let session = sessions.session(peer) else { return }
        out.send(
            .opened(
                client.number,
                OpenedSession(
                    isResumed: client.wasAnnounced, isEncrypted: session.isEncrypted, wireID: session.wireID,
                    protocolName: session.parameters.protocolName, address: "\(session.remote)")))
        clients[peer]?.isAnnounced = true
        clients[peer]?.wasAnnounced = true
        clients[peer]?.early = []
        for (channel, message) in client.early {
            BackendFrame.writeData(client.number, channel, message, into: &out.backendBytes)
            counters.messagesToBackend &+= 1
            counters.bytesToBackend &+= UInt64(message.readableBytes)
        }
    }

    /// Takes messages of a client, or leaves them in the network.
    mutating func setPaused(_ peer: PeerID) {
        guard let client = clients[peer] else { return }
        let isPaused = !client.isAnnounced || client.isUnwanted || !isBackendWritable
        guard client.isPaused != isPaused else { return }
        clients[peer]?.isPaused = isPaused
        sessions.pauseDelivery(from: peer, isPaused)
    }

    /// Does something to the sessions, and relays what they say of it.
    mutating func withSessions(
        at now: Instant, into out: inout GatewayOutbox, _ change: (inout SOEEngine, inout DatagramOutbox) -> Void
    ) {
        let first = out.datagrams.effectCount
        change(&sessions, &out.datagrams)
        relay(from: first, at: now, into: &out)
    }
}
