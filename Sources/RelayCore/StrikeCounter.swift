/// Counts how often a peer broke the rules of its protocol; old faults are forgiven at a steady pace.
public struct StrikeCounter: Sendable {
    private var bucket: TokenBucket
    private let allowance: TokenBucket.Rate

    /// Tolerates `limit` strikes at once and forgives one every `forgiveEvery`.
    public init(limit: Int, forgivenPerSecond: Int, at now: Instant) {
        bucket = TokenBucket(at: now)
        allowance = TokenBucket.Rate(perSecond: forgivenPerSecond, burst: limit)
    }

    /// Counts one fault; `true` when it was one too many.
    public mutating func strike(at now: Instant) -> Bool {
        !bucket.take(at: now, rate: allowance)
    }
}
