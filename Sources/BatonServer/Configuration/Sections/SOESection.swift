import SOE
import SOEGateway

extension Configuration.SOE: SettingSection {
    mutating func describe(to walker: inout some SettingWalker) {
        walker.list(&listen, .listen, canBeEmpty: false)
        walker.value(
            &backend,
            Setting(
                "backend", "The server that speaks for the game: it is connected to over TCP, for all sessions.",
                needsRestart: true))
        describeProtocol(to: &walker)
        describeTimes(to: &walker)
        describeBounds(to: &walker)
        describeBackend(to: &walker)
    }

    private mutating func describeProtocol(to walker: inout some SettingWalker) {
        walker.value(
            &gateway.dialect.asName,
            Setting(
                "dialect",
                """
                How the game's clients speak.
                v3: PlanetSide 2 and H1Z1. udplibrary: Free Realms. swg: Star Wars Galaxies. everquest: EverQuest.
                """))
        walker.list(
            &gateway.protocolNames,
            Setting("protocols", "The protocols that clients may name, such as LoginUdp_9. None means any."),
            canBeEmpty: true)
        walker.value(
            &gateway.udpLength.orDialects,
            Setting("udp_length", "The largest datagram, in bytes. 0 means what the dialect has, which is about 512."),
            in: Allowed(text: "0, or between 64 and 8192") { $0 == 0 || (64...8192).contains($0) })
        walker.value(
            &gateway.crcLength, Setting("crc_length", "How many bytes of CRC datagrams have."), in: .between(0, 4))
        walker.value(&gateway.compression, Setting("compression", "Whether datagrams may be compressed."))
        walker.secret(
            &key,
            Setting(
                "key",
                "Encrypts sessions from their first message on: 1 to 256 bytes in hexadecimal digits. A backend can begin "
                    + "later, with a key of its own."))
        walker.value(
            &gateway.opensAtRequest,
            Setting(
                "opens_at_request",
                """
                Whether a session is open as soon as it was asked for, for clients that wait for the server to speak. \
                Forged requests then cost as much as sessions.
                """))
    }

    private mutating func describeTimes(to walker: inout some SettingWalker) {
        walker.value(
            &gateway.heartbeatAfter,
            Setting(
                "heartbeat_after", "After how long a client that was sent nothing gets a heartbeat. 0 means never."),
            in: .between(.zero, .seconds(86_400)))
        walker.value(
            &gateway.inactivityTimeout,
            Setting("inactivity_timeout", "How long a client may be silent. 0 means for ever."),
            in: .between(.zero, .seconds(86_400)))
        walker.value(
            &gateway.unacknowledgedTimeout,
            Setting(
                "unacknowledged_timeout",
                "How long a client may acknowledge nothing of what waits for it. 0 means for ever."),
            in: .between(.zero, .seconds(86_400)))
        walker.value(
            &gateway.flushTimeout,
            Setting("flush_timeout", "How long what was accepted may still travel when a session is ended."),
            in: .between(.zero, .seconds(60)))
    }

    private mutating func describeBounds(to walker: inout some SettingWalker) {
        walker.value(
            &gateway.maxSessions, Setting("max_sessions", "The most sessions. 0 means without limit."),
            in: .between(0, 1_000_000))
        walker.value(
            &gateway.maxMessage.asByteSize, Setting("max_message", "The longest message."),
            in: .between(.kibibytes(1), .mebibytes(64)))
        walker.value(
            &gateway.maxQueued.asByteSize,
            Setting(
                "max_queued",
                """
                The most that waits for one client. The backend is asked to pause at a quarter of it; a session for which \
                it goes on nevertheless is ended.
                """),
            in: .between(.kibibytes(64), .mebibytes(1024)))
        walker.value(
            &gateway.maxHeldBytes.asByteSize,
            Setting("max_held", "The most that is kept of messages that are not complete, of all sessions together."),
            in: .between(.mebibytes(1), .mebibytes(65_536)))
    }

    private mutating func describeBackend(to walker: inout some SettingWalker) {
        walker.value(
            &gateway.backendGrace,
            Setting(
                "backend_grace",
                """
                How long sessions wait for a backend that was lost. Until then clients are kept alive, and what they say \
                is left in the network; new ones are refused. 0 ends sessions at once.
                """),
            in: .between(.zero, .seconds(86_400)))
        walker.value(
            &gateway.backendStallTimeout,
            Setting("backend_stall_timeout", "How long a backend may read nothing before it counts as lost."),
            in: .positive)
        walker.value(
            &gateway.statsInterval,
            Setting("stats_interval", "How often the backend is told each session's figures. 0 means when it asks."),
            in: .between(.zero, .seconds(86_400)))
    }
}

extension ProtocolName: SettingValue {
    static var kind: String { "the name of a protocol such as LoginUdp_9" }

    init(setting text: String) throws(BadValue) {
        guard (1...255).contains(text.utf8.count), text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw BadValue(advice: "1 to 255 visible ASCII characters")
        }
        self.init(text)
    }

    var settingText: String { description }
}

/// A dialect as a word.
enum DialectName: String, SettingChoice {
    case v3, udplibrary, swg, everquest

    var dialect: SOEDialect {
        switch self {
        case .v3: .v3
        case .udplibrary: .udpLibrary
        case .swg: .swg
        case .everquest: .everQuest
        }
    }
}

extension SOEDialect {
    fileprivate var asName: DialectName {
        get { DialectName(rawValue: name) ?? .v3 }
        set { self = newValue.dialect }
    }
}

extension Int? {
    /// 0 instead of nothing.
    fileprivate var orDialects: Int {
        get { self ?? 0 }
        set { self = newValue == 0 ? nil : newValue }
    }
}

extension RC4Key {
    /// `nil` unless these are 1...256 bytes in hexadecimal digits.
    package init?(hexadecimal text: some StringProtocol) {
        let digits = text.utf8.map { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count.isMultiple(of: 2) else { return nil }
        var octets: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = digits[index], let low = digits[index + 1] else { return nil }
            octets.append(UInt8(high * 16 + low))
        }
        self.init(octets)
    }
}
