import RelayCore
import Testing

@Suite("Admission")
struct AdmissionTests {
    private func admission(_ change: (inout Admission.Limits) -> Void) -> Admission {
        var limits = Admission.Limits()
        change(&limits)
        return Admission(limits: limits)
    }

    private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    @Test func boundsOneAddressAndLeavesOthersAlone() throws {
        var admission = admission { $0.connectionsPerAddress = 2 }
        let (greedy, other) = try (address("192.0.2.1"), address("192.0.2.2"))
        try admission.admit(greedy, at: .zero)
        try admission.admit(greedy, at: .zero)
        #expect(throws: Admission.Refusal.addressFull) { try admission.admit(greedy, at: .zero) }
        try admission.admit(other, at: .zero)
        admission.release(greedy, at: .zero)
        try admission.admit(greedy, at: .zero)
        #expect(admission.connections == 3)
    }

    @Test func boundsA64AsOneSubscriber() throws {
        var admission = admission { $0.connectionsPerPrefix = 3 }
        for host in 1...3 { try admission.admit(address("2001:db8::\(host)"), at: .zero) }
        #expect(throws: Admission.Refusal.prefixFull) { try admission.admit(address("2001:db8::99"), at: .zero) }
        try admission.admit(address("2001:db8:0:1::1"), at: .zero)
        try admission.release(address("2001:db8::1"), at: .zero)
        try admission.admit(address("2001:db8::99"), at: .zero)
    }

    @Test func boundsTheWhole() throws {
        var admission = admission { $0.connections = 2 }
        for host in 1...2 { try admission.admit(address("192.0.2.\(host)"), at: .zero) }
        #expect(throws: Admission.Refusal.serverFull) { try admission.admit(address("192.0.2.3"), at: .zero) }
    }

    @Test func boundsTheRateOfAnAddress() throws {
        var admission = admission { $0.newConnections = TokenBucket.Rate(perSecond: 1, burst: 2) }
        let subject = try address("192.0.2.1")
        for _ in 0..<2 {
            try admission.admit(subject, at: .zero)
            admission.release(subject, at: .zero)
        }
        #expect(throws: Admission.Refusal.tooFast) { try admission.admit(subject, at: .zero) }
        try admission.admit(subject, at: .zero + .seconds(1))
    }

    @Test func banKeepsOutUntilItExpires() throws {
        var admission = Admission(limits: .init())
        let prefix = try #require(IPPrefix("192.0.2.0/24"))
        admission.madeBans = BanList([.init(prefix: prefix, until: .zero + .seconds(10), reason: "floods")])
        #expect(throws: Admission.Refusal.banned) { try admission.admit(address("192.0.2.7"), at: .zero) }
        try admission.admit(address("192.0.3.7"), at: .zero)
        try admission.admit(address("192.0.2.7"), at: .zero + .seconds(10))
    }

    @Test func mostPreciseBanAnswers() throws {
        let wide = BanList.Ban(prefix: try #require(IPPrefix("10.0.0.0/8")), until: nil, reason: "wide")
        let narrow = BanList.Ban(prefix: try #require(IPPrefix("10.1.0.0/16")), until: nil, reason: "narrow")
        let bans = BanList([wide, narrow])
        #expect(try bans.ban(of: address("10.1.2.3"), at: .zero)?.reason == "narrow")
        #expect(try bans.ban(of: address("10.2.2.3"), at: .zero)?.reason == "wide")
        #expect(try bans.ban(of: address("11.2.2.3"), at: .zero) == nil)
    }

    @Test func memoryOfStrangersIsBounded() throws {
        var admission = Admission(limits: .init(), memory: 100)
        let resident = try address("203.0.113.1")
        try admission.admit(resident, at: .zero)
        for number in 0..<10_000 {
            let stranger = IPAddress(ipv4: UInt32(number))
            try admission.admit(stranger, at: .zero)
            admission.release(stranger, at: .zero)
        }
        #expect(admission.knownSubjects <= 100)
        #expect(admission.connections == 1)
    }

    @Test func forgetsWhoLeftOnceHisRateIsForgiven() throws {
        var admission = Admission(limits: .init())
        let subject = try address("2001:db8::1")
        try admission.admit(subject, at: .zero)
        admission.release(subject, at: .zero + .seconds(1))
        #expect(admission.knownSubjects == 0)
    }
}
