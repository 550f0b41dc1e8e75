extension Configuration.PortMapping: SettingSection {
    mutating func describe(to walker: inout some SettingWalker) {
        walker.value(
            &mode,
            Setting(
                "mode",
                """
                Who is asked to let players in.
                off: nobody; you have opened the ports yourself, or need not.
                upnp: the router in front of this machine, for every IPv4 listener that is not on loopback, but never \
                for admin. If a port is taken there, one of the nine above it is used. SIGTERM takes it back.
                """))
        walker.value(
            &lease,
            Setting(
                "lease",
                """
                How long the router keeps a port open that is not asked for again, as after a power cut of this \
                machine. It is asked again when five sixths of that are over. Whole seconds.
                """),
            in: .between(.seconds(5), .seconds(7 * 86_400)))
    }
}

extension Configuration.PortMapping.Mode: SettingChoice {}
