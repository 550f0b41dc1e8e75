import RelayCore

/// Whether a second bridge joins a gateway's LAN and its room, so that frames would go round for ever.
///
/// The gateway sends a frame with a number nobody can guess both to the LAN and to the relay. If it comes back from the
/// other side, it is stopped, and only probes go on; a minute later, if none has come back meanwhile, it goes on.
struct LoopWatch {
    private let mac: MACAddress
    private(set) var next: Instant?
    private(set) var isStopped = false
    private var retryAt = Instant.zero
    private var lastFound = Instant.zero
    private var lastSent = Instant.zero
    /// The last two nonces: a probe may be on its way while the next is sent.
    private var nonces: [(UInt64, UInt64)] = []
    private var groupFrames = 0
    private var countedSince = Instant.zero

    private static let interval = Duration.seconds(10)
    private static let stop = Duration.seconds(60)
    /// So many broadcasts and multicasts within a second look like a storm; then it is probed at once.
    private static let storm = 200

    init(mac: MACAddress) {
        self.mac = mac
    }

    mutating func start(_ random: inout RandomSource, at now: Instant) {
        next = now
    }

    mutating func probe(_ random: inout RandomSource, at now: Instant) -> [UInt8] {
        let nonce = (random.next(), random.next())
        if nonces.count == 2 { nonces.removeFirst() }
        nonces.append(nonce)
        lastSent = now
        next = now + Self.interval
        return ProbeFrame(kind: .loop, first: nonce.0, second: nonce.1).bytes(from: mac, to: .broadcast)
    }

    func isOwn(_ probe: ProbeFrame) -> Bool {
        nonces.contains { $0 == (probe.first, probe.second) }
    }

    /// A probe came back; whether that is news.
    mutating func found(at now: Instant) -> Bool {
        lastFound = now
        guard !isStopped else { return false }
        isStopped = true
        retryAt = now + Self.stop
        return true
    }

    /// Whether it goes on now, after a stop.
    mutating func ended(at now: Instant) -> Bool {
        guard isStopped, now >= retryAt else { return false }
        if now - lastFound < Self.interval + Self.interval {
            retryAt = now + Self.stop
            return false
        }
        isStopped = false
        return true
    }

    /// Counts a broadcast or multicast of the LAN; whether a probe is due because there are so many.
    @inline(__always)
    mutating func countGroupFrame(at now: Instant) -> Bool {
        if now.since(countedSince) >= 1_000_000_000 {
            countedSince = now
            groupFrames = 0
        }
        groupFrames += 1
        return groupFrames == Self.storm && now.since(lastSent) >= 1_000_000_000
    }
}
