import RelayCore

/// What one end of the tunnel counts.
struct FrameLedger {
    private(set) var stats = TunnelStats()
    private var drops = [Int](repeating: 0, count: DropReason.allCases.count)
    /// When a drop for each reason was last told of.
    private var told = [Instant?](repeating: nil, count: DropReason.allCases.count)

    var counts: [DropReason: Int] {
        let counted = DropReason.allCases.filter { drops[Int($0.rawValue)] > 0 }
        return Dictionary(uniqueKeysWithValues: counted.map { ($0, drops[Int($0.rawValue)]) })
    }

    @inline(__always)
    mutating func received(_ bytes: Int) {
        stats.framesReceived &+= 1
        stats.bytesReceived &+= bytes
    }

    @inline(__always)
    mutating func sent(_ bytes: Int) {
        stats.framesSent &+= 1
        stats.bytesSent &+= bytes
    }

    /// Counts a dropped frame; whether it is the first within a second.
    mutating func dropped(_ reason: DropReason, at now: Instant) -> Bool {
        let index = Int(reason.rawValue)
        drops[index] &+= 1
        stats.dropped &+= 1
        if let last = told[index], now - last < .seconds(1) { return false }
        told[index] = now
        return true
    }
}
