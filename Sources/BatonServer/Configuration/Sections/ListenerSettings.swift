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
}
