import RelayCore
import Testing

@Suite struct LatencyHistogramTests {
    @Test func eachIsCountedOnceByItsBound() {
        var histogram = LatencyHistogram()
        #expect(histogram.counts.isEmpty && histogram.count == 0)
        for (index, bound) in LatencyHistogram.bounds.enumerated() {
            histogram.record(bound)
            histogram.record(bound + 1, times: 2)
            #expect(histogram.counts[index] == (index == 0 ? 1 : 3))
        }
        #expect(histogram.counts.last == 2)
        #expect(histogram.count == UInt64(3 * LatencyHistogram.bounds.count))
        #expect(histogram.counts.reduce(0, +) == histogram.count)
        #expect(LatencyHistogram.bounds == LatencyHistogram.bounds.sorted())
    }

    @Test func aClockThatStandsStillIsNoTrouble() {
        var histogram = LatencyHistogram()
        histogram.record(-5)
        histogram.record(0)
        #expect(histogram.counts.first == 2 && histogram.sum == 0)
    }

    @Test func theyAddUp() {
        var one = LatencyHistogram()
        one.record(30_000, times: 3)
        var all = LatencyHistogram()
        all.add(LatencyHistogram())
        #expect(all.counts.isEmpty)
        all.add(one)
        all.add(one)
        #expect(all.count == 6 && all.sum == 180_000 && all.counts[1] == 6)
    }
}
