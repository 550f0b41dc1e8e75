import BatonServer

/// A room as `rooms --json` prints it; what is not known is left out.
struct ListedRoom: Encodable {
    /// What to start, as arguments; RetroArch takes core and content behind them.
    struct Join: Encodable {
        var retroarch: [String]
        var bridge: [String]?
    }

    var id: Int
    var name: String
    var game: String
    var crc: String
    var core: String
    var coreVersion: String
    var subsystem: String
    var version: String
    var frontend: String
    var country: String
    var host: String
    var port: UInt16
    var relayed: Bool
    var session: String?
    var locked: Bool
    var spectatingLocked: Bool
    var reachable: Bool
    var players: Int?
    var maxPlayers: Int?
    var spectators: Int?
    var join: Join

    init(_ room: AdvertisedRoom) {
        id = room.id
        name = room.name
        game = room.game
        crc = room.gameCRC
        core = room.core
        coreVersion = room.coreVersion
        subsystem = room.subsystem
        version = room.version
        frontend = room.frontend
        country = room.country
        switch room.place {
        case .direct(let host): (self.host, port, session) = (host.name, host.port, nil)
        case .relayed(let host, let session): (self.host, port, self.session) = (host.name, host.port, "\(session)")
        }
        relayed = room.isRelayed
        locked = room.hasPassword
        spectatingLocked = room.hasSpectatePassword
        reachable = room.isReachable
        players = room.players
        maxPlayers = room.maxPlayers
        spectators = room.spectators
        join = Join(retroarch: room.retroArchCommand, bridge: room.bridgeCommand)
    }

    private enum CodingKeys: String, CodingKey {
        case id, name, game, crc, core, subsystem, version, frontend, country, host, port, relayed, session, locked
        case reachable, players, spectators, join
        case coreVersion = "core_version"
        case spectatingLocked = "spectating_locked"
        case maxPlayers = "max_players"
    }
}
