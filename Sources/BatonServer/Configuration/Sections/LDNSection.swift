import LDN
import RelayCore

extension Configuration.LDN: SettingSection {
    mutating func describe(to walker: inout some SettingWalker) {
        describeListeners(to: &walker)
        describeRules(to: &walker)
        describeLimits(to: &walker)
        describeRates(to: &walker)
        walker.optionalSection(
            &api,
            Setting(
                "api",
                "Statistics and the list of public games, over HTTP. Leave the section out to turn them off.",
                needsRestart: true))
    }

    private mutating func describeListeners(to walker: inout some SettingWalker) {
        walker.list(&listen, .listen, canBeEmpty: false)
        walker.list(&proxyProtocolFrom, .proxyProtocolFrom, canBeEmpty: true)
        walker.value(
            &queueBytes.asByteSize,
            Setting(
                "queue_bytes", "How much may wait for one slow player before it is disconnected.", needsRestart: true),
            in: .between(.kibibytes(128), .mebibytes(1024)))
        walker.value(
            &queueFrames,
            Setting("queue_frames", "How many packets may wait for one slow player.", needsRestart: true),
            in: .between(16, 1_000_000))
        walker.value(&userTimeout, .userTimeout, in: .between(.seconds(1), .seconds(86_400)))
    }

    private mutating func describeRules(to walker: inout some SettingWalker) {
        walker.value(
            &master.allowP2P,
            Setting(
                "allow_p2p",
                """
                Whether hosts may relay for their own players, who then learn each other's addresses. Without, Baton \
                relays for all.
                """))
        walker.value(
            &master.enforceAcceptPolicy,
            Setting(
                "enforce_accept_policy",
                """
                Whether a network whose game lets nobody in any more is closed to those who know of it, and not only \
                hidden.
                """))
        walker.value(
            &master.maxScanReplies,
            Setting("max_scan_replies", "The most networks a scan is answered with, those with room first."),
            in: .between(1, 200))
        walker.value(
            &master.pingInterval, Setting("ping_interval", "After how much silence a client is pinged."),
            in: .ofSeconds)
        walker.value(
            &master.pingTimeout, Setting("ping_timeout", "How long a pinged client may stay silent."), in: .ofSeconds)
        walker.value(
            &master.clientMemory,
            Setting("client_memory", "How long a client that has gone keeps its made-up MAC address."),
            in: .between(.zero, .seconds(365 * 86_400)))
        walker.value(
            &master.maxRememberedClients,
            Setting("max_remembered_clients", "How many clients that have gone keep theirs."),
            in: .between(0, 10_000_000))
    }

    private mutating func describeLimits(to walker: inout some SettingWalker) {
        walker.value(
            &master.maxNetworks, Setting("max_networks", "The most networks. 0 means without limit."),
            in: .between(0, 1_000_000))
        walker.value(
            &master.maxSessions, Setting("max_sessions", "The most connected clients. 0 means without limit."),
            in: .between(0, 10_000_000))
        walker.value(
            &master.maxSessionsPerAddress,
            Setting(
                "max_sessions_per_address",
                "The most connected clients of one address or IPv6 /64. 0 means without limit."),
            in: .between(0, 10_000_000))
    }

    /// All are of one address or IPv6 /64, but for the changes of one host.
    private mutating func describeRates(to walker: inout some SettingWalker) {
        walker.rate(&master.createRate, "creates", "Networks opened from one address")
        walker.rate(&master.scanRate, "scans", "Scans from one address; beyond it they find nothing")
        walker.rate(&master.joinRate, "joins", "Attempts to join from one address")
        walker.rate(
            &master.changeRate, "changes", "Changes of a network by its host; beyond it the host is disconnected")
        walker.rate(&master.probeRate, "probes", "Checks whether hosts of one address can be reached for P2P")
        walker.value(
            &master.byteRate.perSecond.asByteSize,
            Setting(
                "bytes_per_second",
                "How much one address may send; who goes beyond it is disconnected. 0 means without limit."),
            in: .between(ByteSize(bytes: 0), .mebibytes(900)))
        walker.value(
            &master.byteRate.burst.asByteSize,
            Setting("bytes_burst", "How much of that may come at once."), in: .between(.mebibytes(1), .mebibytes(900)))
    }
}

extension Configuration.LDN.API: SettingSection {
    mutating func describe(to walker: inout some SettingWalker) {
        walker.list(&listen, .listen, canBeEmpty: false)
        walker.optional(
            &gameList,
            Setting(
                "game_list",
                """
                A JSON file that says how games are called, [{"id": "0x0100152000022000", "name": "..."}]; read again at \
                a reload.
                """),
            sample: "/var/lib/baton/gamelist.json")
        walker.list(&trustedProxies, .trustedProxies, canBeEmpty: true)
        walker.requests(&requests, read: &readTimeout, write: &writeTimeout)
    }
}

extension SettingWalker {
    /// Two settings: so many each second, and so many at once.
    fileprivate mutating func rate(_ rate: inout TokenBucket.Rate, _ key: String, _ documentation: String) {
        value(
            &rate.perSecond, Setting("\(key)_per_second", "\(documentation). 0 means without limit."),
            in: .between(0, 1_000_000))
        value(&rate.burst, Setting("\(key)_burst", "How many of those may come at once."), in: .between(1, 1_000_000))
    }
}

extension Allowed<Duration> {
    fileprivate static var ofSeconds: Allowed { .between(.seconds(1), .seconds(3600)) }
}
