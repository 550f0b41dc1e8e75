/// Decides who may connect, before any state exists for him: bans, rates, and bounds per address, per /64 and in all.
///
/// Pure, like the engines: one value guards all listeners of a process, whatever their protocol.
public struct Admission: Sendable {
    /// The bounds; 0 means without limit.
    public struct Limits: Hashable, Sendable {
        /// Connections of all peers together.
        public var connections = 10_000
        /// Connections of one address.
        public var connectionsPerAddress = 1024
        /// Connections of one IPv6 /64, which is what one subscriber usually has.
        public var connectionsPerPrefix = 2048
        /// New connections of one address, or of one IPv6 /64.
        public var newConnections = TokenBucket.Rate(perSecond: 200, burst: 1000)

        public init() {}
    }

    /// Why somebody was turned away. The raw value is the word that is counted.
    public enum Refusal: String, Error, CaseIterable, Sendable {
        case banned
        case serverFull = "server_full"
        case addressFull = "address_full"
        case prefixFull = "prefix_full"
        case tooFast = "too_fast"
    }

    /// What is known of one address or /64 that has connections, or had one a moment ago.
    private struct Subject {
        var connections = 0
        var arrivals: TokenBucket
    }

    public var limits: Limits
    public private(set) var connections = 0
    /// Bans that stand in the configuration.
    public var configuredBans = BanList()
    /// Bans that were made while the server ran.
    public var madeBans = BanList()
    private var subjects: [IPPrefix: Subject] = [:]
    /// Remembering more addresses than this, those without a connection are forgotten.
    private let memory: Int

    public init(limits: Limits, memory: Int = 65_536) {
        self.limits = limits
        self.memory = memory
    }

    /// How many addresses and prefixes are remembered.
    public var knownSubjects: Int { subjects.count }

    /// The ban that keeps an address out now.
    public func ban(of address: IPAddress, at now: Instant) -> BanList.Ban? {
        madeBans.ban(of: address, at: now) ?? configuredBans.ban(of: address, at: now)
    }

    /// Counts a new connection, or says why not. Each one admitted must be released once.
    ///
    /// - Parameter evenIfBanned: whether somebody banned is admitted as well, for a protocol that tells him why not.
    public mutating func admit(_ address: IPAddress, evenIfBanned: Bool = false, at now: Instant) throws(Refusal) {
        if !evenIfBanned, ban(of: address, at: now) != nil { throw .banned }
        if limits.connections > 0, connections >= limits.connections { throw .serverFull }
        forgetIfCrowded()
        let host = IPPrefix(address)
        try check(host, limit: limits.connectionsPerAddress, full: .addressFull, at: now)
        if address.ipv4 == nil {
            try check(.subscriber(of: address), limit: limits.connectionsPerPrefix, full: .prefixFull, at: now)
            subjects[.subscriber(of: address)]?.connections += 1
        }
        subjects[host]?.connections += 1
        connections += 1
    }

    /// Gives back what `admit` counted.
    public mutating func release(_ address: IPAddress, at now: Instant) {
        connections = max(0, connections - 1)
        release(IPPrefix(address), at: now)
        if address.ipv4 == nil { release(.subscriber(of: address), at: now) }
    }

    private mutating func check(
        _ subject: IPPrefix, limit: Int, full: Refusal, at now: Instant
    ) throws(Refusal) {
        var known = subjects[subject] ?? Subject(arrivals: TokenBucket(at: now))
        let inTime = known.arrivals.take(at: now, rate: limits.newConnections)
        subjects[subject] = known
        if limit > 0, known.connections >= limit { throw full }
        if !inTime { throw .tooFast }
    }

    private mutating func release(_ prefix: IPPrefix, at now: Instant) {
        guard var subject = subjects[prefix] else { return }
        subject.connections = max(0, subject.connections - 1)
        subjects[prefix] = subject.connections == 0 && subject.arrivals.isFull(at: now) ? nil : subject
    }

    private mutating func forgetIfCrowded() {
        guard subjects.count >= memory else { return }
        subjects = subjects.filter { $0.value.connections > 0 }
    }
}
