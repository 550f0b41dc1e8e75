package import RelayCore

extension Configuration {
    /// A block of addresses that may not connect.
    package struct Ban: Sendable, Equatable {
        package var address = IPPrefix(IPAddress(high: 0, low: 0))
        package var reason = ""
        /// `nil` is for ever.
        package var expires: Timestamp?

        package init() {}

        static var sample: Ban {
            var ban = Ban()
            ban.address = IPPrefix("203.0.113.0/24") ?? ban.address
            ban.reason = "floods"
            ban.expires = Timestamp(seconds: 1_893_456_000)
            return ban
        }
    }

    /// The bans for an admission that counts time from another point than the calendar. Those that are over are left
    /// out.
    package func banList(at now: Instant, date: Timestamp = .now()) -> BanList {
        BanList(
            bans.filter { $0.expires.map { $0 > date } ?? true }.map { ban in
                let until = ban.expires.map { now + .seconds($0.seconds - date.seconds) }
                return BanList.Ban(prefix: ban.address, until: until, reason: ban.reason)
            }
        )
    }
}

extension Configuration.Ban: SettingSection {
    mutating func describe(to walker: inout some SettingWalker) {
        walker.value(&address, Setting("address", "An address or a block of them.", isRequired: true))
        walker.value(&reason, Setting("reason", "For your own memory."))
        walker.optional(
            &expires, Setting("expires", "Until when; for ever if it is left out."),
            sample: Timestamp(seconds: 1_893_456_000))
    }
}
