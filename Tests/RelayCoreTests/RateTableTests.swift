import RelayCore
import Testing

@Suite struct RateTableTests {
    private let rate = TokenBucket.Rate(perSecond: 1, burst: 2)

    @Test func eachKeyHasItsOwnAllowance() {
        var table = RateTable<Int>(rate: rate)
        let taken = [1, 1, 1, 2, 2, 2].map { table.take($0, at: .zero) }
        #expect(taken == [true, true, false, true, true, false])
        let later = table.take(1, at: .zero + .seconds(1))
        #expect(later)
    }

    @Test func memoryIsBounded() {
        var table = RateTable<Int>(rate: rate, memory: 100)
        for key in 0..<10_000 {
            let taken = table.take(key, at: .zero)
            #expect(taken)
            #expect(table.count <= 100)
        }
    }

    /// What is forgotten first gives nobody anything he would not have.
    @Test func fullBucketsAreForgottenFirst() {
        var table = RateTable<Int>(rate: rate, memory: 100)
        for key in 0..<90 { _ = table.take(key, at: .zero) }
        let now = Instant.zero + .seconds(10)
        for key in 90..<100 { for _ in 0..<2 { _ = table.take(key, at: now) } }
        _ = table.take(1000, at: now)
        #expect(table.count == 11)
        let exhausted = (90..<100).map { table.take($0, at: now) }
        #expect(!exhausted.contains(true))
    }

    @Test func noRateIsNoLimitAndTakesNoMemory() {
        var table = RateTable<Int>(rate: .unlimited)
        for _ in 0..<1000 {
            let taken = table.take(1, at: .zero)
            #expect(taken)
        }
        #expect(table.count == 0)
    }

    @Test func aHouseholdIsAnAddressOrA64() throws {
        let four = try #require(IPAddress("192.0.2.1"))
        #expect(IPPrefix.household(of: four) == IPPrefix(four))
        let (one, two) = (try #require(IPAddress("2001:db8::1")), try #require(IPAddress("2001:db8::2:0:0:1")))
        #expect(IPPrefix.household(of: one) == IPPrefix("2001:db8::/64"))
        #expect(IPPrefix.household(of: one) == .household(of: two))
    }
}
