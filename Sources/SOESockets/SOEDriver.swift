public import NIOCore
public import RelayCore
package import RelayNIO
public import SOE

/// What somebody hears whose sessions a driver runs, on the driver's event loop. He may call the driver back.
public protocol SOEApplication: AnyObject {
    /// The socket is open. Who keeps the driver lets go of it in `end`.
    func begin(with driver: SOEDriver)
    /// A message has come. It is a slice of what was read: who keeps it for long should copy it.
    func receive(_ message: ByteBuffer, on channel: SOEChannel, from peer: PeerID, by driver: SOEDriver)
    /// Something has become of a session.
    func handle(_ event: SOEEvent, by driver: SOEDriver)
    /// Everything that had come is handled: a good time to pass on in one piece what `receive` gathered.
    func endTurn(of driver: SOEDriver)
    /// The socket is closed, and nothing more will come: by the driver's own `close`, or with an error by the system.
    func end(of driver: SOEDriver, error: (any Error)?)
}

extension SOEApplication {
    public func begin(with driver: SOEDriver) {}
    public func endTurn(of driver: SOEDriver) {}
    public func end(of driver: SOEDriver, error: (any Error)?) {}
}

/// Runs an engine on a UDP socket and an event loop: reads, calls the engine, sends what it wants sent, keeps one timer.
///
/// Everything here belongs to the event loop and is called there. What is sent in one turn of the loop travels together
/// when the turn ends, acknowledgements with it: nothing waits for a tick.
public final class SOEDriver {
    public let eventLoop: any EventLoop
    public private(set) var engine: SOEEngine

    private let port: DatagramPort
    let application: any SOEApplication
    /// What is to be done, and what is being done: inputs that come from the application meanwhile go into the first.
    private var outbox = DatagramOutbox()
    private var drained = DatagramOutbox()
    private var now = Instant.zero
    private var phase = Phase.resting
    private lazy var timer = LoopTimer(eventLoop: eventLoop) { [unowned self] in
        if phase == .resting { turn() }
    }
    /// How many full packets for a peer do not wait for the end of the turn.
    private var fullAtOnce = 1
    /// Made once, so that handing it to the event loop allocates nothing.
    private lazy var turnTask: @Sendable () -> Void = { [driver = NIOLoopBound(self, eventLoop: eventLoop)] in
        driver.value.turn()
    }

    private enum Phase {
        case resting
        /// Datagrams are coming; a turn follows.
        case reading
        /// A turn is asked for.
        case waiting
        case turning
        case closed
    }

    /// What the driver's own part of the work counts.
    public struct Counters: Hashable, Sendable {
        /// Datagrams the system did not take, for want of room or of a way.
        public var datagramsNotSent: UInt64 = 0
    }

    public var counters: Counters { Counters(datagramsNotSent: port.dropped) }

    /// Where the socket is bound.
    public var localEndpoint: Endpoint { port.endpoint }

    /// How many rounds of input and answer a turn has at most, before other sockets of the loop get theirs.
    private static let roundsAtOnce = 8
    private static let mostFullAtOnce = 32

    private init(engine: SOEEngine, port: DatagramPort, application: any SOEApplication) {
        self.engine = engine
        self.port = port
        self.application = application
        eventLoop = port.eventLoop
    }

    // MARK: What an application wants

    /// Asks a server for a session. `SOEEvent.opened` or `.closed` follows.
    public func connect(
        to endpoint: Endpoint, parameters: SOEParameters? = nil
    ) throws(SOEEngine.ConnectFailure) -> PeerID {
        let peer = try engine.connect(to: endpoint, parameters: parameters, at: .now, into: &outbox)
        needTurn()
        return peer
    }

    /// Takes a message for a peer. It leaves when this turn of the event loop ends.
    @discardableResult
    public func send(_ message: ByteBuffer, on channel: SOEChannel = .reliable0, to peer: PeerID) -> EnqueueResult {
        guard phase == .turning else {
            defer { needTurn() }
            return engine.enqueue(message, on: channel, to: peer, at: .now)
        }
        let result = engine.enqueue(message, on: channel, to: peer, at: now)
        sendFull(to: peer)
        return result
    }

    /// Peers that are answered while the rest of what they said is being handled work at the same time, not in turns. As a
    /// turn gets longer, more goes at once: then it is the number of system calls that counts.
    private func sendFull(to peer: PeerID) {
        guard engine.sendFull(to: peer, fewest: fullAtOnce, at: now, into: &outbox) else { return }
        fullAtOnce = min(fullAtOnce * 2, Self.mostFullAtOnce)
        guard outbox.datagramCount > 0 else { return }
        port.send(outbox)
        outbox.removeDatagrams()
    }

    /// Ends a session when what was taken for it has arrived, or after its `flushTimeout`.
    public func disconnect(_ peer: PeerID, reason: DisconnectReason = .application) {
        engine.disconnect(peer, reason: reason, at: .now, into: &outbox)
        needTurn()
    }

