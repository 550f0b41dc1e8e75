import LANBridge
import LANSockets
package import QUICTransport
import RelayCore

extension Configuration.LAN: SettingSection {
    mutating func describe(to walker: inout some SettingWalker) {
        walker.list(&listen, .listen, canBeEmpty: false)
        walker.optional(
            &publicAddress,
            Setting("public_address", "How players reach the relay, for the links that 'baton lan link' prints."),
            sample: ServerAddress(host: "relay.example.org", port: 4443))
        walker.optional(
            &identity,
            Setting(
                "identity",
                """
                The file of the relay's own key and certificate, made at the first start. Players compare its \
                fingerprint, which is in their link. Without a file a new one is made at every start, and links last as \
                long.
                """,
                needsRestart: true),
            sample: "/var/lib/baton/lan-identity.pem")
        describeCertificate(to: &walker)
        walker.records(
            &rooms, Setting("rooms", "Rooms that have a password or rules of their own."), sample: .sample)
        walker.value(
            &relay.requiresRegistration,
            Setting(
                "registered_rooms_only",
                """
                Whether only the rooms above may be joined. Else whoever comes first opens a room, and what he says as \
                its password is its password.
                """))
        describeBounds(to: &walker)
        describeLimits(to: &walker)
    }

    private mutating func describeCertificate(to walker: inout some SettingWalker) {
        walker.optional(
            &certificate,
            Setting(
                "certificate",
                """
                A certificate that an authority signed for the relay's name, instead of its own, as a PEM file with the \
                whole chain. It is read again when it was renewed.
                """,
                needsRestart: true),
            sample: "/etc/letsencrypt/live/relay.example.org/fullchain.pem")
        walker.optional(
            &key, Setting("key", "The key of that certificate, a PEM file.", needsRestart: true),
            sample: "/etc/letsencrypt/live/relay.example.org/privkey.pem")
    }

    private mutating func describeBounds(to walker: inout some SettingWalker) {
        walker.value(&relay.maxRooms, Setting("max_rooms", "The most rooms."), in: .between(1, 100_000))
        walker.value(
            &relay.maxClientsPerRoom, Setting("max_clients_per_room", "The most players of one room."),
            in: .between(1, 4096))
        walker.value(
            &maxConnections, Setting("max_connections", "The most connections.", needsRestart: true),
            in: .between(1, 100_000))
        walker.value(
            &relay.helloTimeout,
            Setting("hello_timeout", "How long somebody may be connected without having said which room he wants."),
            in: .between(.seconds(1), .seconds(600)))
        walker.value(
            &relay.maxFailures,
            Setting(
                "max_failures",
                """
                Wrong passwords, or guesses of rooms where only those above may be joined, of one IPv4 address or IPv6 \
                /64 within failure_window, after which none is heard.
                """),
            in: .between(0, 1_000_000))
        walker.value(
            &relay.failureWindow, Setting("failure_window", "See max_failures."),
            in: .between(.seconds(1), .seconds(86_400)))
    }

    private mutating func describeLimits(to walker: inout some SettingWalker) {
        func rate(_ rate: inout TokenBucket.Rate, _ key: String, _ what: String, _ walker: inout some SettingWalker) {
            walker.value(
                &rate.perSecond, Setting("\(key)_per_second", "\(what) that one player may send each second."),
                in: .between(1, 1_000_000_000))
            walker.value(
                &rate.burst, Setting("\(key)_burst", "How many of those may come at once."),
                in: .between(1, 1_000_000_000))
        }
        rate(&relay.limits.arp, "arp", "ARP frames", &walker)
        rate(&relay.limits.broadcast, "broadcast", "Broadcasts", &walker)
        rate(&relay.limits.multicast, "multicast", "Multicasts", &walker)
        rate(&relay.limits.unknownUnicast, "unknown_unicast", "Frames to nobody in the room", &walker)
        rate(&relay.limits.bytes, "bytes", "Bytes, of all frames,", &walker)
    }
}

extension Configuration.LANRoom: SettingSection {
    mutating func describe(to walker: inout some SettingWalker) {
        walker.value(&name, Setting("name", "What it is called in links.", isRequired: true))
        walker.secret(
            &password, Setting("password", "What opens it. Without one and without tokens everybody may come."))
        walker.list(
            &tokens, Setting("tokens", "More words that open it, one for each who shall be let in."), canBeEmpty: true)
        walker.secret(
            &gatewayPassword,
            Setting("gateway_password", "What its gateway has to say instead. Without it any guest may be that."))
        walker.value(&isIsolated, Setting("isolated", "Whether players see the party's LAN only, and not each other."))
        walker.list(
            &protected, Setting("protected", "Addresses of the LAN that no player may have: its router, its servers."),
            canBeEmpty: true)
    }

    static var sample: Configuration.LANRoom {
        var room = Configuration.LANRoom()
        room.name = "party"
        room.password = Secret("swordfish")
        return room
    }
}

extension IPAddress: SettingValue {
    static var kind: String { "an address such as 192.168.1.1 or fd00::1" }

    init(setting text: String) throws(BadValue) {
        guard let address = IPAddress(text) else { throw BadValue() }
        self = address
    }

    var settingText: String { description }
}

extension Configuration.LAN {
    /// What the engine is told, the rooms with it.
    var engine: LANBridgeConfiguration {
        var configuration = relay
        for room in rooms {
            var registered = LANBridgeConfiguration.RegisteredRoom()
            registered.secrets = room.secrets
            registered.gatewaySecret = room.gatewayPassword?.text
            registered.isIsolated = room.isIsolated
            registered.protected = room.protected
            configuration.rooms[room.name] = registered
        }
        return configuration
    }

    /// What the transport is told.
    var transport: QUICConfiguration {
        var configuration = QUICConfiguration.lan
        configuration.acceptance.maxConnections = maxConnections
        return configuration
    }

    /// The relay's certificate, made if it has none yet.
    package func loadCertificate() throws(BatonError) -> TLSCertificate {
        if let certificate, let key { return try RelayIdentity.load(certificate: certificate, key: key) }
        guard let identity else { return try RelayIdentity.ephemeral() }
        return try RelayIdentity.loadOrMake(identity)
    }

    /// The relay's certificate as its files have it; `nil` if none has been made yet, or each start makes a new one.
    func presentCertificate() throws(BatonError) -> TLSCertificate? {
        if let certificate, let key { return try RelayIdentity.load(certificate: certificate, key: key) }
        return try identity.flatMap { path throws(BatonError) in try RelayIdentity.loadIfMade(path) }
    }
}

extension Configuration.LANRoom {
    /// All words that open it.
    package var secrets: [String] { [password?.text].compactMap { $0 } + tokens }
}
