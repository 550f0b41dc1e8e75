import DequeModule
import NIOCore
public import RelayCore

extension SOESession {
    /// Ends the session when everything that was taken has arrived, or after `flushTimeout`. It takes no more messages.
    public mutating func disconnect(
        _ reason: DisconnectReason = .application, at now: Instant, into out: inout DatagramOutbox
    ) {
        switch phase {
        case .negotiating:
            end(reason, byPeer: false, at: now, into: &out)
        case .running:
            if isDrained {
                end(reason, byPeer: false, at: now, into: &out)
            } else {
                let until = now.after(timing.flush)
                phase = .closing(reason, until: until)
                inputAt = inputAt ?? now
            }
        case .closing, .closed:
            break
        }
    }

    /// Ends the session now; what waits is lost.
    ///
    /// - Parameter tellsPeer: whether the peer is told. It should not be if it is known to have forgotten the session.
    public mutating func abort(
        _ reason: DisconnectReason, tellsPeer: Bool = true, at now: Instant, into out: inout DatagramOutbox
    ) {
        if case .closed = phase { return }
        end(reason, byPeer: false, tellsPeer: tellsPeer, at: now, into: &out)
    }

    /// Ends the session. Unless the peer has ended it, it is told, three times, since nobody acknowledges that.
    mutating func end(
        _ reason: DisconnectReason, byPeer: Bool, tellsPeer: Bool = true, at now: Instant,
        into out: inout DatagramOutbox
    ) {
        let tells = isOpen && !byPeer && tellsPeer
        if tells {
            // The peer must not think that what it sent was lost, unless it was nothing one could use.
            if reason != .corruptPacket { sendDatagrams(at: now, acknowledgesAll: true, into: &out) }
            sayFarewell(reason, into: &out)
        }
        let undelivered = early.count + channels.reduce(0) { $0 + $1.sender.outstandingMessages }
        out.emit(SOEEvent.closed(id, reason, byPeer: byPeer, undelivered: undelivered))
        endReason = reason
        endedByPeer = byPeer
        // The channels go, their figures stay.
        counted = statistics
        channels = []
        path = SendPath()
        early = []
        earlyBytes = 0
        loose = []
        inputAt = nil
        scheduleFarewell(left: tells ? SessionTiming.farewellIntervals.count : 0, at: now)
    }

    mutating func repeatFarewell(left: Int, at now: Instant, into out: inout DatagramOutbox) {
        sayFarewell(endReason, into: &out)
        scheduleFarewell(left: left, at: now)
    }

    private mutating func scheduleFarewell(left: Int, at now: Instant) {
        guard left > 0 else {
            phase = .closed(farewells: 0, next: .never)
            return
        }
        let interval = SessionTiming.farewellIntervals[SessionTiming.farewellIntervals.count - left]
        phase = .closed(farewells: left, next: now.after(interval))
    }

    mutating func sayFarewell(_ reason: DisconnectReason, into out: inout DatagramOutbox) {
        var writer = DatagramWriter(coding: coding, limit: sendLength)
        writer.begin(8, coding: coding, zlib: zlib, to: remote, &out)
        out.bytes.writeOpCode(.disconnect)
        Disconnect(sessionID: wireID, reason: reason).encode(into: &out.bytes)
        writer.finish(coding: coding, zlib: zlib, to: remote, &out)
        note(writer.finished, writer.finishedBytes)
    }
}
