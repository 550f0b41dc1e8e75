import DequeModule
import RelayCore

/// What relays did over the last hour, a point for each interval.
struct TrafficSeries: Sendable {
    /// What a relay did in one interval.
    struct Figures: Codable, Equatable, Sendable {
        /// At its end.
        var peers: Int
        /// At its end.
        var rooms: Int
        var bytesPerSecond: Double
        var messagesPerSecond: Double
        /// The longest that something waited for the relay's event loop, as far as it was tried.
        var delayMilliseconds: Double
    }

    struct Point: Codable, Equatable, Sendable {
        /// Its end, in seconds since 1970.
        var time: Int64
        /// By protocol.
        var relays: [String: Figures]
    }

    /// As an hour has of ten seconds.
    static let interval = Duration.seconds(10)
    private static let capacity = 360

    private(set) var points: Deque<Point> = []
    private var last: [String: RelayStatus] = [:]

    /// - Parameters:
    ///   - time: seconds since 1970.
    ///   - elapsed: since the last point.
    ///   - delays: how long each relay's event loop let something wait, by protocol.
    mutating func append(
        _ statuses: [RelayStatus], at time: Int64, after elapsed: Duration, delays: [String: Duration]
    ) {
        let seconds = max(elapsed / .seconds(1), 0.001)
        var relays: [String: Figures] = [:]
        for status in statuses {
            let (now, before) = (status.counters, last[status.name]?.counters)
            relays[status.name] = Figures(
                peers: status.peers, rooms: status.rooms,
                bytesPerSecond: Self.difference(now.bytesRelayed, before?.bytesRelayed) / seconds,
                messagesPerSecond: Self.difference(now.messagesRelayed, before?.messagesRelayed) / seconds,
                delayMilliseconds: (delays[status.name] ?? .zero) / .milliseconds(1))
            last[status.name] = status
        }
        points.append(Point(time: time, relays: relays))
        if points.count > Self.capacity { points.removeFirst() }
    }

    private static func difference(_ now: UInt64, _ before: UInt64?) -> Double {
        Double(now &- min(before ?? 0, now))
    }
}
