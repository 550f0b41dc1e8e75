import Netplay
import RelayCore

extension Configuration.Dedicated: SettingSection {
    mutating func describe(to walker: inout some SettingWalker) {
        describeListeners(to: &walker)
        describeProgram(to: &walker)
        describeRoom(to: &walker)
        describeLimits(to: &walker)
    }

    private mutating func describeListeners(to walker: inout some SettingWalker) {
        walker.list(
            &listen,
            Setting(
                "listen",
                """
                Where requests come in, over UDP: one ADDRESS:PORT or a list of them. Port 0 picks a free one. Guests \
                are let in at the same addresses.
                """,
                needsRestart: true),
            canBeEmpty: false)
        walker.value(
            &desk.ports.asPortRange,
            Setting("ports", "The TCP ports at which guests are let in, one for each host.", needsRestart: true))
        walker.optional(
            &relay,
            Setting(
                "relay",
                """
                A tunnel server, HOST:PORT. With one, guests come through it and no port is opened here. Guests must \
                reach it under this name.
                """,
                needsRestart: true),
            sample: ServerAddress(host: "relay.example.org", port: 55435))
    }

    private mutating func describeProgram(to walker: inout some SettingWalker) {
        walker.value(
            &retroarch, Setting("retroarch", "The program: a name in PATH, or a path.", needsRestart: true))
        walker.optional(
            &cores,
            Setting(
                "cores", "The folder of the cores that may be hosted; Debian's if it is left out.", needsRestart: true),
            sample: "/usr/lib/x86_64-linux-gnu/libretro")
        walker.optional(
            &coreInfo,
            Setting("core_info", "The folder of their .info files; Debian's if it is left out.", needsRestart: true),
            sample: "/usr/share/libretro/info")
        walker.value(
            &content,
            Setting(
                "content", "The folder of the games that may be hosted, folders in it included.", needsRestart: true))
    }

    private mutating func describeRoom(to walker: inout some SettingWalker) {
        walker.value(
            &nick,
            Setting("nick", "The hosts' nick; from the second on a number follows.", needsRestart: true),
            in: Allowed(text: "up to 26 ASCII characters, no quotation marks") { nick in
                (1...26).contains(nick.utf8.count) && nick.utf8.allSatisfy { (0x20...0x7E).contains($0) && $0 != 0x22 }
            })
        walker.secret(
            &password, Setting("password", "What guests must know; nothing if it is left out.", needsRestart: true))
        walker.optional(
            &lobby,
            Setting("lobby", "The lobby that hosts are announced to; none if it is left out.", needsRestart: true),
            sample: LobbyAddress(text: "http://lobby.libretro.com"))
    }

    private mutating func describeLimits(to walker: inout some SettingWalker) {
        walker.value(
            &desk.maxHosts, Setting("max_hosts", "The most hosts at a time."), in: .between(1, 1000))
        walker.value(
            &desk.maxHostsPerAddress,
            Setting("max_hosts_per_address", "The most hosts one address or IPv6 /64 may have asked for."),
            in: .between(1, 1000))
        walker.value(
            &desk.requests.perSecond,
            Setting(
                "requests_per_second",
                "Requests of one address or IPv6 /64 that are answered each second; the others are not."),
            in: .between(1, 1_000_000))
        walker.value(
            &desk.requests.burst, Setting("requests_burst", "How many of those may come at once."),
            in: .between(1, 1_000_000))
        walker.value(
            &desk.idleTimeout, Setting("idle_timeout", "How long a host without guests is kept."),
            in: .between(.seconds(1), .seconds(86_400)))
        walker.value(
            &desk.startTimeout, Setting("start_timeout", "How long a host may take until it answers."),
            in: .between(.seconds(1), .seconds(600)))
    }
}
