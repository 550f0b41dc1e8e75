public import NIOCore
public import RelayCore

/// RetroArch's tunnel: hosts open sessions, guests join them by id, and each guest is joined to a link of its host.
///
/// One port serves all. A connection says in its first bytes what it is (`TunnelOpening`):
///
/// - a *host* gets a session and keeps its connection as control line: it is told of guests, asks for their
///   addresses, is pinged;
/// - a *guest* waits, with what it says meanwhile kept, until the host opens
/// - a *link*, a further connection; from then on every read of either is forwarded to the other untouched, but for what
///   `Transcoding` does to bring together ends of which only one has compression.
///
/// A pair has one idle clock for both directions. An end of stream crosses at once; the other direction may finish
/// what it has to say. A guest that waits goes when its host goes; a pair outlives the host's control line.
public struct NetplayEngine: StreamEngine {
    var configuration: NetplayConfiguration
    var random: RandomSource
    var isDraining = false
    var peers = PeerMap<Peer>()
    var sessions: RoomTable<TunnelID, Session>
    /// Guests, waiting or linked, by the id their host knows them under.
    var guests: [TunnelID: PeerID] = [:]
    /// What waiting guests said before their link existed.
    var early: [PeerID: ByteBuffer] = [:]
    /// How many guests of an address wait for a link.
    var pendingByAddress: [IPAddress: Int] = [:]
    /// Of a linked pair, the guest holds the deadline.
    var deadlines = DeadlineHeap()
    /// By guest: pairs that are not, or not yet, merely copied.
    var transcodings: [PeerID: Transcoding] = [:]
    /// What all of these keep of savestates.
    var keptStateBytes = 0

    public init(configuration: NetplayConfiguration, random: RandomSource = .system) {
        self.configuration = configuration
        self.random = random
        sessions = RoomTable(capacity: configuration.maxSessions)
    }

    public mutating func connect(
        _ peer: PeerID, from endpoint: Endpoint, at now: Instant, into out: inout Outbox
    ) {
        let deadline = now + configuration.handshakeTimeout
        let phase = Peer.Phase.opening(Peer.Opening(deadline: deadline))
        peers[peer] = Peer(endpoint: endpoint, connectedAt: now, lastReceived: now, phase: phase)
        deadlines.schedule(peer, at: deadline)
    }

    public mutating func receive(
        _ bytes: ByteBuffer, from peer: PeerID, at now: Instant, into out: inout Outbox
    ) {
        if let partner = peers.update(peer, { $0.hear(at: now) }) ?? nil {
            out.forward(bytes, to: partner)
            return
        }
        switch peers[peer]?.phase {
        case .linked(let link):
            receiveInspected(bytes, from: peer, link, at: now, into: &out)
        case nil:
            break
        case .pending:
            keepEarly(bytes, of: peer, into: &out)
        case .opening(let opening):
            receiveOpening(bytes, from: peer, opening, at: now, into: &out)
        case .owner(let owner):
            receiveWords(bytes, from: peer, owner, at: now, into: &out)
        }
    }

    public mutating func receiveEnd(from peer: PeerID, at now: Instant, into out: inout Outbox) {
        guard case .linked(let link) = peers[peer]?.phase else {
            // Nobody but a linked peer has anything to read once it has stopped talking.
            if peers[peer] != nil { close(peer, .peerClosed, at: now, into: &out) }
            return
        }
        if link.isInspected {
            receiveInspectedEnd(from: peer, link, at: now, into: &out)
        } else {
            endDirection(of: peer, at: now, into: &out)
        }
    }

    public mutating func disconnect(
        _ peer: PeerID, reason: CloseReason, at now: Instant, into out: inout Outbox
    ) {
        remove(peer, at: now, into: &out)
    }

    public mutating func writability(
        of peer: PeerID, is writable: Bool, at now: Instant, into out: inout Outbox
    ) {
        guard case .linked(let link) = peers[peer]?.phase else { return }
        if link.isInspected {
            inspectedWritability(of: peer, link, is: writable, at: now, into: &out)
        } else if writable {
            out.resume(link.partner)
        } else {
            out.pause(link.partner)
        }
    }

    public mutating func advance(to now: Instant, into out: inout Outbox) {
        while let peer = deadlines.popDue(at: now) {
            switch peers[peer]?.phase {
            case .opening: close(peer, .openingTimeout, at: now, into: &out)
            case .owner(let owner): ownerDue(peer, owner, at: now, into: &out)
            case .pending: close(peer, .linkTimeout, at: now, into: &out)
            case .linked(let link) where link.isInspected && (link.role == .link || peers[link.partner] == nil):
                workDue(peer, link, at: now, into: &out)
            case .linked(let link): pairDue(peer, link, at: now, into: &out)
            case nil: break
            }
        }
    }

    public var nextDeadline: Instant? { deadlines.next }

    public mutating func drain(at now: Instant, into out: inout Outbox) {
        isDraining = true
    }

    public mutating func endDrain(at now: Instant, into out: inout Outbox) {
        isDraining = false
    }

    public mutating func stop(at now: Instant, into out: inout Outbox) {
        for (peer, _) in peers.all where peers[peer] != nil {
            close(peer, .serverStopping, at: now, into: &out)
        }
    }

    /// The tunnel has no words for it: the peer finds the end of its stream, and so does the other end of a pair.
    public mutating func kick(_ peer: PeerID, for removal: Removal, at now: Instant, into out: inout Outbox) {
        guard peers[peer] != nil else { return }
        close(peer, removal.closeReason, at: now, into: &out)
    }

    /// Takes new settings; peers that are connected stay.
    public mutating func reconfigure(_ configuration: NetplayConfiguration) {
        self.configuration = configuration
        sessions.capacity = configuration.maxSessions
    }

    public var roomCount: Int { sessions.count }

    public func rooms(at now: Instant) -> [RoomSnapshot] {
        sessions.all.map { id, session in
            let members =
                [(session.owner, "host")] + session.pending.map { ($0, "pending guest") }
                + session.linkedGuests.map { ($0, transcodings[$0]?.rawSide == nil ? "guest" : "transcoded guest") }
            let snapshots = members.compactMap { member, role -> PeerSnapshot? in
                guard let member, let peer = peers[member] else { return nil }
                return PeerSnapshot(
                    peer: member, name: "", role: role, endpoint: peer.endpoint, connected: now - peer.connectedAt
                )
            }
            return RoomSnapshot(id: id.description, peers: snapshots)
        }
    }

    /// Ends a connection for a reason of ours, and what hangs on it.
    mutating func close(_ peer: PeerID, _ reason: CloseReason, at now: Instant, into out: inout Outbox) {
        out.close(peer, reason)
        remove(peer, at: now, into: &out)
    }

    /// Forgets a peer that has gone.
    private mutating func remove(_ peer: PeerID, at now: Instant, into out: inout Outbox) {
        guard let gone = peers.remove(peer) else { return }
        deadlines.cancel(peer)
        switch gone.phase {
        case .opening: break
        case .owner(let owner): removeOwner(peer, owner, at: now, into: &out)
        case .pending(let guest): removePending(peer, guest, from: gone.endpoint.address, at: now, into: &out)
        case .linked(let link): removeLinked(peer, link, at: now, into: &out)
        }
    }
}
