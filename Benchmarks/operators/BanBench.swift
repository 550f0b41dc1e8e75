import RelayCore

/// What a look for bans costs: see Benchmarks/operators.py.
///
///     ban-bench COUNT LOOKUPS      prints one line of JSON: nanoseconds for each look
@main
struct BanBench {
    static func main() {
        let numbers = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        guard numbers.count == 2, numbers[0] > 0, numbers[1] > 0 else { return print("ban-bench COUNT LOOKUPS") }
        let (count, lookups) = (numbers[0], numbers[1])
        let addresses = time(lookups, admission(count)) { admission, number in
            admission.ban(of: address(number), at: .zero) != nil
        }
        let strangers = time(lookups, admission(count)) { admission, number in
            admission.ban(of: address(number | 1 << 40), at: .zero) != nil
        }
        let names = time(lookups, nameBans(count)) { bans, number in
            bans.ban(of: "player \(number % (2 * UInt64(count)))", .name, in: "json", at: .zero) != nil
        }
        print(
            "{\"address\": \(addresses.nanoseconds), \"stranger\": \(strangers.nanoseconds), "
                + "\"name\": \(names.nanoseconds), \"found\": \(addresses.found), \"strangers_found\": \(strangers.found)}"
        )
    }

    /// Half of them IPv4, half IPv6, and of each a tenth as blocks.
    private static func admission(_ count: Int) -> Admission {
        var admission = Admission(limits: .init())
        for number in 0..<UInt64(count) {
            var text = address(number).description
            if number % 10 == 0 { text += number % 4 < 2 ? "/24" : "/64" }
            guard let prefix = IPPrefix(text) else { continue }
            admission.madeBans.add(BanList.Ban(prefix: prefix, until: nil, reason: "for the figure"))
        }
        return admission
    }

    /// The same for the same number, all over the internet.
    private static func address(_ number: UInt64) -> IPAddress {
        let spread = number &* 0x9E37_79B9_7F4A_7C15
        return number % 4 < 2
            ? IPAddress(ipv4: UInt32(truncatingIfNeeded: spread >> 32) & 0xFFFF_FF00)
            : IPAddress(high: 0x2001_0DB8_0000_0000 | spread >> 32, low: 0)
    }

    private static func nameBans(_ count: Int) -> NameBans {
        var bans = NameBans()
        for number in 0..<count {
            bans.add(
                NameBans.Ban(
                    kind: .name, pattern: "Player \(number)", protocolName: number % 2 == 0 ? nil : "json", until: nil,
                    reason: ""))
        }
        return bans
    }

    private static func time<Bans>(
        _ lookups: Int, _ bans: Bans, _ look: (Bans, UInt64) -> Bool
    ) -> (nanoseconds: Double, found: Int) {
        var found = 0
        let start = ContinuousClock.now
        // Numbers in an order that no cache foresees.
        for number in 0..<UInt64(lookups) where look(bans, number &* 7919 % 100_000) { found += 1 }
        let elapsed = ContinuousClock.now - start
        return (elapsed / .nanoseconds(1) / Double(lookups), found)
    }
}
