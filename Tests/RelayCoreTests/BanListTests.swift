import RelayCore
import Testing

@Suite struct BanListTests {
    private func prefix(_ text: String) throws -> IPPrefix { try #require(IPPrefix(text)) }

    @Test func aBanThatIsOverLeavesTheOneAroundIt() throws {
        let bans = try BanList([
            .init(prefix: prefix("10.0.0.0/8"), until: nil, reason: "wide"),
            .init(prefix: prefix("10.1.0.0/16"), until: .zero + .seconds(1), reason: "narrow"),
        ])
        let address = try #require(IPAddress("10.1.2.3"))
        #expect(bans.ban(of: address, at: .zero)?.reason == "narrow")
        #expect(bans.ban(of: address, at: .zero + .seconds(1))?.reason == "wide")
    }

    @Test func anotherBanOfAPrefixTakesItsPlace() throws {
        let (wide, narrow) = try (prefix("2001:db8::/32"), prefix("2001:db8::/48"))
        var bans = BanList([.init(prefix: wide, until: nil, reason: "first")])
        bans.add(.init(prefix: narrow, until: nil, reason: "inside"))
        bans.add(.init(prefix: wide, until: nil, reason: "second"))
        #expect(bans.ban(of: try #require(IPAddress("2001:db8:1::")), at: .zero)?.reason == "second")
        #expect(bans.ban(of: try #require(IPAddress("2001:db8::1")), at: .zero)?.reason == "inside")
    }

    /// Against a list that is looked through: bans come, go and end, within each other at every depth.
    @Test(arguments: UInt64(1)...8) func agreesWithAListThatIsLookedThrough(seed: UInt64) throws {
        var random = RandomSource.seeded(seed)
        var (bans, plain) = (BanList(), [IPPrefix: BanList.Ban]())
        for step in 0..<4000 {
            let address = someAddress(&random)
            let bits = Int.random(in: 0...(address.ipv4 == nil ? 128 : 32), using: &random)
            let prefix = try #require(IPPrefix("\(address)/\(bits)"))
            // More come than go at first, so that pages fill, and then empty again.
            if Int.random(in: 0..<3000, using: &random) > step {
                let until = Bool.random(using: &random) ? nil : Instant.zero + .seconds(Int64(random.next() % 100))
                let ban = BanList.Ban(prefix: prefix, until: until, reason: "\(step)")
                bans.add(ban)
                plain[prefix] = ban
            } else {
                let gone = Bool.random(using: &random) ? prefix : plain.keys.randomElement(using: &random) ?? prefix
                bans.remove(gone)
                plain[gone] = nil
            }
            let (asked, now) = (someAddress(&random), Instant.zero + .seconds(Int64(random.next() % 100)))
            let expected = plain.values.filter { ban in
                ban.prefix.contains(asked) && ban.until.map { now < $0 } ?? true
            }.max { length($0.prefix) < length($1.prefix) }
            #expect(bans.ban(of: asked, at: now) == expected, "seed \(seed), step \(step), \(asked)")
        }
        #expect(bans == BanList(plain.values.shuffled(using: &random)))
        for prefix in plain.keys { bans.remove(prefix) }
        #expect(bans == BanList())
    }

    /// In the form in which IPv4 lies within IPv6.
    private func length(_ prefix: IPPrefix) -> Int {
        let parts = prefix.description.split(separator: "/")
        let whole = prefix.address.ipv4 == nil ? 128 : 32
        return (parts.count == 2 ? Int(parts[1]) ?? whole : whole) + 128 - whole
    }

    /// Few enough that prefixes of all lengths meet.
    private func someAddress(_ random: inout RandomSource) -> IPAddress {
        let (host, network) = (random.next() % 4, random.next() % 4)
        return Bool.random(using: &random)
            ? IPAddress(ipv4: UInt32(0x0A00_0000 + network << 16 + host))
            : IPAddress(high: 0x2001_0DB8_0000_0000 + network << 8, low: host)
    }
}
