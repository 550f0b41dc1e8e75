import Netplay

extension Configuration.Netplay: SettingSection {
    mutating func describe(to walker: inout some SettingWalker) {
        walker.list(&listen, .listen, canBeEmpty: false)
        walker.list(&proxyProtocolFrom, .proxyProtocolFrom, canBeEmpty: true)
        walker.value(&userTimeout, .userTimeout, in: .between(.seconds(1), .seconds(86_400)))
        describeLimits(to: &walker)
        describeTimeouts(to: &walker)
        walker.value(
            &tunnel.linkFromOwnerOnly,
            Setting("link_from_owner_only", "Whether a link must come from the address of the session's host."))
        describeTranscoding(to: &walker)
    }

    private mutating func describeTranscoding(to walker: inout some SettingWalker) {
        walker.value(
            &tunnel.transcode,
            Setting(
                "transcode",
                "Whether players with and without compression are brought together. Pairs that exist stay as they are."
            ))
        walker.value(
            &tunnel.maxStateBytes.asByteSize,
            Setting("max_state_bytes", "The largest savestate, uncompressed, that is given another form for that."),
            in: .between(.mebibytes(1), .mebibytes(1024)))
        walker.optionalSection(
            &rooms,
            Setting(
                "rooms", "Netplay rooms without a host. Leave the section out to turn them off.", needsRestart: true))
        walker.optionalSection(
            &dedicated,
            Setting(
                "dedicated",
                "Hosts that are started on request. They need RetroArch on this machine. Off while the section is out.",
                needsRestart: true)
        )
    }

    private mutating func describeLimits(to walker: inout some SettingWalker) {
        walker.value(
            &tunnel.maxSessions,
            Setting("max_sessions", "The most sessions. 0 means without limit."),
            in: .between(0, 1_000_000))
        walker.value(
            &tunnel.maxClients,
            Setting(
                "max_clients",
                "The most peers of a session: its host, and guests that still wait for a link. 0 means without limit."
            ),
            in: .between(0, 10_000))
        walker.value(
            &tunnel.maxPendingPerAddress,
            Setting(
                "max_pending_per_address",
                "The most guests of one address that wait for their link at the same time. 0 means without limit."),
            in: .between(0, 1_000_000))
        walker.value(
            &tunnel.maxEarlyBytes.asByteSize,
            Setting(
                "max_early_bytes",
                "The most bytes kept from a guest whose link does not exist yet. More is left in the network."),
            in: .between(.kibibytes(1), .mebibytes(16)))
    }

    private mutating func describeTimeouts(to walker: inout some SettingWalker) {
        walker.value(
            &tunnel.handshakeTimeout,
            Setting("handshake_timeout", "How long a connection may take to say what it is."),
            in: .positive)
        walker.value(
            &tunnel.linkTimeout,
            Setting("link_timeout", "How long a guest may wait for its host to open a link."),
            in: .positive)
        walker.value(
            &tunnel.idleTimeout,
            Setting("idle_timeout", "How long both directions of a linked pair may be silent together."),
            in: .positive)
        walker.value(
            &tunnel.halfCloseTimeout,
            Setting(
                "half_close_timeout",
                "How long one direction of a linked pair may outlive the other's end without carrying a byte."),
            in: .positive)
        walker.value(
            &tunnel.pingInterval,
            Setting("ping_interval", "After how much silence of a host it is pinged."),
            in: .positive)
        walker.value(
            &tunnel.maxUnansweredPings,
            Setting("max_unanswered_pings", "How many pings in a row a host may leave unanswered."),
            in: .between(1, 1000))
    }
}

extension Allowed<Duration> {
    /// A time that passes, of a week at most.
    static var positive: Allowed { .between(.milliseconds(1), .seconds(7 * 86_400)) }
}
