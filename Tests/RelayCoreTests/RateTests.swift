import RelayCore
import Testing

@Suite("Rates and time")
struct RateTests {
    @Test func bucketGivesItsBurstAndThenItsRate() {
        let rate = TokenBucket.Rate(perSecond: 10, burst: 5)
        var bucket = TokenBucket(at: .zero)
        for _ in 0..<5 { #expect(bucket.take(at: .zero, rate: rate) == true) }
        #expect(bucket.take(at: .zero, rate: rate) == false)
        #expect(bucket.take(at: .zero + .milliseconds(99), rate: rate) == false)
        #expect(bucket.take(at: .zero + .milliseconds(100), rate: rate) == true)
        #expect(bucket.take(at: .zero + .milliseconds(100), rate: rate) == false)
        #expect(!bucket.isFull(at: .zero + .milliseconds(599)))
        #expect(bucket.isFull(at: .zero + .milliseconds(600)))
    }

    @Test func rateOfZeroIsWithoutLimit() {
        var bucket = TokenBucket(at: .zero)
        for _ in 0..<100_000 { #expect(bucket.take(at: .zero, rate: .unlimited) == true) }
    }

    @Test func strikesAreForgivenWithTime() {
        var strikes = StrikeCounter(limit: 3, forgivenPerSecond: 1, at: .zero)
        for _ in 0..<3 { #expect(strikes.strike(at: .zero) == false) }
        #expect(strikes.strike(at: .zero) == true)
        #expect(strikes.strike(at: .zero + .seconds(2)) == false)
    }

    @Test func timeSaturates() {
        #expect(Instant.zero + .seconds(Int64.max) == Instant(nanoseconds: .max))
        #expect(Instant(nanoseconds: .max) + .seconds(1) == Instant(nanoseconds: .max))
        #expect(Duration.seconds(-Int64.max).wholeNanoseconds == .min)
        #expect(Duration.milliseconds(1500).wholeNanoseconds == 1_500_000_000)
        #expect((Instant.zero + .seconds(3)) - (Instant.zero + .seconds(1)) == .seconds(2))
    }

    @Test func seededRandomnessRepeats() {
        var (one, two) = (RandomSource.seeded(1), RandomSource.seeded(1))
        #expect((0..<100).map { _ in one.next() } == (0..<100).map { _ in two.next() })
        var system = RandomSource.system
        #expect(system.next() != system.next())
    }
}
