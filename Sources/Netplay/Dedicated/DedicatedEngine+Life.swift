public import RelayCore

/// What becomes of a host. Reports about one that the desk does not know, or has moved past, do nothing.
extension DedicatedEngine {
    /// There is such content, and a core for it.
    public mutating func found(_ id: PeerID, at now: Instant, into out: inout [DedicatedEffect]) {
        guard hosts[id]?.phase == .finding else { return }
        openDoor(id, tried: 0, into: &out)
    }

    /// The port it was to have belongs to another program.
    public mutating func portTaken(_ id: PeerID, at now: Instant, into out: inout [DedicatedEffect]) {
        guard case .openingDoor(_, let tried) = hosts[id]?.phase else { return }
        openDoor(id, tried: tried + 1, into: &out)
    }

    /// Guests can reach the door; now there must be a host behind it.
    public mutating func doorOpened(
        _ id: PeerID, _ invitation: HostingInvitation, at now: Instant, into out: inout [DedicatedEffect]
    ) {
        guard case .openingDoor = hosts[id]?.phase else { return }
        hosts.update(id) { host in
            host.phase = .starting
            host.invitation = invitation
            host.nextProbe = now + Self.startProbeInterval
        }
        out.append(.launch(id))
        reschedule(id)
    }

    /// Nobody new can come through the tunnel any more.
    public mutating func doorLost(_ id: PeerID, at now: Instant, into out: inout [DedicatedEffect]) {
        guard let host = hosts[id], !host.isStopping else { return }
        if host.guests == 0 {
            stop(id, .tunnelLost, into: &out)
        } else {
            letRun(id, until: .tunnelLost)
        }
    }

    /// It cannot come to be.
    public mutating func failed(
        _ id: PeerID, _ end: HostEnd, at now: Instant, into out: inout [DedicatedEffect]
    ) {
        stop(id, end, into: &out)
    }

    /// Whether the program answered the question that was wanted.
    public mutating func probed(
        _ id: PeerID, answered: Bool, at now: Instant, into out: inout [DedicatedEffect]
    ) {
        guard let host = hosts[id] else { return }
        switch (host.phase, answered) {
        case (.starting, true):
            hosts.update(id) { host in
                host.phase = .open
                host.nextProbe = now + Self.healthInterval
                host.nextAnnouncement = now + Self.firstAnnouncement
                host.idleAt = host.guests == 0 ? now + configuration.idleTimeout : nil
            }
            if let invitation = host.invitation { out.append(.emit(.opened(id, invitation))) }
            answer(id, host.invitation, into: &out)
        case (.starting, false):
            hosts.update(id) { $0.nextProbe = now + Self.startProbeInterval }
        case (.open, _):
            let missed = answered ? 0 : host.missedProbes + 1
            if missed >= Self.maxMissedProbes { return stop(id, .hung, into: &out) }
            hosts.update(id) { host in
                host.missedProbes = missed
                host.nextProbe = now + Self.healthInterval
            }
        case (.finding, _), (.openingDoor, _), (.stopping, _):
            break
        }
        reschedule(id)
    }

    /// A guest has begun to talk with the host.
    public mutating func guestJoined(
        _ id: PeerID, from endpoint: Endpoint, at now: Instant, into out: inout [DedicatedEffect]
    ) {
        guard let host = hosts[id] else { return }
        hosts.update(id) { host in
            host.guests += 1
            host.idleAt = nil
        }
        out.append(.emit(.guestJoined(id, from: endpoint, guests: host.guests + 1)))
        reschedule(id)
    }

    public mutating func guestLeft(_ id: PeerID, at now: Instant, into out: inout [DedicatedEffect]) {
        guard let host = hosts[id], host.guests > 0 else { return }
        let left = host.guests - 1
        hosts.update(id) { host in
            host.guests = left
            if left == 0 { host.idleAt = now + configuration.idleTimeout }
        }
        out.append(.emit(.guestLeft(id, guests: left)))
        if left == 0, let end = host.isClosing { return stop(id, end, into: &out) }
        reschedule(id)
    }

