import RelayCore

/// How often each address may ask. Addresses of one IPv6 /64 are one, for one subscriber has them all.
struct RequestLimiter {
    var rate: TokenBucket.Rate
    private var buckets: [IPAddress: TokenBucket] = [:]
    /// The most addresses remembered at a time.
    private let memory: Int
    /// When the memory was last searched for what can be forgotten: floods must not make that a habit.
    private var sweptAt: Instant?

    init(rate: TokenBucket.Rate, memory: Int = 16_384) {
        self.rate = rate
        self.memory = memory
    }

    mutating func take(_ address: IPAddress, at now: Instant) -> Bool {
        let subscriber = Self.subscriber(of: address)
        if buckets.count >= memory, buckets[subscriber] == nil {
            forgetIdle(at: now)
            // With forged senders there can be more than that. Then nobody new is heard until some are forgotten.
            guard buckets.count < memory else { return false }
        }
        return buckets[subscriber, default: TokenBucket(at: now)].take(at: now, rate: rate)
    }

    private mutating func forgetIdle(at now: Instant) {
        if let sweptAt, now < sweptAt + .seconds(1) { return }
        sweptAt = now
        buckets = buckets.filter { !$0.value.isFull(at: now) }
    }

    static func subscriber(of address: IPAddress) -> IPAddress {
        address.ipv4 == nil ? IPAddress(high: address.high, low: 0) : address
    }
}
