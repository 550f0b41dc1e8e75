import NIOCore
import RelayCore
import RelayNIO

/// Runs one engine on one event loop: hands it what happens on its connections, does what it wants done, and keeps
/// one timer. It knows no protocol.
///
/// Confined to its event loop; everything in it is called there.
final class StreamDriver {
    let eventLoop: any EventLoop
    let settings: StreamSettings
    private let desk: AdmissionDesk
    private let log: ListenerLog
    private(set) var engine: any StreamEngine
    private var counters = StreamCounters()
    private var outbox = Outbox()
    private var isDrainingOutbox = false
    /// Sockets that are not closed yet, those the engine has parted from included.
    private(set) var openSockets = 0
    private var connections = PeerTable<StreamConnection>()
    private var unflushed: [StreamConnection] = []
    /// When the input came that is being worked on, and the one that the oldest write since the last flush came of.
    private var inputAt = Instant.zero
    private var burstAt = Instant.zero
    /// How many messages had been relayed at the last flush.
    private var flushedMessages: UInt64 = 0
    private let probes: ConnectProbes
    private let onEvent: (any EngineEvent) -> Void
    private let onDelivery: (ByteBuffer) -> Void
    private var timer: (at: Instant, task: Scheduled<Void>)?
    /// Made once, so that handing it to the event loop allocates nothing.
    private lazy var flushTask: @Sendable () -> Void = { [driver = NIOLoopBound(self, eventLoop: eventLoop)] in
        driver.value.flush()
    }

    /// - Parameters:
    ///   - onEvent: told of every event, beside the log.
    ///   - onDelivery: gets the traffic that ends in this program.
    init(
        engine: any StreamEngine, settings: StreamSettings, desk: AdmissionDesk, log: ListenerLog,
        eventLoop: any EventLoop, onEvent: @escaping (any EngineEvent) -> Void = { _ in },
        onDelivery: @escaping (ByteBuffer) -> Void = { _ in }
    ) {
        self.engine = engine
        self.settings = settings
        self.desk = desk
        self.log = log
        self.eventLoop = eventLoop
        self.onEvent = onEvent
        self.onDelivery = onDelivery
        probes = ConnectProbes(eventLoop: eventLoop, timeout: settings.probeTimeout, limit: settings.maxProbes)
    }

    // MARK: What happens on connections

    /// A connection whose address is known wants in.
    func admit(_ connection: StreamConnection, from endpoint: Endpoint) throws(Admission.Refusal) -> PeerID {
        do throws(Admission.Refusal) {
            try desk.admit(endpoint.address, at: .now)
        } catch {
            counters.refused.count(error.rawValue)
            log.refused(endpoint, error)
            throw error
        }
        counters.connectionsOpened += 1
        openSockets += 1
        return connections.insert { _ in connection }
    }

    func words(for refusal: Admission.Refusal, to endpoint: Endpoint) -> ByteBuffer? {
        let reason = refusal == .banned ? desk.ban(of: endpoint.address, at: .now)?.reason : nil
        return engine.words(for: refusal, because: reason ?? "")
    }

    func connect(_ peer: PeerID, from endpoint: Endpoint) {
        engine.connect(peer, from: endpoint, at: beginInput(), into: &outbox)
        drainOutbox()
    }

    func receive(_ bytes: ByteBuffer, from peer: PeerID) {
        counters.bytesReceived &+= UInt64(bytes.readableBytes)
        engine.receive(bytes, from: peer, at: beginInput(), into: &outbox)
        drainOutbox()
    }

    func receiveEnd(from peer: PeerID) {
        engine.receiveEnd(from: peer, at: beginInput(), into: &outbox)
        drainOutbox()
    }

    func writability(of peer: PeerID, is writable: Bool) {
        engine.writability(of: peer, is: writable, at: beginInput(), into: &outbox)
        drainOutbox()
    }

    /// The engine still thought this peer was there.
    func disconnect(_ peer: PeerID, _ reason: CloseReason) {
        guard let connection = connections.remove(peer) else { return }
        counters.closed.count(reason.word)
        log.closed(peer, connection.endpoint, reason)
        engine.disconnect(peer, reason: reason, at: beginInput(), into: &outbox)
        drainOutbox()
    }

    /// The socket of an admitted connection is closed; it no longer counts.
    func release(_ endpoint: Endpoint) {
        openSockets -= 1
        desk.release(endpoint.address, at: .now)
    }

    /// Sees to it that what a connection was given is written before the event loop waits again: once for all that
    /// one wakeup brought, so that many reads and then many writes find their code and data warm.
    func needsFlush(_ connection: StreamConnection) {
        if unflushed.isEmpty {
            burstAt = inputAt
            eventLoop.execute(flushTask)
        }
        unflushed.append(connection)
    }

    private func flush() {
        // Flushing can change writability, which can make more to write.
        while let connection = unflushed.popLast() {
            connection.flush()
        }
        let relayed = counters.messagesRelayed &- flushedMessages
        guard relayed > 0 else { return }
        flushedMessages = counters.messagesRelayed
        counters.forwardLatency.record(Instant.now.since(burstAt), times: relayed)
    }

    /// The time of an input.
    private func beginInput() -> Instant {
        inputAt = .now
        return inputAt
    }

    /// A connection was dropped before the engine heard of it.
    func refuse(_ reason: CloseReason, from endpoint: Endpoint?) {
        counters.refused.count(reason.word)
        log.refused(endpoint, reason)
    }

    // MARK: What an operator wants

    var peerCount: Int { connections.count }

