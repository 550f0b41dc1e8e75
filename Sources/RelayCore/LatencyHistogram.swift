/// How long messages took, counted by bounds. Taking note of one costs a few instructions and no memory after the first.
public struct LatencyHistogram: Sendable, Equatable {
    /// Upper bounds, in nanoseconds; what took longer is counted beyond the last.
    public static let bounds: [Int64] = [
        25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000,
        100_000_000, 250_000_000, 1_000_000_000,
    ]

    /// How many were within each bound and over the one before, and how many were over all; empty before the first.
    public private(set) var counts: [UInt64] = []
    public private(set) var count: UInt64 = 0
    /// Of all, in nanoseconds.
    public private(set) var sum: UInt64 = 0

    public init() {}

    /// Notes messages that took so many nanoseconds each.
    public mutating func record(_ nanoseconds: Int64, times: UInt64 = 1) {
        if counts.isEmpty { counts = Array(repeating: 0, count: Self.bounds.count + 1) }
        var index = 0
        while index < Self.bounds.count, Self.bounds[index] < nanoseconds { index += 1 }
        counts[index] &+= times
        count &+= times
        sum &+= UInt64(max(0, nanoseconds)) &* times
    }

    public mutating func add(_ other: LatencyHistogram) {
        guard other.count > 0 else { return }
        if counts.isEmpty { counts = Array(repeating: 0, count: other.counts.count) }
        for index in counts.indices { counts[index] &+= other.counts[index] }
        count &+= other.count
        sum &+= other.sum
    }
}
