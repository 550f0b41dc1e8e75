import Netplay
import RelayCore

extension Configuration.Lobby: SettingSection {
    mutating func describe(to walker: inout some SettingWalker) {
        walker.list(&listen, .listen, canBeEmpty: false)
        walker.optional(
            &database,
            Setting(
                "database",
                "The SQLite file that rooms are kept in over a restart. Without one they are kept in memory.",
                needsRestart: true),
            sample: "/var/lib/baton/lobby.sqlite")
        walker.table(
            &rules.relays,
            Setting(
                "relays",
                """
                Tunnel servers by the names that hosts ask for; RetroArch knows nyc, madrid, saopaulo and singapore.
                """),
            sample: ("nyc", LobbyRelay(host: "relay.example.org", port: 55435)))
        describeTrust(to: &walker)
        walker.optional(
            &countryDatabase,
            Setting("country_database", "A MaxMind DB file (.mmdb) that has the countries of addresses."),
            sample: "/var/lib/GeoIP/GeoLite2-Country.mmdb")
        describeLimits(to: &walker)
    }

    private mutating func describeTrust(to walker: inout some SettingWalker) {
        walker.value(
            &allowPrivateTargets,
            Setting(
                "allow_private_targets",
                "Whether hosts are asked if they answer whose addresses are none of the internet. For a lobby of a LAN."
            ))
        walker.list(
            &trustedProxies,
            Setting(
                "trusted_proxies",
                "Addresses of proxies whose X-Forwarded-For and X-Real-IP headers are believed."),
            canBeEmpty: true)
        walker.section(&rules.blacklist, Setting("blacklist", "What and who may not be in the list of rooms."))
    }

    private mutating func describeLimits(to walker: inout some SettingWalker) {
        walker.value(
            &rules.roomTimeout,
            Setting(
                "room_timeout", "A room is hidden when it was not announced for so long. RetroArch does every 20s."),
            in: .between(.seconds(1), .seconds(86_400)))
        walker.value(&rules.maxRooms, Setting("max_rooms", "The most rooms."), in: .between(1, 1_000_000))
        walker.value(
            &rules.maxRoomsPerAddress,
            Setting("max_rooms_per_address", "The most rooms of one IPv4 address or IPv6 /64."),
            in: .between(1, 1_000_000))
        walker.value(
            &requests.perSecond,
            Setting(
                "requests_per_second", "Requests of one IPv4 address or IPv6 /64 each second. 0 means without limit."),
            in: .between(0, 1_000_000))
        walker.value(
            &requests.burst, Setting("requests_burst", "How many of those may come at once."),
            in: .between(1, 1_000_000))
        walker.value(
            &readTimeout,
            Setting(
                "read_timeout", "How long a request may take to arrive, counted from the answer before it.",
                needsRestart: true),
            in: .between(.milliseconds(100), .seconds(3600)))
        walker.value(
            &writeTimeout,
            Setting("write_timeout", "How long a client may take to accept an answer.", needsRestart: true),
            in: .between(.milliseconds(100), .seconds(3600)))
    }
}

extension LobbyConfiguration.Blacklist: SettingSection {
    mutating func describe(to walker: inout some SettingWalker) {
        walker.list(
            &strings,
            Setting(
                "strings",
                """
                Regular expressions that must match nothing in the names of player, core, subsystem, frontend and version.
                """),
            canBeEmpty: true)
        walker.list(&ips, Setting("ips", "Who may not announce rooms."), canBeEmpty: true)
    }
}

extension LobbyRelay: SettingValue {
    static var kind: String { "a host and a port such as relay.example.org:55435 or [2001:db8::1]:55435" }

    init(setting text: String) throws(BadValue) {
        guard let relay = LobbyRelay(text) else { throw BadValue() }
        self = relay
    }

    var settingText: String { description }
}

extension TextPattern: SettingValue {
    static var kind: String { "a regular expression" }

    init(setting text: String) throws(BadValue) {
        do throws(TextPatternFault) {
            try self.init(text)
        } catch {
            throw BadValue(advice: error.reason)
        }
    }

    var settingText: String { description }
}
