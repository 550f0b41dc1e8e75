public import RelayCore

/// The desk that gives out dedicated hosts: requests, outcomes and time in, effects out.
///
/// It decides who gets a host and when one ends. It touches no process, socket, file or clock; whoever calls it does,
/// and reports what came of it.
///
/// One who repeats his request while its host exists, because a datagram was lost, is told the same again: hosts are
/// known by the address that asked and the whole request.
public struct DedicatedEngine {
    /// Whose request, and which.
    struct Key: Hashable {
        var address: IPAddress
        var request: HostingRequest
    }

    /// How long a starting program is left alone between two questions whether it answers.
    static let startProbeInterval = Duration.milliseconds(250)
    /// How often an open host without guests is asked whether it still answers.
    static let healthInterval = Duration.seconds(5)
    /// So many questions in a row left unanswered mean that it hangs.
    static let maxMissedProbes = 2
    /// RetroArch announces a room this often; a lobby forgets it after a minute.
    static let announcementInterval = Duration.seconds(20)
    static let firstAnnouncement = Duration.seconds(1)
    /// Ports below are those of services, none of which asks for a host.
    static let lowestSourcePort: UInt16 = 1024

    var configuration: DedicatedConfiguration
    var limiter: RequestLimiter
    var isDraining = false
    var ids = PeerTable<Void>()
    var hosts = PeerMap<DedicatedHost>()
    /// The hosts that datagrams asked for and that can still be joined.
    var requested: [Key: PeerID] = [:]
    /// The port tried last: one that has just been given back rests for as long as possible.
    var lastPort: UInt16?
    var deadlines = DeadlineHeap()

    public init(configuration: DedicatedConfiguration) {
        self.configuration = configuration
        limiter = RequestLimiter(rate: configuration.requests)
    }

    // MARK: From the operator

    /// Asks for a host without being a stranger: only the number of hosts is bounded.
    public mutating func open(
        _ request: HostingRequest, at now: Instant, into out: inout [DedicatedEffect]
    ) throws(HostingRefusal) -> PeerID {
        if isDraining { throw .draining }
        guard hosts.count < configuration.maxHosts else { throw .hostsFull }
        return add(request, owner: nil, asker: nil, at: now, into: &out)
    }

    /// Ends a host; `false` if there is none of that number.
    public mutating func close(_ host: PeerID, at now: Instant, into out: inout [DedicatedEffect]) -> Bool {
        guard hosts[host] != nil else { return false }
        stop(host, .requested, into: &out)
        return true
    }

    /// From now on no new hosts; those that have guests keep them.
    public mutating func drain(at now: Instant, into out: inout [DedicatedEffect]) {
        isDraining = true
        for (id, host) in hosts.all {
            if host.guests == 0 {
                stop(id, .draining, into: &out)
            } else {
                letRun(id, until: .draining)
            }
        }
    }

    /// New hosts again. Those that were to end with their last guest still do.
    public mutating func endDrain() {
        isDraining = false
    }

    /// Ends every host.
    public mutating func stop(at now: Instant, into out: inout [DedicatedEffect]) {
        isDraining = true
        for (id, _) in hosts.all { stop(id, .stopping, into: &out) }
    }

    /// Takes new settings; hosts that exist stay.
    public mutating func reconfigure(_ configuration: DedicatedConfiguration) {
        self.configuration = configuration
        limiter.rate = configuration.requests
    }

    // MARK: Time

    /// Does whatever is due.
    public mutating func advance(to now: Instant, into out: inout [DedicatedEffect]) {
        while let id = deadlines.popDue(at: now) {
            guard let host = hosts[id] else { continue }
            switch host.phase {
            case .finding, .openingDoor, .starting:
                if host.startBy <= now {
                    stop(id, .startTimeout, into: &out)
                } else {
                    probe(id, into: &out)
                }
            case .open:
                openHostDue(id, host, at: now, into: &out)
            case .stopping:
                break
            }
            reschedule(id)
        }
    }

    /// When `advance` should be called next.
    public var nextDeadline: Instant? { deadlines.next }

    // MARK: To look at

    /// How many hosts there are, in whatever phase.
    public var hostCount: Int { hosts.count }

    public func snapshots(at now: Instant) -> [DedicatedHostSnapshot] {
        hosts.all.map { DedicatedHostSnapshot($0.peer, $0.value, at: now) }
    }

    public func snapshot(of host: PeerID, at now: Instant) -> DedicatedHostSnapshot? {
        hosts[host].map { DedicatedHostSnapshot(host, $0, at: now) }
    }
}
