import Foundation
import Hummingbird
import NIOConcurrencyHelpers
import ServiceLifecycle

/// Keeps the last hour for the dashboard: looks at every relay each ten seconds, and tries each second how long its event
/// loop lets something wait, which is what a message waits too.
final class TrafficHistory: Service {
    private let relays: [any Relay]
    private let series = NIOLockedValueBox(TrafficSeries())

    init(relays: [any Relay]) {
        self.relays = relays
    }

    /// The points after a moment, which is in seconds since 1970.
    func points(since time: Int64) -> [TrafficSeries.Point] {
        series.withLockedValue { series in series.points.filter { $0.time > time } }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            let clock = ContinuousClock()
            var (start, end) = (clock.now, clock.now + TrafficSeries.interval)
            var delays: [String: Duration] = [:]
            while (try? await clock.sleep(until: min(end, clock.now + .seconds(1)))) != nil {
                try? await note(&delays, clock)
                let now = clock.now
                guard now >= end else { continue }
                if let statuses = try? await statuses() {
                    let (time, elapsed) = (Int64(Date().timeIntervalSince1970), now - start)
                    series.withLockedValue { [delays] in
                        $0.append(statuses, at: time, after: elapsed, delays: delays)
                    }
                }
                (start, end, delays) = (now, now + TrafficSeries.interval, [:])
            }
        }
    }

    private func note(_ delays: inout [String: Duration], _ clock: ContinuousClock) async throws {
        for relay in relays {
            let asked = clock.now
            try await relay.takeTurn()
            delays[relay.name] = max(delays[relay.name] ?? .zero, clock.now - asked)
        }
    }

    private func statuses() async throws -> [RelayStatus] {
        var statuses: [RelayStatus] = []
        for relay in relays { statuses.append(try await relay.status()) }
        return statuses
    }
}

/// `GET /api/v1/history?since=TIME`: the last hour, or what came after a point that is known already.
struct HistoryResponse: ResponseCodable, Equatable {
    var intervalSeconds: Int
    var points: [TrafficSeries.Point]

    init(_ history: TrafficHistory, since time: Int64) {
        intervalSeconds = Int(TrafficSeries.interval.components.seconds)
        points = history.points(since: time)
    }
}
