public import NIOCore
public import RelayCore

/// What a host runs so that its players' data need not go through the master: section 9 of the protocol's notes.
///
/// The master announces each joiner by a token (`addWaitingToken`). A connection that shows it is that player from then
/// on, under the address that came with the token; before that nothing it says counts. What players say to each other is
/// passed on by the master's own rules. The host can be a player in this process (`setHostVirtualIP`): what is for it is
/// delivered, and it speaks by `broadcastFromHost`.
public struct P2PProxyEngine: StreamEngine {
    var configuration: P2PProxyConfiguration
    var sessions = PeerMap<ProxySession>()
    /// Those who have shown a token, in the order in which they did.
    var players: [ProxySession] = []
    var tokens = WaitingTokens()
    /// The address that means all players. It is that of the network of the first player.
    var broadcast = VirtualAddress.any
    var host: VirtualAddress?
    var dropped = DroppedProxyPackets()
    var deadlines = DeadlineHeap()

    public init(configuration: P2PProxyConfiguration = .init()) {
        self.configuration = configuration
    }

    // MARK: What the master says

    /// A joiner is to come. If it is here already, it is let in.
    public mutating func addWaitingToken(_ token: ExternalProxyToken, at now: Instant, into out: inout Outbox) {
        // Played in this process, the host does not come: its token would be good for whoever got hold of it.
        guard token.virtualIP != host else { return }
        tokens.append(token, limit: configuration.maxWaitingTokens)
        let waiting = sessions.all.map(\.value).filter { $0.shown == token.token }
        for session in waiting.sorted(by: { $0.number < $1.number }) { tryRegister(session, at: now, into: &out) }
    }

    /// The master tells that a player has gone: its token is good no more, and its session is closed. It is not told of
    /// that again.
    public mutating func handleExternalProxyStateChange(
        _ state: ExternalProxyConnectionState, at now: Instant, into out: inout Outbox
    ) {
        guard !state.isConnected else { return }
        tokens.remove(for: state.ipAddress)
        for session in players where session.address == state.ipAddress {
            forget(session)
            out.emit(P2PProxyEvent.playerRemoved(session.peer, session.address))
            out.close(session.peer, .leftNetwork)
        }
    }

    /// How many joiners have been announced and have not come.
    public var waitingTokens: Int { tokens.count }

    /// The addresses of the players that are here.
    public var playerAddresses: [VirtualAddress] { players.map(\.address) }

    // MARK: Connections

    public mutating func connect(
        _ peer: PeerID, from endpoint: Endpoint, at now: Instant, into out: inout Outbox
    ) {
        guard players.count < configuration.maxPlayers else { return out.close(peer, .playersFull) }
        guard sessions.count - players.count < configuration.maxStrangers else {
            return out.close(peer, .strangersFull)
        }
        sessions[peer] = ProxySession(peer, from: endpoint, at: now)
        deadlines.schedule(peer, at: now + configuration.authenticationTimeout)
    }

    public mutating func receive(
        _ bytes: ByteBuffer, from peer: PeerID, at now: Instant, into out: inout Outbox
    ) {
        guard let session = sessions[peer] else { return }
        guard session.shown != nil else { return read(bytes, from: session, at: now, into: &out) }
        // It is paused; what comes nevertheless is what was on its way.
        session.held.writeImmutableBuffer(bytes)
        if session.held.readableBytes > Self.maxHeld { part(from: session, .tooEarly, into: &out) }
    }

    public mutating func receiveEnd(from peer: PeerID, at now: Instant, into out: inout Outbox) {
        guard let session = sessions[peer] else { return }
        part(from: session, .peerClosed, into: &out)
    }

    public mutating func disconnect(
        _ peer: PeerID, reason: CloseReason, at now: Instant, into out: inout Outbox
    ) {
        guard let session = sessions[peer] else { return }
        end(session, into: &out)
    }

    /// Nothing: what a slow reader may leave unread is bounded by whoever holds its queue, and nobody waits for it.
    public mutating func writability(
        of peer: PeerID, is writable: Bool, at now: Instant, into out: inout Outbox
    ) {}

    public mutating func advance(to now: Instant, into out: inout Outbox) {
        while let peer = deadlines.popDue(at: now) {
            guard let session = sessions[peer] else { continue }
            part(from: session, session.shown == nil ? .noAuthentication : .noToken, into: &out)
        }
    }

    public var nextDeadline: Instant? { deadlines.next }

    /// Nothing: a proxy lives as long as its host's network does.
    public mutating func drain(at now: Instant, into out: inout Outbox) {}

    public mutating func endDrain(at now: Instant, into out: inout Outbox) {}

    /// Parts from everybody and forgets all tokens. The master is not told: the host goes, and with it the network.
    public mutating func stop(at now: Instant, into out: inout Outbox) {
        tokens.removeAll()
        for (_, session) in sessions.all {
            forget(session)
            out.close(session.peer, .serverStopping)
        }
    }

    public mutating func kick(_ peer: PeerID, for removal: Removal, at now: Instant, into out: inout Outbox) {
        guard let session = sessions[peer] else { return }
        part(from: session, removal.closeReason, into: &out)
    }

    public var roomCount: Int { players.isEmpty ? 0 : 1 }

    public var droppedMessages: [(reason: String, count: UInt64)] { dropped.byReason }

    public func rooms(at now: Instant) -> [RoomSnapshot] {
        guard !players.isEmpty else { return [] }
        let peers = players.map { player in
            PeerSnapshot(
                peer: player.peer, name: player.address.description, role: "player", endpoint: player.endpoint,
                connected: now - player.connectedAt)
        }
        return [RoomSnapshot(id: "proxy", mode: "p2p", peers: peers)]
    }

    // MARK: Within

    /// The most bytes kept of a joiner that waits for its token's arrival.
    private static let maxHeld = 256 << 10

    /// Ends a connection from this side.
    mutating func part(from session: ProxySession, _ reason: CloseReason, into out: inout Outbox) {
        end(session, into: &out)
        out.close(session.peer, reason)
    }

    /// A session ends by itself: if it was a player, the master is to know.
    private mutating func end(_ session: ProxySession, into out: inout Outbox) {
        let isPlayer = session.isPlayer
        forget(session)
        if isPlayer { out.emit(P2PProxyEvent.playerLeft(session.peer, session.address)) }
    }

    private mutating func forget(_ session: ProxySession) {
        session.isGone = true
        session.shown = nil
        session.held = ByteBuffer()
        sessions.remove(session.peer)
        players.removeAll { $0 === session }
        deadlines.cancel(session.peer)
    }
}
