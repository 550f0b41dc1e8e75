import RelayCore

/// What every protocol says of its listeners.
extension Setting {
    static var listen: Setting {
        Setting(
            "listen",
            "Where to listen: one ADDRESS:PORT or a list of them, IPv4 or [IPv6]. Port 0 picks a free one.",
            needsRestart: true)
    }

    static var proxyProtocolFrom: Setting {
        Setting(
            "proxy_protocol_from",
            "Addresses of proxies whose connections start with a PROXY protocol header that is believed.",
            needsRestart: true)
    }

    static var userTimeout: Setting {
        Setting(
            "user_timeout",
            "How long sent bytes may stay unacknowledged before the connection counts as dead (TCP_USER_TIMEOUT).",
            needsRestart: true)
    }

    /// For what is served over HTTP.
    static var trustedProxies: Setting {
        Setting(
            "trusted_proxies", "Addresses of proxies whose X-Forwarded-For and X-Real-IP headers are believed.")
    }
}

extension SettingWalker {
    /// How often somebody may ask over HTTP, and how long he may take.
    mutating func requests(_ rate: inout TokenBucket.Rate, read: inout Duration, write: inout Duration) {
        value(
            &rate.perSecond,
            Setting(
                "requests_per_second", "Requests of one IPv4 address or IPv6 /64 each second. 0 means without limit."),
            in: .between(0, 1_000_000))
        value(
            &rate.burst, Setting("requests_burst", "How many of those may come at once."), in: .between(1, 1_000_000))
        value(
            &read,
            Setting(
                "read_timeout", "How long a request may take to arrive, counted from the answer before it.",
                needsRestart: true),
            in: .between(.milliseconds(100), .seconds(3600)))
        value(
            &write,
            Setting("write_timeout", "How long a client may take to accept an answer.", needsRestart: true),
            in: .between(.milliseconds(100), .seconds(3600)))
    }
}
