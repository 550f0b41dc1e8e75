import NIOCore
public import RelayCore

extension SOESession {
    /// Does whatever is due, and sends what the turn's input has made ready.
    public mutating func advance(to now: Instant, into out: inout DatagramOutbox) {
        inputAt = nil
        let now = now.nanoseconds
        switch phase {
        case .negotiating(let giveUpAt, let requestAt):
            if now >= giveUpAt {
                end(.connectFailed, byPeer: false, at: now, into: &out)
            } else if now >= requestAt {
                phase = .negotiating(giveUpAt: giveUpAt, requestAt: SessionTiming.after(now, timing.request))
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
        return at == SessionTiming.never ? nil : Instant(nanoseconds: at)
    }

    private var nextTimer: Int64 {
        switch phase {
        case .negotiating(let giveUpAt, let requestAt): return min(giveUpAt, requestAt)
        case .closed(let farewells, let next): return farewells > 0 ? next : SessionTiming.never
        case .running: return nextOpenTimer
        case .closing(_, let until): return min(until, nextOpenTimer)
        }
    }

    private var nextOpenTimer: Int64 {
        var next = SessionTiming.after(lastSent, timing.heartbeat)
        next = min(next, SessionTiming.after(lastReceived, timing.inactivity))
        next = min(next, greetingAt, netStatusAt)
        if let remapping { next = min(next, remapping.until, remapping.tryAt) }
        for index in channels.indices {
            if let due = channels[index].receiver.acknowledgementDue { next = min(next, due) }
            if let timeout = channels[index].sender.timeoutAt(over: path) { next = min(next, timeout) }
            if let paced = channels[index].sender.pacedUntil(over: path) { next = min(next, paced) }
            if channels[index].sender.awaitsAcknowledgement {
                next = min(next, SessionTiming.after(channels[index].sender.progressAt, timing.unacknowledged))
            }
        }
        return next
    }

    private mutating func runTimers(at now: Int64, into out: inout DatagramOutbox) {
        if now >= SessionTiming.after(lastReceived, timing.inactivity) {
            return end(.timeout, byPeer: false, at: now, into: &out)
        }
        for index in channels.indices where channels[index].sender.awaitsAcknowledgement {
            if now >= SessionTiming.after(channels[index].sender.progressAt, timing.unacknowledged) {
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
        if now >= SessionTiming.after(lastSent, timing.heartbeat) {
            wantsHeartbeat = true
            trim()
        }
        if now >= greetingAt {
            wantsHeartbeat = wantsHeartbeat || firstHeard == nil
            greetingAt = firstHeard == nil ? now + SessionTiming.greetingInterval : SessionTiming.never
        }
        if now >= netStatusAt {
            wantsNetStatus = true
            netStatusAt = SessionTiming.after(now, timing.netStatus)
        }
        tryRemapping(at: now, into: &out)
    }

    /// Gives back memory that a busier time has left.
    private mutating func trim() {
        for index in channels.indices { channels[index].sender.trim() }
    }

    /// Whether everything that was taken has arrived.
    var isDrained: Bool { loose.isEmpty && channels.allSatisfy { $0.sender.isIdle } }
}

// MARK: A peer that does not know the session

extension SOESession {
    mutating func startRemapping(at now: Int64) {
        guard remapping == nil else {
            remapping?.heard += 1
            return
        }
        remapping = Remapping(until: now + SessionTiming.remapTimeout, tryAt: now)
        inputAt = inputAt ?? now
    }

    /// Gives the peer a sign of life with the next `advance`.
    mutating func greet(at now: Instant) {
        wantsHeartbeat = true
        inputAt = inputAt ?? now.nanoseconds
    }

    /// Asks for the session back, and for any sign that it lives. One packet with its CRC and all is well; if the peer
    /// goes on saying that it does not know the session, that is the end.
    private mutating func tryRemapping(at now: Int64, into out: inout DatagramOutbox) {
        guard let doubt = remapping else { return }
        if now >= doubt.until {
            remapping = nil
            if doubt.heard >= 3 {
                end(.unreachableConnection, byPeer: false, tellsPeer: false, at: now, into: &out)
            }
            return
        }
        guard now >= doubt.tryAt else { return }
        remapping?.tryAt = now + SessionTiming.remapInterval
        wantsHeartbeat = true
        wantsNetStatus = true
        guard role == .client else { return }
        let start = out.bytes.writerIndex
        out.bytes.writeOpCode(.remapConnection)
        RemapConnection(sessionID: wireID, crcSeed: coding.crc.seed).encode(into: &out.bytes)
        note(1, out.bytes.writerIndex - start)
        out.send(from: start, to: remote)
    }
}

// MARK: What is said when there is nothing else to say

extension SOESession {
    mutating func writeStatus(at now: Int64, _ writer: inout DatagramWriter, into out: inout DatagramOutbox) {
        if let asked = netStatusAsked {
            netStatusAsked = nil
            let answer = NetStatusResponse(
                answering: asked, serverTick: UInt32(truncatingIfNeeded: now / 1_000_000),
                packetsSent: counted.datagramsSent &+ 1, packetsReceived: counted.datagramsReceived)
            beginStatus(.netStatusResponse, &writer, into: &out)
            answer.encode(into: &out.bytes)
            endStatus(&writer, into: &out)
        }
        if wantsNetStatus {
            wantsNetStatus = false
            beginStatus(.netStatusRequest, &writer, into: &out)
            netStatus(at: now).encode(into: &out.bytes)
            endStatus(&writer, into: &out)
        }
        if wantsHeartbeat {
            wantsHeartbeat = false
            // Anything else is as good a sign of life.
            guard writer.isEmpty else { return }
            writer.begin(2, coding: coding, zlib: zlib, to: remote, &out)
            out.bytes.writeOpCode(.heartbeat)
        }
    }

    private mutating func beginStatus(_ code: OpCode, _ writer: inout DatagramWriter, into out: inout DatagramOutbox) {
        if parameters.dialect.netStatusIsContextual {
            writer.begin(2 + NetStatusRequest.bodySize, coding: coding, zlib: zlib, to: remote, &out)
        } else {
            writer.finish(coding: coding, zlib: zlib, to: remote, &out)
        }
        out.bytes.writeOpCode(code)
    }

    private mutating func endStatus(_ writer: inout DatagramWriter, into out: inout DatagramOutbox) {
        guard !parameters.dialect.netStatusIsContextual else { return }
        // Both bodies have the same size.
        let start = out.bytes.writerIndex - 2 - NetStatusRequest.bodySize
        note(1, out.bytes.writerIndex - start)
        out.send(from: start, to: remote)
    }

    private func netStatus(at now: Int64) -> NetStatusRequest {
        func milliseconds(_ time: Int64?) -> UInt32 { UInt32(clamping: (time ?? 0) / 1_000_000) }
        var status = NetStatusRequest(tick: UInt16(truncatingIfNeeded: now / 1_000_000))
        let roundTrip = path.roundTrip
        status.averageRoundTrip = milliseconds(roundTrip.smoothed)
        status.lowestRoundTrip = milliseconds(roundTrip.smoothed.map { _ in roundTrip.lowest })
        status.highestRoundTrip = milliseconds(roundTrip.highest)
        status.lastRoundTrip = milliseconds(roundTrip.latest)
        status.packetsSent = counted.datagramsSent &+ 1
        status.packetsReceived = counted.datagramsReceived
        return status
    }

    /// A copy of what the session has counted.
    public var statistics: SOEStatistics {
        var figures = counted
        for channel in channels {
            let sent = channel.sender.statistics
            let received = channel.receiver.statistics
            figures.packetsSent &+= sent.packetsSent
            figures.packetsResent &+= sent.packetsResent
            figures.falseAcknowledgements &+= sent.falseAcknowledgements
            figures.timeouts &+= sent.timeouts
            figures.packetsReceived &+= received.packets
            figures.packetsRepeated &+= received.repeated
            figures.packetsOutOfOrder &+= received.outOfOrder
        }
        figures.queuedBytes = queuedBytes
        figures.packetsInFlight = path.inFlight
        figures.window = path.window
        if let smoothed = path.roundTrip.smoothed {
            figures.roundTrip = .nanoseconds(smoothed)
            figures.lowestRoundTrip = .nanoseconds(path.roundTrip.lowest)
            figures.roundTripVariation = .nanoseconds(path.roundTrip.variation)
        }
        return figures
    }
}
