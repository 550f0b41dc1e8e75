import RelayCore
import Testing

@Suite struct NameBansTests {
    private func ban(_ pattern: String, _ protocolName: String? = nil, until: Instant? = nil) -> NameBans.Ban {
        NameBans.Ban(kind: .name, pattern: pattern, protocolName: protocolName, until: until, reason: pattern)
    }

    private func bans(_ bans: NameBans.Ban...) -> NameBans {
        var all = NameBans()
        for ban in bans { all.add(ban) }
        return all
    }

    @Test func oneNameInAnyCaseInOneProtocolOrAll() {
        let bans = bans(ban("Mallory", "json"), ban("eve"))
        #expect(bans.ban(of: "MALLORY", .name, in: "json", at: .zero)?.pattern == "Mallory")
        #expect(bans.ban(of: "Mallory", .name, in: "ldn", at: .zero) == nil)
        #expect(bans.ban(of: "Mallory", .room, in: "json", at: .zero) == nil)
        #expect(bans.ban(of: "Eve", .name, in: "ldn", at: .zero)?.pattern == "eve")
    }

    @Test func aProtocolsBanThatIsOverLeavesThatOfAll() {
        let bans = bans(ban("eve", "json", until: .zero + .seconds(1)), ban("eve"))
        #expect(bans.ban(of: "eve", .name, in: "json", at: .zero + .seconds(1))?.protocolName == .some(nil))
    }

    @Test func patternsAreOfOneProtocolOrAll() {
        let bans = bans(ban("*spam*", "json"), ban("e?e"))
        #expect(bans.ban(of: "my SPAM!", .name, in: "json", at: .zero)?.pattern == "*spam*")
        #expect(bans.ban(of: "my spam!", .name, in: "ldn", at: .zero) == nil)
        #expect(bans.ban(of: "EWE", .name, in: "ldn", at: .zero)?.pattern == "e?e")
        #expect(bans.ban(of: "ewes", .name, in: "ldn", at: .zero) == nil)
    }

    @Test func oneMoreOfTheSameTakesItsPlaceAndGoesAlone() {
        var bans = bans(ban("*spam*"), ban("*SPAM*"), ban("eve"), ban("EVE"), ban("eve", "json"))
        #expect(bans.patternCount == 1)
        bans.remove(.name, "*Spam*", of: nil)
        #expect(bans.patternCount == 0)
        bans.remove(.name, "Eve", of: nil)
        #expect(bans.ban(of: "eve", .name, in: "ldn", at: .zero) == nil)
        #expect(bans.ban(of: "eve", .name, in: "json", at: .zero)?.protocolName == "json")
        bans.remove(.name, "eve", of: "json")
        #expect(bans.isEmpty)
    }
}
