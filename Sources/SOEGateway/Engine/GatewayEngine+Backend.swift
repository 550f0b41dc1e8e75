public import NIOCore
public import RelayCore
import SOE

extension GatewayEngine {
    /// The backend has accepted a connection.
    public mutating func backendConnected(at now: Instant, into out: inout GatewayOutbox) {
        guard case .connecting = backend else { return }
        reader = BackendFrameReader(longestBody: configuration.maxMessage)
        backend = .greeting(until: now + Self.helloTimeout)
        isBackendWritable = true
        out.send(.hello(version: BackendFrame.version))
    }

    /// There is no connection, or no more; in the system's words.
    public mutating func backendDisconnected(_ words: String, at now: Instant, into out: inout GatewayOutbox) {
        switch backend {
        case .absent: return
        case .connecting: retry(at: now)
        case .greeting, .present: lose(.disconnected(words), at: now, into: &out)
        }
    }

    /// What was written waits to be sent (`false`), or has left (`true`).
    public mutating func backendWritability(is writable: Bool, at now: Instant, into out: inout GatewayOutbox) {
        switch backend {
        case .absent, .connecting: return
        case .greeting, .present: break
        }
        guard writable != isBackendWritable else { return }
        isBackendWritable = writable
        stalledAt = writable ? .never : now + configuration.backendStallTimeout
        for peer in clients.keys { setPaused(peer) }
    }

    public mutating func receiveFromBackend(_ bytes: ByteBuffer, at now: Instant, into out: inout GatewayOutbox) {
        switch backend {
        case .absent, .connecting: return
        case .greeting, .present: break
        }
        reader.append(bytes)
        do throws(BackendFrameError) {
            while let frame = try reader.next() {
                guard handle(frame, at: now, into: &out) else { return }
            }
        } catch {
            part(.nonsense("\(error)"), at: now, into: &out)
        }
    }

    /// Whether to go on reading.
    private mutating func handle(_ frame: BackendFrame, at now: Instant, into out: inout GatewayOutbox) -> Bool {
        if case .greeting = backend { return greet(frame, at: now, into: &out) }
        switch frame {
        case .data(let number, let channel, let message):
            guard let peer = peer(number) else { return true }
            send(message, on: channel, to: peer, number, at: now, into: &out)
        case .closed(let number, let closed):
            guard let peer = peer(number) else { return true }
            end(peer, closed.reason, at: now, into: &out)
        case .stats(let number, nil):
            guard let peer = peer(number) else { return true }
            tellFigures(of: peer, number, into: &out)
        case .encrypt(let number, let change):
            guard let peer = peer(number) else { return true }
            sessions.encrypt(peer, with: change.key, sending: change.toClient, receiving: change.fromClient)
        case .pause(let number), .resume(let number):
            guard let peer = peer(number) else { return true }
            if case .pause = frame { clients[peer]?.isUnwanted = true } else { clients[peer]?.isUnwanted = false }
            setPaused(peer)
        case .hello, .opened, .moved, .stats:
            part(.nonsense("a frame that only a gateway sends, or a second hello"), at: now, into: &out)
            return false
        }
        return true
    }

    /// Takes a backend's first frame.
    private mutating func greet(_ frame: BackendFrame, at now: Instant, into out: inout GatewayOutbox) -> Bool {
        guard case .hello(let version) = frame else {
            part(.nonsense("something before its hello"), at: now, into: &out)
            return false
        }
        guard version == BackendFrame.version else {
            part(.version(version), at: now, into: &out)
            return false
        }
        backend = .present
        setAcceptance()
        retryDelay = Self.shortestRetry
        graceEnds = .never
        if configuration.statsInterval > .zero { statsAt = now + configuration.statsInterval }
        out.datagrams.emit(GatewayEvent.backendConnected(sessions: clients.count))
        for client in clients.values.sorted(by: { $0.number.value < $1.number.value }) {
            guard let peer = peers[client.number] else { continue }
            announce(peer, into: &out)
            setPaused(peer)
        }
        return true
    }

    /// The session of a number. One that has ended has done so while the frame was on its way.
    private mutating func peer(_ number: SessionNumber) -> PeerID? {
        if let peer = peers[number] { return peer }
        counters.framesTooLate &+= 1
        return nil
    }

