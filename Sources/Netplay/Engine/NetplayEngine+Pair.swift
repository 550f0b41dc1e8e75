import NIOCore
import RelayCore

/// A guest and its link: how they are joined, and how they part.
extension NetplayEngine {
    mutating func link(
        _ peer: PeerID, to id: TunnelID, rest: ByteBuffer, at now: Instant, into out: inout Outbox
    ) {
        guard let guestPeer = guests[id], case .pending(let guest) = peers[guestPeer]?.phase,
            let guestAddress = peers[guestPeer]?.endpoint.address
        else { return close(peer, .unknownGuest, at: now, into: &out) }
        if configuration.linkFromOwnerOnly {
            let owner = sessions[guest.session]?.owner.flatMap { peers[$0]?.endpoint.address }
            guard owner == peers[peer]?.endpoint.address else {
                return close(peer, .foreignLink, at: now, into: &out)
            }
        }
        noLongerPending(guestPeer, guest, from: guestAddress)
        sessions.update(guest.session) { _ = $0.linkedGuests.insert(guestPeer) }
        peers.update(guestPeer) {
            $0.phase = .linked(Peer.Linked(partner: peer, id: id, session: guest.session, role: .guest))
            $0.lastReceived = now
        }
        peers.update(peer) {
            $0.phase = .linked(Peer.Linked(partner: guestPeer, id: id, session: guest.session, role: .link))
        }
        deadlines.cancel(peer)
        deadlines.schedule(guestPeer, at: now + configuration.idleTimeout)
        if let said = early.removeValue(forKey: guestPeer) { out.forward(said, to: peer) }
        if rest.readableBytes > 0 { out.forward(rest, to: guestPeer) }
        out.resume(guestPeer)
        out.emit(NetplayEvent.linked(guestPeer, link: peer, session: guest.session))
        announceGuests(of: guest.session, into: &out)
    }

    /// One direction is over. Its end crosses behind what was forwarded; the other direction may finish.
    mutating func endDirection(
        of peer: PeerID, _ link: Peer.Linked, at now: Instant, into out: inout Outbox
    ) {
        guard !link.hasEnded, case .linked(let partner) = peers[link.partner]?.phase else { return }
        if partner.hasEnded {
            return close(peer, .peerClosed, at: now, into: &out)
        }
        var link = link
        link.hasEnded = true
        peers.update(peer) {
            $0.lastReceived = now
            $0.phase = .linked(link)
        }
        out.finish(link.partner)
        deadlines.schedule(link.role == .guest ? peer : link.partner, at: now + configuration.halfCloseTimeout)
    }

    mutating func pairDue(_ guest: PeerID, _ link: Peer.Linked, at now: Instant, into out: inout Outbox) {
        guard let own = peers[guest], let partner = peers[link.partner], case .linked(let back) = partner.phase else {
            return
        }
        let isHalfClosed = link.hasEnded || back.hasEnded
        let limit = isHalfClosed ? configuration.halfCloseTimeout : configuration.idleTimeout
        let due = max(own.lastReceived, partner.lastReceived) + limit
        if due <= now {
            close(guest, isHalfClosed ? .halfClosed : .idle, at: now, into: &out)
        } else {
            deadlines.schedule(guest, at: due)
        }
    }

    mutating func removePending(
        _ peer: PeerID, _ guest: Peer.PendingGuest, from address: IPAddress, at now: Instant,
        into out: inout Outbox
    ) {
        guests[guest.id] = nil
        early[peer] = nil
        noLongerPending(peer, guest, from: address)
        announceGuests(of: guest.session, into: &out)
        closeIfEmpty(guest.session, into: &out)
    }

    mutating func removeLinked(_ peer: PeerID, _ link: Peer.Linked, at now: Instant, into out: inout Outbox) {
        let guest = link.role == .guest ? peer : link.partner
        if guests.removeValue(forKey: link.id) != nil {
            sessions.update(link.session) { _ = $0.linkedGuests.remove(guest) }
            out.emit(NetplayEvent.pairEnded(guest, session: link.session))
            closeIfEmpty(link.session, into: &out)
        }
        if peers[link.partner] != nil { close(link.partner, .partnerLeft, at: now, into: &out) }
    }

    private mutating func noLongerPending(_ peer: PeerID, _ guest: Peer.PendingGuest, from address: IPAddress) {
        sessions.update(guest.session) { session in
            session.pending.remove(peer)
            session.announced.remove(peer)
            session.unannounced.removeAll { $0 == peer }
        }
        let others = (pendingByAddress[address] ?? 1) - 1
        pendingByAddress[address] = others > 0 ? others : nil
    }
}
