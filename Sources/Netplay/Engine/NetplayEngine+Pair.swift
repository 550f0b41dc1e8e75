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
        var (near, far) = (
            Peer.Linked(partner: peer, id: id, session: guest.session, role: .guest),
            Peer.Linked(partner: guestPeer, id: id, session: guest.session, role: .link)
        )
        if configuration.transcode {
            (near.isInspected, far.isInspected) = (true, true)
            inspect(guest: guestPeer, link: peer)
        }
        peers.update(guestPeer) {
            $0.phase = .linked(near)
            $0.lastReceived = now
        }
        peers.update(peer) { $0.phase = .linked(far) }
        deadlines.cancel(peer)
        deadlines.schedule(guestPeer, at: now + configuration.idleTimeout)
        out.emit(NetplayEvent.linked(guestPeer, link: peer, session: guest.session))
        out.resume(guestPeer)
        if let said = early.removeValue(forKey: guestPeer) { receive(said, from: guestPeer, at: now, into: &out) }
        if rest.readableBytes > 0 { receive(rest, from: peer, at: now, into: &out) }
        announceGuests(of: guest.session, into: &out)
    }

    /// One direction is over. Its end crosses behind what was forwarded; the other direction may finish.
    mutating func endDirection(of peer: PeerID, at now: Instant, into out: inout Outbox) {
        guard case .linked(var link) = peers[peer]?.phase, !link.hasEnded,
            case .linked(let partner) = peers[link.partner]?.phase
        else { return }
        if partner.hasEnded {
            return close(peer, .peerClosed, at: now, into: &out)
        }
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
        if link.isInspected, outlives(peer, link, at: now, into: &out) { return }
        let guest = link.guest(peer)
        stopInspecting(guest)
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
