public import NIOCore
public import RelayCore
public import RelayNIO
public import SOE

/// The system refused to open a UDP socket.
public typealias SocketFailure = RelayNIO.SocketFailure

/// A UDP port with SOE sessions for a loop of one's own, a game's for instance: nothing happens but in its calls, on the
/// thread that calls them.
///
/// ```swift
/// while isRunning {
///     for event in socket.step() { ... }      // what has come since the last frame
///     ...                                     // the frame: socket.send(...)
///     socket.flush()                          // what the frame said leaves now, not with the next one
/// }
/// ```
///
/// It needs no event loop. A server without frames of its own gives `step` some time to wait: it returns as soon as
/// something has happened.
public final class SOESteppingSocket {
    /// Where the socket is bound.
    public let localEndpoint: Endpoint
    public private(set) var engine: SOEEngine

    private let socket: DatagramSocket
    private let slot: Int
    private var received = ByteBuffer()
    private var outbox = DatagramOutbox()
    private var events: [SOESocketEvent] = []

    /// So many times 64 datagrams are read in a step before it goes on to something else.
    private static let readsAtOnce = 32

    /// Opens a socket; port 0 takes any free one.
    public init(
        binding endpoint: Endpoint, configuration: SOEConfiguration = SOEConfiguration()
    ) throws(SocketFailure) {
        socket = DatagramSocket(owning: try DatagramSocket.bind(endpoint, sharesPort: false))
        localEndpoint = socket.endpoint
        engine = SOEEngine(configuration: configuration)
        // Peers may send longer datagrams than they were told to.
        slot = (configuration.parameters.udpLength ?? 0) > 2048 ? 16_384 : 2048
    }

    /// Does everything that is to be done now and returns what has happened: of each session `opened`, then its messages,
    /// then `closed`.
    ///
    /// - Parameter patience: how long it may wait if nothing has happened.
    public func step(waitingUpTo patience: Duration = .zero) -> [SOESocketEvent] {
        let end = Instant.now + patience
        turn()
        while events.isEmpty, Instant.now < end {
            socket.wait(until: min(end, engine.nextDeadline ?? end))
            turn()
        }
        defer { events = [] }
        return events
    }

    /// Sends what was said since the last step, without looking at what has come.
    public func flush() {
        advance(at: .now)
    }

    /// Asks a server for a session. `SOEEvent.opened` or `.closed` follows; messages are taken at once.
    public func connect(
        to endpoint: Endpoint, parameters: SOEParameters? = nil
    ) throws(SOEEngine.ConnectFailure) -> PeerID {
        try engine.connect(to: endpoint, parameters: parameters, at: .now, into: &outbox)
    }

    /// Takes a message for a peer. It leaves with the next `flush` or `step`.
    @discardableResult
    public func send(_ message: ByteBuffer, on channel: SOEChannel = .reliable0, to peer: PeerID) -> EnqueueResult {
        engine.enqueue(message, on: channel, to: peer, at: .now)
    }

    /// Ends a session when what was taken for it has arrived, or after its `flushTimeout`.
    public func disconnect(_ peer: PeerID, reason: DisconnectReason = .application) {
        engine.disconnect(peer, reason: reason, at: .now, into: &outbox)
    }

    /// Begins to encrypt a session's messages, or stops: see `SOESession.encrypt`.
    public func encrypt(_ peer: PeerID, with key: RC4Key?, sending: Bool = true, receiving: Bool = true) {
        engine.encrypt(peer, with: key, sending: sending, receiving: receiving)
    }

    /// Changes the engine: settings, who is accepted, whether any more are.
    public func update<Result>(_ change: (inout SOEEngine) throws -> Result) rethrows -> Result {
        try change(&engine)
    }

    private func turn() {
        let now = Instant.now
        for _ in 0..<Self.readsAtOnce {
            let count = socket.receive(slot: slot, into: &received) { datagram, endpoint in
                engine.receive(datagram, from: endpoint, at: now, into: &outbox)
            }
            guard count == 64 else { break }
        }
        advance(at: now)
    }

    private func advance(at now: Instant) {
        repeat {
            engine.advance(to: now, into: &outbox)
            socket.send(outbox)
            for index in 0..<outbox.effectCount {
                switch outbox.effect(at: index) {
                case .deliver(let message, let peer, let channel):
                    events.append(.message(message, from: peer, on: SOEChannel(rawValue: channel) ?? .unreliable))
                case .emit(let event):
                    if let event = event as? SOEEvent { events.append(.session(event)) }
                }
            }
            outbox.removeAll()
        } while engine.nextDeadline.map { $0 <= now } ?? false
    }
}
