public import RelayCore

/// How many frames of each class, and how many bytes, one side may send.
public struct FrameLimits: Hashable, Sendable {
    public var arp = TokenBucket.Rate(perSecond: 30, burst: 60)
    public var broadcast = TokenBucket.Rate(perSecond: 50, burst: 100)
    public var multicast = TokenBucket.Rate(perSecond: 100, burst: 200)
    public var unknownUnicast = TokenBucket.Rate(perSecond: 50, burst: 100)
    /// In bytes: 50 Mbit/s and 1 MB.
    public var bytes = TokenBucket.Rate(perSecond: 6_250_000, burst: 1_000_000)

    public init() {}

    /// The same classes so many times as generous, for a whole LAN.
    public func times(_ factor: Int) -> FrameLimits {
        var limits = self
        for path in [\FrameLimits.arp, \.broadcast, \.multicast, \.unknownUnicast, \.bytes] {
            let rate = self[keyPath: path]
            limits[keyPath: path] = .init(
                perSecond: rate.perSecond.multipliedReportingOverflow(by: factor).partialValue,
                burst: rate.burst.multipliedReportingOverflow(by: factor).partialValue)
        }
        return limits
    }
}

/// What is left of one sender's limits.
struct FrameAllowance: Sendable {
    private var arp: TokenBucket
    private var broadcast: TokenBucket
    private var multicast: TokenBucket
    private var unknownUnicast: TokenBucket
    private var bytes: TokenBucket

    init(at now: Instant) {
        arp = TokenBucket(at: now)
        broadcast = TokenBucket(at: now)
        multicast = TokenBucket(at: now)
        unknownUnicast = TokenBucket(at: now)
        bytes = TokenBucket(at: now)
    }

    /// Takes what a frame costs; the reason if it is one too many.
    @inline(__always)
    mutating func take(_ limit: LimitClass, byteCount: Int, at now: Instant, _ limits: FrameLimits) -> DropReason? {
        switch limit {
        case .none: break
        case .arp: if !arp.take(at: now, rate: limits.arp) { return .rateARP }
        case .broadcast: if !broadcast.take(at: now, rate: limits.broadcast) { return .rateBroadcast }
        case .multicast: if !multicast.take(at: now, rate: limits.multicast) { return .rateMulticast }
        case .unknownUnicast:
            if !unknownUnicast.take(at: now, rate: limits.unknownUnicast) { return .rateUnknownUnicast }
        }
        return bytes.take(byteCount, at: now, rate: limits.bytes) ? nil : .rateBytes
    }
}
