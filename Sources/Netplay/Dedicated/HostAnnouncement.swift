/// What a lobby is told of a dedicated host: the form that RetroArch posts to `/add`.
public struct HostAnnouncement: Equatable, Sendable {
    /// How guests come: to the host's own port, or through a relay.
    public enum Way: Equatable, Sendable {
        case direct(port: UInt16)
        case relay(host: String, port: UInt16, session: TunnelID)
    }

    public var nick: String
    public var coreName: String
    public var coreVersion: String
    public var gameName: String
    public var gameCRC: UInt32
    public var way: Way
    public var hasPassword: Bool
    public var retroArchVersion: String
    /// The guests that are there.
    public var playerCount: Int

    public init(
        nick: String, coreName: String, coreVersion: String, gameName: String, gameCRC: UInt32, way: Way,
        hasPassword: Bool, retroArchVersion: String, playerCount: Int
    ) {
        self.nick = nick
        self.coreName = coreName
        self.coreVersion = coreVersion
        self.gameName = gameName
        self.gameCRC = gameCRC
        self.way = way
        self.hasPassword = hasPassword
        self.retroArchVersion = retroArchVersion
        self.playerCount = playerCount
    }

    /// As `application/x-www-form-urlencoded`, in RetroArch's order.
    public var form: String {
        fields.map { "\($0)=\(Self.encoded($1))" }.joined(separator: "&")
    }

    private var fields: [(String, String)] {
        let crc = String(gameCRC, radix: 16, uppercase: true)
        var fields = [
            ("username", nick), ("core_name", coreName), ("core_version", coreVersion), ("game_name", gameName),
            ("game_crc", String(repeating: "0", count: 8 - crc.count) + crc),
        ]
        let common = [
            ("has_password", hasPassword ? "1" : "0"), ("has_spectate_password", "0"),
        ]
        let program = [
            ("retroarch_version", retroArchVersion), ("frontend", "baton"), ("subsystem_name", "N/A"),
        ]
        switch way {
        case .direct(let port):
            fields += [("port", "\(port)"), ("mitm_server", "")] + common + [("force_mitm", "0")] + program
            fields += [("mitm_session", ""), ("mitm_custom_addr", ""), ("mitm_custom_port", "0")]
        case .relay(let host, let port, let session):
            fields += [("port", "\(port)"), ("mitm_server", "custom")] + common + [("force_mitm", "1")] + program
            fields += [("mitm_session", "\(session)"), ("mitm_custom_addr", host), ("mitm_custom_port", "\(port)")]
        }
        return fields + [("player_count", "\(playerCount)"), ("spectator_count", "0")]
    }

    /// All but RFC 3986's unreserved characters as `%XX`: a session's Base64 holds `+` and `/`.
    private static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        let bytes = text.utf8.flatMap { byte -> [UInt8] in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: [byte]
            default: [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
