import RelayCore
import Testing

@Suite struct NameBansTests {
    private func ban(
        _ pattern: String, _ protocolName: String? = nil, until: Instant? = nil, reason: String? = nil
    ) -> NameBans.Ban {
        NameBans.Ban(kind: .name, pattern: pattern, protocolName: protocolName, until: until, reason: reason ?? pattern)
    }

    private func bans(_ bans: NameBans.Ban...) -> NameBans {
        var all = NameBans()
        for ban in bans { all.add(ban) }
        return all
    }

    @Test func oneNameInAnyCaseInOneProtocolOrAll() {
        let bans = bans(ban("Mallory", "json"), ban("eve"))
        #expect(bans.reason(against: "MALLORY", .name, in: "json", at: .zero) == "Mallory")
        #expect(bans.reason(against: "Mallory", .name, in: "ldn", at: .zero) == nil)
        #expect(bans.reason(against: "Mallory", .room, in: "json", at: .zero) == nil)
        #expect(bans.reason(against: "Eve", .name, in: "ldn", at: .zero) == "eve")
    }

    @Test func aProtocolsBanThatIsOverLeavesThatOfAll() {
        let bans = bans(ban("eve", "json", until: .zero + .seconds(1)), ban("eve", reason: "everywhere"))
        #expect(bans.reason(against: "eve", .name, in: "json", at: .zero + .seconds(1)) == "everywhere")
    }

    @Test func patternsAreOfOneProtocolOrAll() {
        let bans = bans(ban("*spam*", "json"), ban("e?e"))
        #expect(bans.reason(against: "my SPAM!", .name, in: "json", at: .zero) == "*spam*")
        #expect(bans.reason(against: "my spam!", .name, in: "ldn", at: .zero) == nil)
        #expect(bans.reason(against: "EWE", .name, in: "ldn", at: .zero) == "e?e")
        #expect(bans.reason(against: "ewes", .name, in: "ldn", at: .zero) == nil)
    }

    @Test func oneMoreOfTheSameTakesItsPlaceAndGoesAlone() {
        var bans = bans(ban("*spam*"), ban("*SPAM*"), ban("eve"), ban("EVE"), ban("eve", "json", reason: "here"))
        #expect(bans.patternCount == 1)
        bans.remove(.name, "*Spam*", of: nil)
        #expect(bans.patternCount == 0)
        bans.remove(.name, "Eve", of: nil)
        #expect(bans.reason(against: "eve", .name, in: "ldn", at: .zero) == nil)
        #expect(bans.reason(against: "eve", .name, in: "json", at: .zero) == "here")
        bans.remove(.name, "eve", of: "json")
        #expect(bans.isEmpty)
    }
}
