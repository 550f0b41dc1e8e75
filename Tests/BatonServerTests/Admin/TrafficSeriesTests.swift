import DequeModule
import RelayCore
import Testing

@testable import BatonServer

@Suite struct TrafficSeriesTests {
    private func status(_ name: String, relayed: UInt64, messages: UInt64, peers: Int = 0) -> RelayStatus {
        var counters = StreamCounters()
        counters.bytesRelayed = relayed
        counters.messagesRelayed = messages
        return RelayStatus(name: name, listeners: [], peers: peers, rooms: 1, queuedBytes: 0, counters: counters)
    }

    @Test func ratesAreDifferencesOverTheTimeThatPassed() {
        var series = TrafficSeries()
        series.append([status("json", relayed: 100, messages: 10)], at: 10, after: .seconds(10), delays: [:])
        series.append(
            [status("json", relayed: 400, messages: 16, peers: 3), status("netplay", relayed: 50, messages: 5)],
            at: 22, after: .seconds(12), delays: ["json": .milliseconds(2)])
        #expect(series.points.map(\.time) == [10, 22])
        let first = series.points.first?.relays["json"]
        #expect(first?.bytesPerSecond == 10)
        let json = series.points.last?.relays["json"]
        #expect(json?.bytesPerSecond == 25 && json?.messagesPerSecond == 0.5)
        #expect(json?.peers == 3 && json?.rooms == 1 && json?.delayMilliseconds == 2)
        // Seen for the first time: all it did counts.
        let netplay = series.points.last?.relays["netplay"]
        #expect(netplay?.messagesPerSecond == 5.0 / 12)
    }

    @Test func anHourIsKept() {
        var series = TrafficSeries()
        for index in 0..<400 {
            series.append([status("json", relayed: 0, messages: 0)], at: Int64(index), after: .seconds(10), delays: [:])
        }
        #expect(series.points.map(\.time) == Array(40..<400))
    }
}
