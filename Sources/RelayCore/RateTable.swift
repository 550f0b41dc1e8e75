/// A token bucket per key, for a bounded number of keys.
///
/// Full buckets are forgotten when there are too many. If that frees less than half, all are, so that making room stays
/// rare: whoever has so many keys (addresses, say) has so many allowances too.
public struct RateTable<Key: Hashable & Sendable>: Sendable {
    public var rate: TokenBucket.Rate
    private var buckets: [Key: TokenBucket] = [:]
    private let memory: Int

    public init(rate: TokenBucket.Rate, memory: Int = 65_536) {
        self.rate = rate
        self.memory = memory
    }

    /// How many keys are remembered.
    public var count: Int { buckets.count }

    /// Whether the key has a token to take.
    public func canTake(_ key: Key, at now: Instant) -> Bool {
        buckets[key]?.canTake(at: now, rate: rate) ?? true
    }

    /// Takes one of the key's tokens if it has one.
    public mutating func take(_ key: Key, at now: Instant) -> Bool {
        guard rate.perSecond > 0 else { return true }
        if buckets.count >= memory, buckets[key] == nil {
            buckets = buckets.filter { !$0.value.isFull(at: now) }
            if buckets.count > memory / 2 { buckets = [:] }
        }
        return buckets[key, default: TokenBucket(at: now)].take(at: now, rate: rate)
    }
}

extension IPPrefix {
    /// What one subscriber of the internet has: an IPv4 address, or an IPv6 /64.
    public static func household(of address: IPAddress) -> IPPrefix {
        address.ipv4 == nil ? .subscriber(of: address) : IPPrefix(address)
    }
}
