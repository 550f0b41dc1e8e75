import NIOCore
import RelayCore

/// A host's control line.
extension NetplayEngine {
    /// RetroArch opens so many links at a time; of a guest announced beyond that it never hears.
    static let linksOpenedAtOnce = 8

    mutating func receiveWords(
        _ received: ByteBuffer, from peer: PeerID, _ owner: Peer.Owner, at now: Instant, into out: inout Outbox
    ) {
        var owner = owner
        owner.bytes.writeImmutableBuffer(received)
        do {
            while let message = try OwnerMessage.decode(from: &owner.bytes) {
                owner.pingAt = now + configuration.pingInterval
                owner.queryDeadline = nil
                switch message {
                case .ping: owner.unansweredPings = 0
                case .addressQuery(let guest): answerAddressQuery(for: guest, from: peer, owner, into: &out)
                }
            }
        } catch {
            return close(peer, .unknownWord, at: now, into: &out)
        }
        if owner.bytes.readableBytes >= 4, owner.queryDeadline == nil {
            owner.queryDeadline = now + configuration.handshakeTimeout
        }
        owner.bytes = ByteBuffer(bytes: owner.bytes.readableBytesView)
        keep(owner, of: peer)
    }

    mutating func ownerDue(_ peer: PeerID, _ owner: Peer.Owner, at now: Instant, into out: inout Outbox) {
        var owner = owner
        if let deadline = owner.queryDeadline, deadline <= now {
            return close(peer, .addressQueryTimeout, at: now, into: &out)
        }
        if owner.pingAt <= now {
            guard owner.unansweredPings < configuration.maxUnansweredPings else {
                return close(peer, .unansweredPings, at: now, into: &out)
            }
            out.send(TunnelReply.ping.encoded, to: peer)
            owner.unansweredPings += 1
            owner.pingAt = now + configuration.pingInterval
        }
        keep(owner, of: peer)
    }

    mutating func removeOwner(_ peer: PeerID, _ owner: Peer.Owner, at now: Instant, into out: inout Outbox) {
        let waiting = sessions.update(owner.session) { session in
            session.owner = nil
            return session.pending
        }
        out.emit(NetplayEvent.hostLeft(peer, session: owner.session))
        for guest in waiting ?? [] {
            close(guest, .hostLeft, at: now, into: &out)
        }
        closeIfEmpty(owner.session, into: &out)
    }

    /// Tells the host of waiting guests, as many as it can take at once.
    mutating func announceGuests(of id: TunnelID, into out: inout Outbox) {
        guard let owner = sessions[id]?.owner else { return }
        let newlyAnnounced = sessions.update(id) { session in
            let room = max(0, Self.linksOpenedAtOnce - session.announced.count)
            let next = Array(session.unannounced.prefix(room))
            session.unannounced.removeFirst(next.count)
            session.announced.formUnion(next)
            return next
        }
        for peer in newlyAnnounced ?? [] {
            guard case .pending(let guest) = peers[peer]?.phase else { continue }
            out.send(TunnelReply.guestWaits(guest.id).encoded, to: owner)
        }
    }

    mutating func closeIfEmpty(_ id: TunnelID, into out: inout Outbox) {
        guard sessions[id]?.memberCount == 0 else { return }
        sessions.close(id)
        out.emit(NetplayEvent.sessionClosed(session: id))
    }

    private mutating func keep(_ owner: Peer.Owner, of peer: PeerID) {
        peers.update(peer) { $0.phase = .owner(owner) }
        deadlines.schedule(peer, at: min(owner.pingAt, owner.queryDeadline ?? owner.pingAt))
    }

    private func answerAddressQuery(
        for id: TunnelID, from peer: PeerID, _ owner: Peer.Owner, into out: inout Outbox
    ) {
        let reply: TunnelReply
        if id == .none {
            reply = .address(.none, peers[peer]?.endpoint.address)
        } else if let guest = guests[id], let found = peers[guest], found.session == owner.session {
            reply = .address(id, found.endpoint.address)
        } else {
            reply = .address(.none, nil)
        }
        out.send(reply.encoded, to: peer)
    }
}

extension Peer {
    /// The session it belongs to.
    var session: TunnelID? {
        switch phase {
        case .opening: nil
        case .owner(let owner): owner.session
        case .pending(let guest): guest.session
        case .linked(let link): link.session
        }
    }
}
