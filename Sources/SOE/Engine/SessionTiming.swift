import RelayCore

/// A session's times in nanoseconds; what never happens is `never` away, which is `Instant.never` after anything.
struct SessionTiming {
    private static let never = Int64.max

    /// Between tries to get a session back whose peer does not know it, and how long they go on.
    static let remapInterval: Int64 = 500_000_000
    static let remapTimeout: Int64 = 5_000_000_000
    /// How often a client says something after opening until it has heard the server: many servers hold a session for
    /// open only when its client has spoken.
    static let greetingInterval: Int64 = 1_000_000_000
    /// How long after a client's first packet its request may still come again, for it was held up.
    static let repeatedRequest: Int64 = 2_000_000_000
    /// When a Disconnect is said again, for it is never acknowledged.
    static let farewellIntervals: [Int64] = [100_000_000, 300_000_000]

    let heartbeat: Int64
    let inactivity: Int64
    let unacknowledged: Int64
    let connect: Int64
    let request: Int64
    let netStatus: Int64
    let flush: Int64

    init(_ parameters: SOEParameters, role: SOESession.Role) {
        heartbeat = Self.nanoseconds(parameters.heartbeatAfter)
        inactivity = Self.nanoseconds(parameters.inactivityTimeout)
        unacknowledged = Self.nanoseconds(parameters.unacknowledgedTimeout)
        connect = Self.nanoseconds(parameters.connectTimeout)
        request = max(Self.nanoseconds(parameters.requestInterval), 10_000_000)
        netStatus =
            role == .client
            ? Self.nanoseconds(parameters.netStatusInterval ?? parameters.dialect.netStatusInterval) : Self.never
        flush = Self.nanoseconds(parameters.flushTimeout)
    }

    /// A deadline that may come a little later, so that many quiet sessions are looked after at one time.
    func together(_ deadline: Instant) -> Instant {
        guard heartbeat > 1_000_000_000, inactivity > 1_000_000_000, deadline < .never else { return deadline }
        let step: Int64 = 1 << 26  // 67 ms
        return Instant(nanoseconds: (deadline.nanoseconds | (step - 1)))
    }

    private static func nanoseconds(_ duration: Duration) -> Int64 {
        duration > .zero ? duration.wholeNanoseconds : never
    }
}
