import RelayCore

extension Configuration: SettingSection {
    mutating func describe(to walker: inout some SettingWalker) {
        walker.section(&log, Setting("log", "What is logged, and how."))
        walker.value(
            &drainTimeout,
            Setting("drain_timeout", "How long a drain (SIGTERM) waits for rooms to end before it ends them."),
            in: .between(.zero, .seconds(7 * 86_400))
        )
        walker.section(
            &limits,
            Setting("limits", "Bounds on connections, over all listeners together. 0 means without limit.")
        )
        walker.records(
            &bans,
            Setting(
                "bans", "Who may not connect, beside those who were banned over the API. A reload parts from them."),
            sample: .sample
        )
        describePortMapping(to: &walker)
        walker.optionalSection(
            &json,
            Setting("json", "The JSON relay. Leave the section out to turn it off.", needsRestart: true)
        )
        walker.optionalSection(
            &netplay,
            Setting("netplay", "The netplay tunnel. Leave the section out to turn it off.", needsRestart: true)
        )
        walker.optionalSection(
            &lobby,
            Setting(
                "lobby", "The lobby, RetroArch's list of rooms. Leave the section out to turn it off.",
                needsRestart: true)
        )
        walker.optionalSection(
            &ldn,
            Setting(
                "ldn",
                "The LDN master, for local wireless play of emulators and consoles. Leave the section out to turn it off.",
                needsRestart: true)
        )
        walker.optionalSection(
            &soe,
            Setting(
                "soe",
                """
                The SOE gateway: the sessions of a game's clients, for a server in any language. Leave the section out to \
                turn it off.
                """,
                needsRestart: true)
        )
        walker.optionalSection(
            &lan,
            Setting(
                "lan",
                """
                The LAN relay: rooms in which players at home are on the network of a party. Leave the section out to turn \
                it off.
                """,
                needsRestart: true)
        )
        walker.optionalSection(
            &admin,
            Setting(
                "admin",
                "Health checks, metrics, the API and the dashboard, over HTTP. Leave the section out to turn them off.",
                needsRestart: true)
        )
    }
}

extension Configuration {
    private mutating func describePortMapping(to walker: inout some SettingWalker) {
        walker.value(
            &portMapping.mode,
            Setting(
                "port_mapping",
                """
                For those who serve from home: who opens the router's ports to players.
                off: you have done it yourself, or need not.
                upnp: Baton asks the router to, for every listener but admin's that is on IPv4 and not on loopback. If \
                a port is taken there, one of the nine above it is used. When the server ends they are closed.
                """))
        walker.value(
            &portMapping.lease,
            Setting(
                "port_mapping_lease",
                """
                How long the router keeps a port open without being asked again, which it is when five sixths of that \
                are over. In whole seconds.
                """),
            in: .between(.seconds(5), .seconds(7 * 86_400)))
    }
}

extension Configuration.PortMapping.Mode: SettingChoice {}

extension Configuration.Log: SettingSection {
    mutating func describe(to walker: inout some SettingWalker) {
        walker.value(&level, Setting("level", "The least serious messages that are logged."))
        walker.value(
            &format, Setting("format", "Whether a line of the log is for people or a JSON object.", needsRestart: true))
        walker.value(
            &addresses,
            Setting(
                "addresses",
                """
                Whether addresses of players are written as they are, or as a hash that is the same for the same address \
                until the server ends and cannot be turned back.
                """))
        walker.optional(
            &file,
            Setting(
                "file",
                """
                The file to log to. Without one it is standard error, which systemd and containers keep. A reload opens it \
                anew, so that it can be moved away before.
                """),
            sample: "/var/log/baton/baton.log")
    }
}

extension Configuration.Log.Level: SettingChoice {}
extension Configuration.Log.Format: SettingChoice {}
extension Configuration.Log.Addresses: SettingChoice {}

extension Admission.Limits: SettingSection {
    mutating func describe(to walker: inout some SettingWalker) {
        walker.value(
            &connections, Setting("connections", "Connections of everybody."),
            in: .between(0, 10_000_000))
        walker.value(
            &connectionsPerAddress, Setting("connections_per_address", "Connections of one address."),
            in: .between(0, 10_000_000))
        walker.value(
            &connectionsPerPrefix,
            Setting("connections_per_prefix", "Connections of one IPv6 /64, which is what one subscriber usually has."),
            in: .between(0, 10_000_000))
        walker.value(
            &newConnections.perSecond,
            Setting("new_connections_per_second", "New connections of one address or IPv6 /64 each second."),
            in: .between(0, 1_000_000))
        walker.value(
            &newConnections.burst,
            Setting("new_connections_burst", "How many of those may come at once."),
            in: .between(1, 1_000_000))
    }
}
