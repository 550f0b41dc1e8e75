import NIOCore
import RelayCore

/// Pairs whose ends do not agree about compression, or have not shown yet whether they do.
///
/// They are marked as inspected, and what is known of them stands in a table beside, so that pairs that are merely
/// copied are as small and as quick as if there were no others.
extension NetplayEngine {
    /// The most bytes that wait in one direction. Its sender is paused; this is more than the network had under way.
    private static let maxWaitingBytes = 1 << 20
    /// The most kept for all pairs together of savestates that are being compressed, in the largest states allowed.
    private static let maxStatesKept = 4

    mutating func inspect(guest: PeerID, link: PeerID) {
        transcodings[guest] = Transcoding(guest: guest, link: link, maxStateBytes: configuration.maxStateBytes)
    }

    mutating func receiveInspected(
        _ bytes: ByteBuffer, from peer: PeerID, _ link: Peer.Linked, at now: Instant, into out: inout Outbox
    ) {
        // The partner may have gone, with the peer still to get what it had said.
        guard let transcoding = transcodings[link.guest(peer)], peers[link.partner] != nil else { return }
        let direction = transcoding[link.role]
        transcoding.receive(bytes, from: link.role, into: &out)
        if transcoding.rawSide == nil, decide(transcoding, at: now, into: &out) { return }
        moveOn(direction, of: transcoding, at: now, into: &out)
        if direction.transcoder.waitingBytes > Self.maxWaitingBytes {
            abandon(direction)
            close(direction.receiver, .slowReader, at: now, into: &out)
        }
    }

    mutating func receiveInspectedEnd(
        from peer: PeerID, _ link: Peer.Linked, at now: Instant, into out: inout Outbox
    ) {
        guard let transcoding = transcodings[link.guest(peer)], peers[link.partner] != nil else { return }
        let direction = transcoding[link.role]
        direction.transcoder.receiveEnd()
        moveOn(direction, of: transcoding, at: now, into: &out)
    }

    mutating func inspectedWritability(
        of peer: PeerID, _ link: Peer.Linked, is writable: Bool, at now: Instant, into out: inout Outbox
    ) {
        guard let transcoding = transcodings[link.guest(peer)] else { return }
        let direction = transcoding[link.role.other]
        direction.isReceiverWritable = writable
        if writable {
            continueWork(direction, of: transcoding, at: now, into: &out)
        } else if peers[link.partner] != nil {
            pauseSender(of: direction, into: &out)
        } else {
            deadlines.schedule(peer, at: now + configuration.halfCloseTimeout)
        }
    }

    /// The link of a pair, or whoever of it is left, has a deadline of its own: it is time to do more work.
    mutating func workDue(_ peer: PeerID, _ link: Peer.Linked, at now: Instant, into out: inout Outbox) {
        guard let transcoding = transcodings[link.guest(peer)] else { return }
        if peers[link.partner] == nil, !transcoding[link.role.other].isReceiverWritable {
            return close(peer, .partnerLeft, at: now, into: &out)
        }
        for role in [Peer.Role.guest, .link] where transcoding[role].wantsTurn && transcodings[link.guest(peer)] != nil
        {
            continueWork(transcoding[role], of: transcoding, at: now, into: &out)
        }
    }

    /// One of a pair has gone. What it had said is first brought to the other one, if that takes time; `false` if there
    /// is no more of it.
    mutating func outlives(_ gone: PeerID, _ link: Peer.Linked, at now: Instant, into out: inout Outbox) -> Bool {
        guard let transcoding = transcodings[link.guest(gone)], peers[link.partner] != nil else { return false }
        let direction = transcoding[link.role]
        if transcoding.rawSide == nil {
            // Nobody will ever know more of this pair.
            let rest = direction.transcoder.takeAll()
            if rest.readableBytes > 0 { out.forward(rest, to: direction.receiver) }
            return false
        }
        direction.transcoder.receiveEnd()
        guard !direction.transcoder.isAtRest else { return false }
        // Nobody hears it any more, but its own end must be noticed.
        if transcoding[link.role.other].isSenderPaused { out.resume(direction.receiver) }
        deadlines.schedule(direction.receiver, at: now + configuration.halfCloseTimeout)
        moveOn(direction, of: transcoding, at: now, into: &out)
        return true
    }

    mutating func stopInspecting(_ guest: PeerID) {
        guard let transcoding = transcodings.removeValue(forKey: guest) else { return }
        keptStateBytes -= transcoding.keptBytes
    }

    // MARK: Within

