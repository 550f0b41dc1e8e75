public import NIOCore
public import RelayCore

/// The master of local wireless play: hosts open networks, players find them by scans and join, and what their games
/// say to each other is relayed, unless the host runs a P2P proxy of its own.
///
/// A session is named by its `Initialize` and can be in one network. The host is the player of place 0; when it goes, so
/// does the network. A network has at most eight players, and every change of it is told to all of them.
public struct LDNEngine: StreamEngine {
    var configuration: LDNConfiguration
    var random: RandomSource
    var isDraining = false
    var sessions = PeerMap<Session>()
    var networks: RoomTable<SessionID, Network>
    var index = ScanIndex()
    var addresses = AddressBook()
    var macs = MACMemory()
    /// Packets that were passed over, by the word of the reason.
    var dropped = DroppedPackets()
    private var deadlines = DeadlineHeap()

    /// The most bytes kept of a session that waits.
    private static let maxHeld = 1 << 20

    public init(configuration: LDNConfiguration, random: RandomSource = .system) {
        self.configuration = configuration
        self.random = random
        networks = RoomTable(capacity: configuration.maxNetworks)
    }

    public mutating func connect(
        _ peer: PeerID, from endpoint: Endpoint, at now: Instant, into out: inout Outbox
    ) {
        let account = addresses.account(of: endpoint.address, at: now)
        if configuration.maxSessions > 0, sessions.count >= configuration.maxSessions {
            return out.close(peer, .sessionsFull)
        }
        if configuration.maxSessionsPerAddress > 0, account.sessions >= configuration.maxSessionsPerAddress {
            return out.close(peer, .addressSessionsFull)
        }
        account.sessions += 1
        sessions[peer] = Session(peer, from: endpoint, account: account, at: now)
        deadlines.schedule(peer, at: now + configuration.pingInterval)
    }

    public mutating func receive(
        _ bytes: ByteBuffer, from peer: PeerID, at now: Instant, into out: inout Outbox
    ) {
        guard let session = sessions[peer] else { return }
        guard session.account.bytes.take(bytes.readableBytes, at: now, rate: configuration.byteRate) else {
            return part(from: session, .tooManyBytes, at: now, into: &out)
        }
        guard session.creation != nil else { return read(bytes, from: session, at: now, into: &out) }
        // It is paused; what comes nevertheless is what was on its way.
        session.held.writeImmutableBuffer(bytes)
        if session.held.readableBytes > Self.maxHeld { part(from: session, .tooManyBytes, at: now, into: &out) }
    }

    public mutating func receiveEnd(from peer: PeerID, at now: Instant, into out: inout Outbox) {
        guard let session = sessions[peer] else { return }
        part(from: session, .peerClosed, at: now, into: &out)
    }

    public mutating func disconnect(
        _ peer: PeerID, reason: CloseReason, at now: Instant, into out: inout Outbox
    ) {
        guard let session = sessions[peer] else { return }
        forget(session, at: now, into: &out)
    }

    /// Nothing: what a slow reader may leave unread is bounded by whoever holds its queue, and nobody waits for it.
    public mutating func writability(
        of peer: PeerID, is writable: Bool, at now: Instant, into out: inout Outbox
    ) {}

    public mutating func probed(_ peer: PeerID, isReachable: Bool, at now: Instant, into out: inout Outbox) {
        guard let session = sessions[peer], let accessPoint = session.creation else { return }
        session.creation = nil
        open(accessPoint, for: session, proxyIsReachable: isReachable, into: &out)
        let held = session.held
        session.held = ByteBuffer()
        session.hear(at: now)
        out.resume(peer)
        read(held, from: session, at: now, into: &out)
    }