    /// Nothing of it is left: its program, if there was one, has ended.
    public mutating func exited(_ id: PeerID, at now: Instant, into out: inout [DedicatedEffect]) {
        // One that ends unasked leaves a door and guests behind.
        if hosts[id]?.isStopping == false { return stop(id, .crashed, into: &out) }
        guard case .stopping(let end) = hosts[id]?.phase else { return }
        deadlines.cancel(id)
        hosts[id] = nil
        ids.remove(id)
        out.append(.emit(.ended(id, end)))
    }

    // MARK: Within

    /// Ends what there is of a host. Its number lives until `exited`.
    mutating func stop(_ id: PeerID, _ end: HostEnd, into out: inout [DedicatedEffect]) {
        guard let host = hosts[id], !host.isStopping else { return }
        forgetRequest(of: id)
        answer(id, nil, into: &out)
        hosts.update(id) { $0.phase = .stopping(end) }
        deadlines.cancel(id)
        // Where nothing has begun, its end says it all.
        if host.phase != .finding { out.append(.emit(.stopping(id, end))) }
        out.append(.stop(id))
    }

    /// Lets guests play on and ends the host with the last of them; who asks again gets another one.
    mutating func letRun(_ id: PeerID, until end: HostEnd) {
        forgetRequest(of: id)
        hosts.update(id) { host in
            host.isClosing = host.isClosing ?? end
            host.nextAnnouncement = nil
        }
        reschedule(id)
    }

    mutating func openHostDue(
        _ id: PeerID, _ host: DedicatedHost, at now: Instant, into out: inout [DedicatedEffect]
    ) {
        if let idleAt = host.idleAt, idleAt <= now { return stop(id, .idle, into: &out) }
        if let announcement = host.nextAnnouncement, announcement <= now {
            hosts.update(id) { $0.nextAnnouncement = now + Self.announcementInterval }
            out.append(.announce(id))
        }
        guard let probe = host.nextProbe, probe <= now else { return }
        if host.guests == 0 {
            self.probe(id, into: &out)
        } else {
            // Guests notice by themselves when nothing comes any more, and leave.
            hosts.update(id) { $0.nextProbe = now + Self.healthInterval }
        }
    }

    /// Asks, and not again before the answer.
    mutating func probe(_ id: PeerID, into out: inout [DedicatedEffect]) {
        hosts.update(id) { $0.nextProbe = nil }
        out.append(.probe(id))
    }

    mutating func reschedule(_ id: PeerID) {
        if let deadline = hosts[id]?.nextDeadline {
            deadlines.schedule(id, at: deadline)
        } else {
            deadlines.cancel(id)
        }
    }

    private mutating func openDoor(_ id: PeerID, tried: Int, into out: inout [DedicatedEffect]) {
        if configuration.isRelayed {
            hosts.update(id) { $0.phase = .openingDoor(port: nil, tried: tried) }
            out.append(.openDoor(id, port: nil))
        } else if tried < configuration.ports.count, let port = nextPort() {
            hosts.update(id) { $0.phase = .openingDoor(port: port, tried: tried) }
            out.append(.openDoor(id, port: port))
        } else {
            stop(id, .noPort, into: &out)
        }
    }

    /// The next port, going round, that no host has.
    private mutating func nextPort() -> UInt16? {
        let range = configuration.ports
        let taken = hosts.all.compactMap { $0.value.port }
        let start = lastPort.map { $0 < range.upperBound && range.contains($0) ? $0 + 1 : range.lowerBound }
        let first = start ?? range.lowerBound
        let inOrder = [first...range.upperBound, range.lowerBound...first].joined()
        lastPort = inOrder.first { !taken.contains($0) } ?? lastPort
        return lastPort.flatMap { taken.contains($0) ? nil : $0 }
    }

    private mutating func forgetRequest(of id: PeerID) {
        guard let host = hosts[id], let owner = host.owner else { return }
        let key = Key(address: owner.address, request: host.request)
        // A successor may have the same key by now.
        if requested[key] == id { requested[key] = nil }
    }
}

extension DedicatedHost {
    /// The port it has, or tries to get.
    fileprivate var port: UInt16? {
        if case .openingDoor(let port, _) = phase { return port }
        return invitation?.port
    }
}
