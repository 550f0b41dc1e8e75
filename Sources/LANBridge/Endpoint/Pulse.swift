import RelayCore

/// Asks the relay for a sign of life, and knows how long one takes and how long there was none.
struct Pulse {
    private let interval: Int64
    private let silence: Int64
    private var nextPing: Instant?
    private var heardAt: Instant
    private var number: UInt16 = 0
    private var sentAt: Instant?
    /// When the first of the pings was sent that nothing has answered.
    private var unansweredSince: Instant?
    /// Smoothed, as TCP does it.
    private var smoothed: Int64?

    init(interval: Duration, silence: Duration, at now: Instant) {
        self.interval = max(1, interval.wholeNanoseconds)
        self.silence = silence.wholeNanoseconds
        heardAt = now
    }

    /// When it has to be looked at.
    func next(isSilent: Bool) -> Instant? {
        guard let nextPing else { return nil }
        guard !isSilent, let since = unansweredSince else { return nextPing }
        return min(nextPing, since.after(silence))
    }

    var roundTrip: Duration? { smoothed.map { .nanoseconds($0) } }

    mutating func start(_ relay: PeerID, at now: Instant, into out: inout LANOutbox) {
        heardAt = now
        unansweredSince = nil
        smoothed = nil
        ping(relay, at: now, into: &out)
    }

    mutating func stop() {
        nextPing = nil
        sentAt = nil
        unansweredSince = nil
    }

    mutating func ping(_ relay: PeerID, at now: Instant, into out: inout LANOutbox) {
        number &+= 1
        sentAt = now
        if unansweredSince == nil { unansweredSince = now }
        nextPing = now.after(interval)
        out.append(.datagram(OverlayHeader(ping: number), .input(0..<0), to: relay, isUrgent: true))
    }

    mutating func advance(_ relay: PeerID, at now: Instant, into out: inout LANOutbox) {
        if let nextPing, nextPing <= now { ping(relay, at: now, into: &out) }
    }

    mutating func answered(_ number: UInt16, at now: Instant) {
        guard number == self.number, let sent = sentAt else { return }
        sentAt = nil
        let took = max(0, now.since(sent))
        smoothed = smoothed.map { $0 + (took - $0) / 8 } ?? took
    }

    /// Anything came.
    @inline(__always)
    mutating func heard(at now: Instant) {
        heardAt = now
        unansweredSince = nil
    }

    /// Whether the relay was asked and has said nothing for too long.
    func isSilent(at now: Instant) -> Bool {
        guard let since = unansweredSince else { return false }
        return now.since(since) >= silence
    }
}