    /// All counters, those the engine keeps included.
    var allCounters: StreamCounters {
        var all = counters
        all.dropped = Tally(engine.droppedMessages.map { ($0.reason, $0.count) })
        return all
    }

    var queuedBytes: Int {
        var bytes = 0
        connections.forEach { bytes += $0.queuedBytes }
        return bytes
    }

    func beginDrain() {
        engine.drain(at: .now, into: &outbox)
        drainOutbox()
    }

    func endDrain() {
        engine.endDrain(at: .now, into: &outbox)
        drainOutbox()
    }

    /// Parts from every member of a room; `false` if there is none of that name.
    func closeRoom(_ id: String) -> Bool {
        guard let room = engine.rooms(at: .now).first(where: { $0.id == id }) else { return false }
        // Some go with others.
        for peer in room.peers.compactMap({ PeerID($0.peer) }) { _ = kick(peer, for: .kicked) }
        return true
    }

    /// Every connection, and what the engine knows of it.
    func peers() -> [PeerDetail] {
        let now = Instant.now
        var members: [String: (room: String, peer: PeerSnapshot)] = [:]
        for room in engine.rooms(at: now) {
            for peer in room.peers { members[peer.peer] = (room.id, peer) }
        }
        return connections.all.compactMap { connection in
            connection.peer.map { peer in
                PeerDetail(connection, peer, members[peer.description], at: now)
            }
        }
    }

    /// Parts from a peer; `false` if there is none of that name.
    func kick(_ peer: PeerID, for removal: Removal) -> Bool {
        guard connections[peer] != nil else { return false }
        engine.kick(peer, for: removal, at: .now, into: &outbox)
        drainOutbox()
        return true
    }

    /// Parts from everybody whom a ban is about that was made since he came.
    func enforceBans() -> Int {
        let banned = peers().compactMap { detail in
            PeerID(detail.peer).flatMap { peer in desk.removal(of: detail, in: log.protocolName).map { (peer, $0) } }
        }
        return banned.count { kick($0, for: $1) }
    }

    func stop() {
        engine.stop(at: .now, into: &outbox)
        drainOutbox()
        timer?.task.cancel()
        timer = nil
        flush()
        // It holds the driver, and nobody is left to write to.
        flushTask = {}
    }

    /// Changes the engine from outside: new settings.
    func update<Engine: StreamEngine>(_ change: (inout Engine) -> Void) {
        guard var changed = engine as? Engine else { preconditionFailure("the engine is another one") }
        change(&changed)
        engine = changed
        armTimer()
    }

    /// Gives the engine an input that only its kind has, which must be the kind that `input` takes.
    func perform<Engine: StreamEngine, Failure: Error, Result>(
        _ input: (inout Engine, inout Outbox) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard var changed = engine as? Engine else { preconditionFailure("the engine is another one") }
        defer {
            engine = changed
            drainOutbox()
        }
        return try input(&changed, &outbox)
    }

    // MARK: What the engine wants

    private func drainOutbox() {
        // Doing one effect can bring the next input (writing may change writability): it joins the end of the line.
        guard !isDrainingOutbox else { return }
        isDrainingOutbox = true
        var index = 0
        while index < outbox.count {
            perform(outbox[index])
            index += 1
        }
        outbox.removeAll()
        isDrainingOutbox = false
        armTimer()
    }

    private func perform(_ effect: Effect) {
        switch effect {
        case .forward(let bytes, to: let peer):
            guard let connection = connections[peer] else { return }
            counters.bytesRelayed &+= UInt64(bytes.readableBytes)
            counters.messagesRelayed &+= 1
            write(bytes, to: peer, connection)
        case .send(let bytes, to: let peer):
            guard let connection = connections[peer] else { return }
            counters.bytesAnswered &+= UInt64(bytes.readableBytes)
            write(bytes, to: peer, connection)
        case .pause(let peer):
            connections[peer]?.pauseReading()
        case .resume(let peer):
            connections[peer]?.resumeReading()
        case .finish(let peer):
            connections[peer]?.finish()
        case .close(let peer, let reason):
            guard let connection = connections.remove(peer) else { return }
            counters.closed.count(reason.word)
            log.closed(peer, connection.endpoint, reason)
            connection.close()
        case .probe(let endpoint, for: let peer):
            probes.probe(endpoint, for: peer) { [self] in probed(peer, isReachable: $0) }
        case .deliver(let bytes, from: _):
            onDelivery(bytes)
        case .emit(let event):
            counters.events.count(event.name)
            onEvent(event)
            log.event(event, event.peer.flatMap { connections[$0]?.endpoint })
            if let peer = event.peer, let naming = event.naming,
                let removal = desk.removal(of: naming, in: log.protocolName)
            {
                // Its effects join the end of the line.
                engine.kick(peer, for: removal, at: .now, into: &outbox)
            }
        }
    }

    private func write(_ bytes: ByteBuffer, to peer: PeerID, _ connection: StreamConnection) {
        guard !connection.write(bytes) else { return }
        disconnect(peer, .slowReader)
        connection.abort()
    }

    private func probed(_ peer: PeerID, isReachable: Bool) {
        engine.probed(peer, isReachable: isReachable, at: beginInput(), into: &outbox)
        drainOutbox()
    }

    private func armTimer() {
        guard let next = engine.nextDeadline else { return }
        if let timer, timer.at <= next { return }
        timer?.task.cancel()
        let driver = NIOLoopBound(self, eventLoop: eventLoop)
        timer = (next, eventLoop.scheduleTask(deadline: next.deadline) { driver.value.timerFired() })
    }

    private func timerFired() {
        timer = nil
        engine.advance(to: beginInput(), into: &outbox)
        drainOutbox()
    }
}