    public mutating func advance(to now: Instant, into out: inout Outbox) {
        while let peer = deadlines.popDue(at: now) {
            guard let session = sessions[peer] else { continue }
            if session.creation != nil {
                // It is not read from, so it cannot show that it lives.
                deadlines.schedule(peer, at: now + configuration.pingInterval)
            } else if session.awaitsAnswer {
                part(from: session, .unansweredPing, at: now, into: &out)
            } else if session.heardAt + configuration.pingInterval > now {
                deadlines.schedule(peer, at: session.heardAt + configuration.pingInterval)
            } else {
                out.send(Packet.ping(session.ping()).encoded, to: peer)
                deadlines.schedule(peer, at: now + configuration.pingTimeout)
            }
        }
    }

    public var nextDeadline: Instant? { deadlines.next }

    /// From now on no network is opened, and nobody joins one: those that exist are told that they reject all, and play
    /// on until they end.
    public mutating func drain(at now: Instant, into out: inout Outbox) {
        isDraining = true
        for (_, network) in networks.all where !network.rejectsAll { apply(.rejectAll, to: network, into: &out) }
    }

    /// Networks are opened again, and joined where their hosts let players in. What a network was told when the drain began
    /// stays until its host says otherwise.
    public mutating func endDrain(at now: Instant, into out: inout Outbox) {
        isDraining = false
    }

    /// Parts from those who are in no network, then tells every player that it is out of its own, and parts from them.
    public mutating func stop(at now: Instant, into out: inout Outbox) {
        isDraining = true
        for (_, session) in sessions.all where session.network == nil {
            part(from: session, .serverStopping, at: now, into: &out)
        }
        for (_, network) in networks.all { close(network, into: &out) }
        for (_, session) in sessions.all { part(from: session, .serverStopping, at: now, into: &out) }
    }

    /// Parts from a client. A player is told that it was rejected, a host that its network has ended, and who is banned
    /// that it is not let in.
    public mutating func kick(_ peer: PeerID, for removal: Removal, at now: Instant, into out: inout Outbox) {
        guard let session = sessions[peer] else { return }
        if case .banned = removal { sendError(.connectRejected, to: peer, into: &out) }
        if let network = session.network {
            if session.isHost {
                close(network, into: &out)
            } else if let member = network.member(of: session.address) {
                var rejection = RejectRequest()
                rejection.nodeID = UInt32(member.nodeID)
                rejection.disconnectReason = .rejected
                putOut(session, rejection, into: &out)
            }
        }
        part(from: session, removal.closeReason, at: now, into: &out)
    }

    /// Takes new settings; sessions and networks that exist stay.
    public mutating func reconfigure(_ configuration: LDNConfiguration) {
        self.configuration = configuration
        networks.capacity = configuration.maxNetworks
    }

    public var roomCount: Int { networks.count }

    public var droppedMessages: [(reason: String, count: UInt64)] { dropped.byReason }

    public func rooms(at now: Instant) -> [RoomSnapshot] {
        networks.all.map { id, network in
            let peers = network.members.compactMap { member -> PeerSnapshot? in
                guard let session = sessions[member.peer] else { return nil }
                return PeerSnapshot(
                    peer: member.peer, name: network.names[member.nodeID],
                    role: member.peer == network.host ? "host" : "player", endpoint: session.endpoint,
                    connected: now - session.connectedAt)
            }
            return RoomSnapshot(id: id.description, mode: network.proxy == nil ? "relay" : "p2p", peers: peers)
        }
    }

    /// Ends a connection from this side.
    mutating func part(from session: Session, _ reason: CloseReason, at now: Instant, into out: inout Outbox) {
        forget(session, at: now, into: &out)
        out.close(session.peer, reason)
    }

    private mutating func forget(_ session: Session, at now: Instant, into out: inout Outbox) {
        session.isGone = true
        session.creation = nil
        sessions.remove(session.peer)
        deadlines.cancel(session.peer)
        leave(session, into: &out)
        addresses.release(session.endpoint.address, at: now)
        guard let identity = session.identity else { return }
        macs.release(
            identity, keeping: configuration.maxRememberedClients, within: configuration.clientMemory, at: now)
    }
}
