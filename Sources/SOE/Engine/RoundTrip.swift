/// How long the peer takes to answer, and from that how long to wait for it (RFC 6298). All times are nanoseconds.
public struct RoundTrip: Sendable {
    /// Before anything was measured.
    static let initialTimeout: Int64 = 500_000_000
    /// Peers hold acknowledgements back for up to 50 ms.
    static let minimumTimeout: Int64 = 100_000_000
    /// However often a packet was lost, it is tried again after this.
    static let maximumTimeout: Int64 = 2_000_000_000

    /// The average of late; `nil` before the first sample.
    public private(set) var smoothed: Int64?
    public private(set) var variation: Int64 = 0
    public private(set) var lowest: Int64 = .max
    public private(set) var highest: Int64 = 0
    public private(set) var latest: Int64 = 0
    /// How long to wait for an acknowledgement.
    public private(set) var timeout = RoundTrip.initialTimeout

    public init() {}

    /// Takes the time from sending to acknowledgement of a packet that was sent once.
    public mutating func add(_ sample: Int64) {
        let sample = max(sample, 0)
        latest = sample
        lowest = min(lowest, sample)
        highest = max(highest, sample)
        if let smoothed {
            variation += (abs(smoothed - sample) - variation) / 4
            self.smoothed = smoothed + (sample - smoothed) / 8
        } else {
            smoothed = sample
            variation = sample / 2
        }
        let wait = (smoothed ?? 0) + max(4 * variation, 1_000_000)
        timeout = min(max(wait, Self.minimumTimeout), Self.maximumTimeout)
    }

    /// How long to wait after `backoff` timeouts in a row.
    func timeout(backoff: Int) -> Int64 {
        min(timeout << Int64(min(backoff, 5)), Self.maximumTimeout)
    }
}
