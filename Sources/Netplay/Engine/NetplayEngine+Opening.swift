import NIOCore
import RelayCore

/// From the first bytes of a connection to what it is.
extension NetplayEngine {
    mutating func receiveOpening(
        _ received: ByteBuffer, from peer: PeerID, _ opening: Peer.Opening, at now: Instant,
        into out: inout Outbox
    ) {
        var opening = opening
        // Usually all of it comes at once; then nothing is copied.
        var bytes = opening.bytes.readableBytes == 0 ? received : opening.bytes
        if opening.bytes.readableBytes > 0 { bytes.writeImmutableBuffer(received) }
        do {
            if let message = try TunnelOpening.decode(from: &bytes) {
                open(peer, message, rest: bytes, at: now, into: &out)
                return
            }
        } catch {
            close(peer, .unknownOpening, at: now, into: &out)
            return
        }
        if opening.bytes.readableBytes < 4, bytes.readableBytes >= 4 {
            opening.deadline = now + configuration.handshakeTimeout
            deadlines.schedule(peer, at: opening.deadline)
        }
        opening.bytes = ByteBuffer(bytes: bytes.readableBytesView)
        peers.update(peer) { $0.phase = .opening(opening) }
    }

    private mutating func open(
        _ peer: PeerID, _ message: TunnelOpening, rest: ByteBuffer, at now: Instant, into out: inout Outbox
    ) {
        switch message {
        case .openSession:
            openSession(peer, rest: rest, at: now, into: &out)
        case .join(let session):
            join(peer, session, early: rest, at: now, into: &out)
        case .link(let guest):
            link(peer, to: guest, rest: rest, at: now, into: &out)
        case .bareNetplay:
            out.send(TunnelReply.bareNetplayRefusal.encoded, to: peer)
            close(peer, .bareNetplay, at: now, into: &out)
        }
    }

    private mutating func openSession(
        _ peer: PeerID, rest: ByteBuffer, at now: Instant, into out: inout Outbox
    ) {
        guard !isDraining else { return close(peer, .serverDraining, at: now, into: &out) }
        let id = unusedID()
        guard sessions.open(id, Session(owner: peer)) else { return close(peer, .sessionsFull, at: now, into: &out) }
        let owner = Peer.Owner(session: id, pingAt: now + configuration.pingInterval)
        peers.update(peer) { $0.phase = .owner(owner) }
        deadlines.schedule(peer, at: owner.pingAt)
        out.send(TunnelReply.sessionOpened(id).encoded, to: peer)
        out.emit(NetplayEvent.sessionOpened(peer, session: id))
        if rest.readableBytes > 0 { receiveWords(rest, from: peer, owner, at: now, into: &out) }
    }

    private mutating func join(
        _ peer: PeerID, _ session: TunnelID, early: ByteBuffer, at now: Instant, into out: inout Outbox
    ) {
        guard let address = peers[peer]?.endpoint.address else { return }
        guard let room = sessions[session], room.owner != nil else {
            return close(peer, .unknownSession, at: now, into: &out)
        }
        if configuration.maxClients > 0, room.memberCount >= configuration.maxClients {
            return close(peer, .sessionFull, at: now, into: &out)
        }
        let pending = pendingByAddress[address] ?? 0
        if configuration.maxPendingPerAddress > 0, pending >= configuration.maxPendingPerAddress {
            return close(peer, .addressPending, at: now, into: &out)
        }
        let guest = Peer.PendingGuest(id: unusedID(), session: session)
        guests[guest.id] = peer
        pendingByAddress[address] = pending + 1
        sessions.update(session) { room in
            room.pending.insert(peer)
            room.unannounced.append(peer)
        }
        peers.update(peer) { $0.phase = .pending(guest) }
        deadlines.schedule(peer, at: now + configuration.linkTimeout)
        out.emit(NetplayEvent.guestWaiting(peer, session: session))
        if early.readableBytes > 0 { keepEarly(early, of: peer, into: &out) }
        announceGuests(of: session, into: &out)
    }

    /// Keeps what a guest says before its link exists; with enough kept, the rest stays in the network.
    mutating func keepEarly(_ bytes: ByteBuffer, of peer: PeerID, into out: inout Outbox) {
        early[peer, default: ByteBuffer()].writeImmutableBuffer(bytes)
        if let kept = early[peer]?.readableBytes, kept >= configuration.maxEarlyBytes { out.pause(peer) }
    }

    private mutating func unusedID() -> TunnelID {
        while true {
            let id = TunnelID.random(from: &random)
            if !sessions.contains(id), guests[id] == nil { return id }
        }
    }
}
