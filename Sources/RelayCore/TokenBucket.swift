/// Allows so many takings per second on average, and so many at once.
///
/// One instant is all the state: when the bucket will be full again. A bucket that is full can be thrown away.
public struct TokenBucket: Sendable {
    /// How fast a bucket fills and how much it holds.
    public struct Rate: Hashable, Sendable {
        public var perSecond: Int
        public var burst: Int

        /// `perSecond` of 0 means without limit.
        public init(perSecond: Int, burst: Int) {
            self.perSecond = perSecond
            self.burst = burst
        }

        public static let unlimited = Rate(perSecond: 0, burst: 0)
    }

    private var fullAt: Instant

    /// A full bucket.
    public init(at now: Instant) {
        fullAt = now
    }

    /// Takes so many tokens, one if nothing is said, if there are as many.
    public mutating func take(_ count: Int = 1, at now: Instant, rate: Rate) -> Bool {
        guard rate.perSecond > 0 else { return true }
        let interval = 1_000_000_000 / Int64(rate.perSecond)
        let refilled = Swift.max(fullAt.nanoseconds, now.nanoseconds) + interval * Int64(count)
        guard refilled - now.nanoseconds <= interval * Int64(Swift.max(rate.burst, 1)) else { return false }
        fullAt = Instant(nanoseconds: refilled)
        return true
    }

    /// Whether there is one to take.
    public func canTake(at now: Instant, rate: Rate) -> Bool {
        var copy = self
        return copy.take(at: now, rate: rate)
    }

    public func isFull(at now: Instant) -> Bool { fullAt <= now }
}