    private mutating func send(
        _ message: ByteBuffer, on channel: SOEChannel, to peer: PeerID, _ number: SessionNumber, at now: Instant,
        into out: inout GatewayOutbox
    ) {
        switch sessions.enqueue(message, on: channel, to: peer, at: now) {
        case .accepted:
            counters.messagesToClients &+= 1
            counters.bytesToClients &+= UInt64(message.readableBytes)
            guard clients[peer]?.isFull == false, sessions.queuedBytes(for: peer) > configuration.maxQueued / 4
            else { return }
            clients[peer]?.isFull = true
            full.insert(peer)
            out.send(.pause(number))
        case .full where !channel.isReliable:
            counters.messagesDropped &+= 1
        case .full, .tooLong:
            out.datagrams.emit(GatewayEvent.overflowed(peer))
            end(peer, .reliableOverflow, at: now, into: &out)
        case .closed:
            counters.framesTooLate &+= 1
        }
    }

    private mutating func end(
        _ peer: PeerID, _ reason: DisconnectReason, at now: Instant, into out: inout GatewayOutbox
    ) {
        withSessions(at: now, into: &out) { sessions, datagrams in
            sessions.disconnect(peer, reason: reason, at: now, into: &datagrams)
        }
    }

    private func tellFigures(of peer: PeerID, _ number: SessionNumber, into out: inout GatewayOutbox) {
        guard let session = sessions.session(peer) else { return }
        out.send(.stats(number, SessionFigures(session.statistics)))
    }

    /// Lets the backend send again for clients that have caught up.
    mutating func resumeDrained(into out: inout GatewayOutbox) {
        guard !full.isEmpty else { return }
        for peer in full where sessions.queuedBytes(for: peer) <= configuration.maxQueued / 8 {
            full.remove(peer)
            clients[peer]?.isFull = false
            if let client = clients[peer], client.isAnnounced { out.send(.resume(client.number)) }
        }
    }

    // MARK: A backend that is not there

    mutating func runBackendTimers(at now: Instant, into out: inout GatewayOutbox) {
        switch backend {
        case .absent(let retryAt) where now >= retryAt && !isStopping:
            backend = .connecting
            out.command = .connect
        case .greeting(let until) where now >= until:
            part(.silent, at: now, into: &out)
        case .absent, .connecting, .greeting, .present:
            break
        }
        if now >= stalledAt { part(.stalled, at: now, into: &out) }
        if now >= graceEnds { giveUp(at: now, into: &out) }
        if now >= statsAt {
            statsAt = configuration.statsInterval > .zero ? now + configuration.statsInterval : .never
            for (peer, client) in clients where client.isAnnounced { tellFigures(of: peer, client.number, into: &out) }
        }
    }

    /// Closes the connection to a backend that cannot be gone on with.
    private mutating func part(_ loss: BackendLoss, at now: Instant, into out: inout GatewayOutbox) {
        out.command = .close
        lose(loss, at: now, into: &out)
    }

    private mutating func lose(_ loss: BackendLoss, at now: Instant, into out: inout GatewayOutbox) {
        retry(at: now)
        setAcceptance()
        out.datagrams.emit(GatewayEvent.backendLost(loss, sessions: clients.count))
        isBackendWritable = true
        stalledAt = .never
        statsAt = .never
        full = []
        for peer in clients.keys {
            clients[peer]?.isAnnounced = false
            clients[peer]?.isFull = false
            clients[peer]?.isUnwanted = false
            setPaused(peer)
        }
        guard graceEnds == .never else { return }
        if configuration.backendGrace > .zero {
            graceEnds = now + configuration.backendGrace
        } else {
            giveUp(at: now, into: &out)
        }
    }

    private mutating func retry(at now: Instant) {
        backend = .absent(retryAt: now + retryDelay)
        retryDelay = min(retryDelay * 2, Self.longestRetry)
    }

    private mutating func giveUp(at now: Instant, into out: inout GatewayOutbox) {
        graceEnds = .never
        guard !clients.isEmpty else { return }
        out.datagrams.emit(GatewayEvent.backendMissing(sessions: clients.count))
        for peer in Array(clients.keys) { end(peer, .application, at: now, into: &out) }
    }
}
