import NIOCore
public import RelayCore

extension SOESession {
    /// Does whatever is due, and sends what the turn's input has made ready.
    public mutating func advance(to now: Instant, into out: inout DatagramOutbox) {
        inputAt = nil
        switch phase {
        case .negotiating(let giveUpAt, let requestAt):
            if now >= giveUpAt {
                end(.connectFailed, byPeer: false, at: now, into: &out)
            } else if now >= requestAt {
                phase = .negotiating(giveUpAt: giveUpAt, requestAt: now.after(timing.request))
                sendRequest(into: &out)
            }
        case .running, .closing:
            runTimers(at: now, into: &out)
            guard isOpen else { return }
            sendDatagrams(at: now, into: &out)
            if wantsRoom, queuedBytes <= parameters.maxQueued / 2 {
                wantsRoom = false
                out.emit(SOEEvent.writable(id))
            }
        case .closed(let farewells, let next):
            guard farewells > 0, now >= next else { return }
            repeatFarewell(left: farewells - 1, at: now, into: &out)
        }
    }

    /// When `advance` should be called next. It may come early, never late.
    public var nextDeadline: Instant? {
        let at = inputAt ?? nextTimer
        return at == .never ? nil : at
    }

    private var nextTimer: Instant {
        switch phase {
        case .negotiating(let giveUpAt, let requestAt): return min(giveUpAt, requestAt)
        case .closed(let farewells, let next): return farewells > 0 ? next : Instant.never
        case .running: return nextOpenTimer
        case .closing(_, let until): return min(until, nextOpenTimer)
        }
    }

    private var nextOpenTimer: Instant {
        let silence = min(lastSent.after(timing.heartbeat), lastReceived.after(timing.inactivity))
        var next = min(timing.together(silence), greetingAt, netStatusAt)
        if let remapping { next = min(next, remapping.until, remapping.tryAt) }
        for index in channels.indices {
            if let due = channels[index].receiver.acknowledgementDue { next = min(next, due) }
            if let timeout = channels[index].sender.timeoutAt(over: path) { next = min(next, timeout) }
            if let paced = channels[index].sender.pacedUntil(over: path) { next = min(next, paced) }
            if channels[index].sender.awaitsAcknowledgement {
                next = min(next, channels[index].sender.progressAt.after(timing.unacknowledged))
            }
        }
        return next
    }

    private mutating func runTimers(at now: Instant, into out: inout DatagramOutbox) {
        if now >= lastReceived.after(timing.inactivity) {
            return end(.timeout, byPeer: false, at: now, into: &out)
        }
        for index in channels.indices where channels[index].sender.awaitsAcknowledgement {
            if now >= channels[index].sender.progressAt.after(timing.unacknowledged) {
                return end(.unacknowledgedTimeout, byPeer: false, at: now, into: &out)
            }
            if let timeout = channels[index].sender.timeoutAt(over: path), now >= timeout {
                let mayNotRepeat =
                    parameters.dialect.peerMayNotRepeatAcknowledgements && !repeatsAcknowledgements
                channels[index].sender.timedOut(at: now, over: &path, peerMayNotRepeat: mayNotRepeat)
            }
        }
        if case .closing(let reason, let until) = phase, isDrained || now >= until {
            return end(reason, byPeer: false, at: now, into: &out)
        }
        if now >= lastSent.after(timing.heartbeat) {
            wantsHeartbeat = true
            trim()
        }
        if now >= greetingAt {
            wantsHeartbeat = wantsHeartbeat || firstHeard == nil
            greetingAt = firstHeard == nil ? now.after(SessionTiming.greetingInterval) : Instant.never
        }
        if now >= netStatusAt {
            wantsNetStatus = true
            netStatusAt = now.after(timing.netStatus)
        }
        tryRemapping(at: now, into: &out)
    }

    /// Gives back memory that a busier time has left.
    mutating func trim() {
        for index in channels.indices {
            channels[index].sender.trim()
            channels[index].receiver.trim()
        }
    }

    /// Whether everything that was taken has arrived.
    var isDrained: Bool { loose.isEmpty && channels.allSatisfy { $0.sender.isIdle } }
}