    /// Ends a session at once.
    public func abort(_ peer: PeerID, reason: DisconnectReason = .application) {
        engine.abort(peer, reason: reason, at: .now, into: &outbox)
        needTurn()
    }

    /// Begins to encrypt a session's messages, or stops: see `SOESession.encrypt`.
    public func encrypt(_ peer: PeerID, with key: RC4Key?, sending: Bool = true, receiving: Bool = true) {
        engine.encrypt(peer, with: key, sending: sending, receiving: receiving)
    }

    /// While true, messages stay with their senders: see `SOEEngine.holdsMessages`.
    public var holdsMessages: Bool {
        get { engine.holdsMessages }
        set { engine.holdsMessages = newValue }
    }

    /// Begins to end all sessions and accepts no more: see `SOEEngine.stop`. `engine.sessionCount` says when that is done.
    public func stop(reason: DisconnectReason = .application) {
        engine.stop(reason: reason, at: .now, into: &outbox)
        needTurn()
    }

    /// Changes the engine: settings, who is accepted, whether any more are.
    public func update<Result>(_ change: (inout SOEEngine) throws -> Result) rethrows -> Result {
        defer { needTurn() }
        return try change(&engine)
    }

    /// Divides peers among sockets that share this one's port: see `SOESocket.bind`. `false` if the kernel cannot.
    func sharePort(among sockets: Int) -> Bool { port.sharePort(among: sockets) }

    /// Closes the socket. Sessions that have not ended are not told: see `stop`.
    public func close() {
        port.close()
    }

    // MARK: Turns

    /// Sees to it that a turn follows what was just done.
    private func needTurn() {
        guard phase == .resting else { return }
        phase = .waiting
        eventLoop.execute(turnTask)
    }

    /// Hands out what has come, and sends what there is to send.
    private func turn() {
        guard phase != .closed else { return }
        phase = .turning
        now = .now
        fullAtOnce = 1
        var rounds = 0
        repeat {
            drain()
            engine.advance(to: now, into: &outbox)
            drain()
            application.endTurn(of: self)
            rounds += 1
        } while hasWork && rounds < Self.roundsAtOnce
        guard phase == .turning else { return }
        phase = .resting
        if hasWork { needTurn() } else { timer.arm(engine.nextDeadline) }
    }

    private var hasWork: Bool {
        !outbox.isEmpty || engine.nextDeadline.map { $0 <= now } ?? false
    }

    private func drain() {
        guard !outbox.isEmpty else { return }
        swap(&outbox, &drained)
        if drained.datagramCount > 0, phase != .closed { port.send(drained) }
        for index in 0..<drained.effectCount {
            switch drained.effect(at: index) {
            case .deliver(let message, let peer, let channel):
                application.receive(message, on: SOEChannel(rawValue: channel) ?? .unreliable, from: peer, by: self)
            case .emit(let event):
                if let event = event as? SOEEvent { application.handle(event, by: self) }
            }
        }
        drained.removeAll()
    }
}

// MARK: The socket

extension SOEDriver: DatagramReceiver {
    package func receive(_ datagram: ByteBuffer, from endpoint: Endpoint, on port: DatagramPort) {
        if phase != .reading {
            guard phase != .closed else { return }
            phase = .reading
            now = .now
        }
        engine.receive(datagram, from: endpoint, at: now, into: &outbox)
    }

    package func endTurn(of port: DatagramPort) {
        turn()
    }

    package func closed(_ port: DatagramPort, error: (any Error)?) {
        guard phase != .closed else { return }
        phase = .closed
        timer.cancel()
        // It holds the driver.
        turnTask = {}
        application.end(of: self, error: error)
    }
}

// MARK: Opening

extension SOEDriver {
    /// Opens a socket on an event loop, and makes there the application that hears of it.
    ///
    /// - Parameters:
    ///   - endpoint: port 0 takes any free one.
    ///   - sharesPort: whether other sockets, opened likewise, may have the same port.
    ///   - setUp: changes the engine before anything comes in: who is accepted, for instance.
    /// - Returns: the driver, which only the event loop may use.
    /// - Throws: `SocketFailure`.
    public static func open(
        _ endpoint: Endpoint, configuration: SOEConfiguration, on eventLoop: any EventLoop, sharesPort: Bool = false,
        setUp: @escaping @Sendable (inout SOEEngine) -> Void = { _ in },
        application: @escaping @Sendable () -> any SOEApplication
    ) async throws -> NIOLoopBound<SOEDriver> {
        let port = try await DatagramPort.open(endpoint, sharesPort: sharesPort, on: eventLoop) { port in
            var engine = SOEEngine(configuration: configuration)
            setUp(&engine)
            let driver = SOEDriver(engine: engine, port: port, application: application())
            driver.application.begin(with: driver)
            return driver
        }
        return try await eventLoop.submit {
            guard let driver = port.value.receiver as? SOEDriver else { throw ChannelError.ioOnClosedChannel }
            return NIOLoopBound(driver, eventLoop: eventLoop)
        }.get()
    }
}