    /// Acts on what the headers have shown; `true` if the pair is a plain one.
    private mutating func decide(_ transcoding: Transcoding, at now: Instant, into out: inout Outbox) -> Bool {
        switch transcoding.agreement {
        case .open:
            return false
        case .plain:
            becomePlain(transcoding, at: now, into: &out)
            return true
        case .transcoded(let raw):
            transcoding.begin(raw: raw)
            if let session = peers[transcoding.guest]?.session {
                out.emit(NetplayEvent.pairTranscoded(transcoding.guest, isGuestRaw: raw == .guest, session: session))
            }
            // The other direction may have waited for this.
            moveOn(transcoding[.guest], of: transcoding, at: now, into: &out)
            if transcodings[transcoding.guest] != nil {
                moveOn(transcoding[.link], of: transcoding, at: now, into: &out)
            }
            return true
        }
    }

    private mutating func becomePlain(_ transcoding: Transcoding, at now: Instant, into out: inout Outbox) {
        stopInspecting(transcoding.guest)
        for peer in [transcoding.guest, transcoding.link] {
            peers.update(peer) { peer in
                if case .linked(var link) = peer.phase {
                    link.isInspected = false
                    peer.phase = .linked(link)
                }
            }
        }
        for direction in [transcoding[.guest], transcoding[.link]] {
            let rest = direction.transcoder.takeAll()
            if rest.readableBytes > 0 { out.forward(rest, to: direction.receiver) }
            if direction.isSenderPaused, direction.isReceiverWritable { out.resume(direction.sender) }
        }
        for role in [Peer.Role.guest, .link] where transcoding[role].transcoder.hasEnded {
            endDirection(of: transcoding[role].sender, at: now, into: &out)
        }
    }

    /// Work that goes on long after its bytes came: they still keep the pair alive.
    private mutating func continueWork(
        _ direction: TranscodedDirection, of transcoding: Transcoding, at now: Instant, into out: inout Outbox
    ) {
        if direction.isReceiverWritable, !direction.transcoder.isAtRest {
            peers.update(direction.sender) { $0.lastReceived = now }
        }
        moveOn(direction, of: transcoding, at: now, into: &out)
    }

    private mutating func moveOn(
        _ direction: TranscodedDirection, of transcoding: Transcoding, at now: Instant, into out: inout Outbox
    ) {
        let kept = direction.transcoder.keptBytes
        let result = Result { () throws(SavestateError) in try direction.moveOn(into: &out) }
        let growth = direction.transcoder.keptBytes - kept
        keptStateBytes += growth
        if growth > 0, keptStateBytes > Self.maxStatesKept * configuration.maxStateBytes {
            return fail(direction, .savestatesFull, at: now, into: &out)
        }
        switch result {
        case .success(.done):
            if direction.transcoder.hasEnded {
                endInspected(direction, at: now, into: &out)
            } else if direction.isSenderPaused, direction.isReceiverWritable {
                direction.isSenderPaused = false
                out.resume(direction.sender)
            }
        case .success(.waits):
            pauseSender(of: direction, into: &out)
        case .success(.yields):
            pauseSender(of: direction, into: &out)
            let worker = peers[transcoding.link] != nil ? transcoding.link : transcoding.guest
            // Not now: then it would be done before anything else.
            deadlines.schedule(worker, at: now + .nanoseconds(1))
        case .failure(.bad):
            fail(direction, .badSavestate, at: now, into: &out)
        case .failure(.tooLarge):
            fail(direction, .savestateTooLarge, at: now, into: &out)
        }
    }

    private mutating func endInspected(_ direction: TranscodedDirection, at now: Instant, into out: inout Outbox) {
        if peers[direction.sender] != nil {
            endDirection(of: direction.sender, at: now, into: &out)
        } else {
            close(direction.receiver, .partnerLeft, at: now, into: &out)
        }
    }

    private mutating func fail(
        _ direction: TranscodedDirection, _ reason: CloseReason, at now: Instant, into out: inout Outbox
    ) {
        abandon(direction)
        close(peers[direction.sender] != nil ? direction.sender : direction.receiver, reason, at: now, into: &out)
    }

    private mutating func abandon(_ direction: TranscodedDirection) {
        keptStateBytes -= direction.transcoder.keptBytes
        direction.transcoder.abandon()
    }

    private mutating func pauseSender(of direction: TranscodedDirection, into out: inout Outbox) {
        guard !direction.isSenderPaused, peers[direction.sender] != nil else { return }
        direction.isSenderPaused = true
        out.pause(direction.sender)
    }
}

extension Peer.Linked {
    /// The guest of the pair that `own`, whose link this is, belongs to.
    func guest(_ own: PeerID) -> PeerID { role == .guest ? own : partner }
}
