package import Netplay

/// A room as a lobby tells it, with texts that a terminal can bear.
package struct AdvertisedRoom: Sendable, Equatable {
    /// Where it is joined.
    package enum Place: Sendable, Equatable {
        case direct(RemoteHost)
        case relayed(RemoteHost, TunnelID)
    }

    package var id: Int
    /// The nickname of its host.
    package var name: String
    package var game: String
    /// CRC-32 of the content, in hexadecimal.
    package var gameCRC: String
    package var core: String
    package var coreVersion: String
    package var subsystem: String
    /// Of RetroArch.
    package var version: String
    package var frontend: String
    /// Two letters, or none if it is not known.
    package var country: String
    package var place: Place
    package var hasPassword: Bool
    package var hasSpectatePassword: Bool
    /// Whether the lobby could connect to it.
    package var isReachable: Bool
    /// Whether a RetroArch answered the lobby.
    package var isRetroArch: Bool
    /// `nil` if the host does not say, as the two below.
    package var players: Int?
    package var spectators: Int?
    package var maxPlayers: Int?

    package var isRelayed: Bool {
        if case .relayed = place { true } else { false }
    }

    /// The command that joins with a RetroArch, to which core and content are added.
    package var retroArchCommand: [String] {
        switch place {
        case .direct(let host): ["retroarch", "-C", host.name, "--port", "\(host.port)"]
        case .relayed(let host, let session): ["retroarch", "-C", "\(host.name)|\(host.port)|\(session)"]
        }
    }

    /// The command that opens a bridge for programs which know no tunnel; `nil` for a direct room, which needs none.
    package var bridgeCommand: [String]? {
        guard case .relayed(let host, let session) = place else { return nil }
        return ["baton", "netplay", "join", "\(host)", "--session", "\(session)"]
    }
}

extension AdvertisedRoom: Decodable {
    private enum Key: String, CodingKey {
        case fields
    }

    private enum Field: String, CodingKey {
        case id, username, country, ip, port, frontend, connectable
        case gameName = "game_name"
        case gameCRC = "game_crc"
        case coreName = "core_name"
        case coreVersion = "core_version"
        case subsystemName = "subsystem_name"
        case retroArchVersion = "retroarch_version"
        case relayAddress = "mitm_ip"
        case relayPort = "mitm_port"
        case relaySession = "mitm_session"
        case hostMethod = "host_method"
        case hasPassword = "has_password"
        case hasSpectatePassword = "has_spectate_password"
        case isRetroArch = "is_retroarch"
        case playerCount = "player_count"
        case spectatorCount = "spectator_count"
        case maxPlayers = "max_players"
    }

    private typealias Fields = KeyedDecodingContainer<Field>

    /// What `host_method` is for a room behind a relay.
    private static let relayed = 3

    /// As tolerant as RetroArch: what is missing has a default, what is unknown is no matter. A value of another kind,
    /// or a place where nobody can go, makes the room malformed.
    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Key.self).nestedContainer(keyedBy: Field.self, forKey: .fields)
        id = try fields.decodeIfPresent(Int.self, forKey: .id) ?? 0
        name = try Self.text(fields, .username, atMost: 32)
        game = try Self.text(fields, .gameName)
        gameCRC = try Self.text(fields, .gameCRC, atMost: 8)
        core = try Self.text(fields, .coreName)
        coreVersion = try Self.text(fields, .coreVersion)
        subsystem = try Self.text(fields, .subsystemName)
        version = try Self.text(fields, .retroArchVersion, atMost: 32)
        frontend = try Self.text(fields, .frontend)
        country = try Self.text(fields, .country, atMost: 2)
        place = try Self.place(fields)
        hasPassword = try fields.decodeIfPresent(Bool.self, forKey: .hasPassword) ?? false
        hasSpectatePassword = try fields.decodeIfPresent(Bool.self, forKey: .hasSpectatePassword) ?? false
        isReachable = try fields.decodeIfPresent(Bool.self, forKey: .connectable) ?? true
        isRetroArch = try fields.decodeIfPresent(Bool.self, forKey: .isRetroArch) ?? true
        players = try Self.count(fields, .playerCount)
        spectators = try Self.count(fields, .spectatorCount)
        maxPlayers = try Self.count(fields, .maxPlayers)
    }

    private static func text(_ fields: Fields, _ field: Field, atMost limit: Int = 255) throws -> String {
        TerminalText.clean(try fields.decodeIfPresent(String.self, forKey: field) ?? "", atMost: limit)
    }

    /// A negative count says that it is not known.
    private static func count(_ fields: Fields, _ field: Field) throws -> Int? {
        try fields.decodeIfPresent(Int.self, forKey: field).flatMap { $0 >= 0 ? $0 : nil }
    }

    private static func place(_ fields: Fields) throws -> Place {
        guard try fields.decodeIfPresent(Int.self, forKey: .hostMethod) == relayed else {
            return .direct(try host(fields, .ip, .port))
        }
        let host = try host(fields, .relayAddress, .relayPort)
        guard let session = TunnelID(try fields.decode(String.self, forKey: .relaySession)) else {
            throw DecodingError.dataCorruptedError(
                forKey: .relaySession, in: fields, debugDescription: "no session of a tunnel")
        }
        return .relayed(host, session)
    }

    /// It will stand in a command that somebody copies: nothing but a name or an address will do.
    private static func host(_ fields: Fields, _ nameField: Field, _ portField: Field) throws -> RemoteHost {
        let name = try fields.decode(String.self, forKey: nameField)
        let port = try fields.decode(UInt16.self, forKey: portField)
        guard port > 0, let host = RemoteHost(name: name, port: port) else {
            throw DecodingError.dataCorruptedError(
                forKey: nameField, in: fields, debugDescription: "nowhere to connect to")
        }
        return host
    }
}
