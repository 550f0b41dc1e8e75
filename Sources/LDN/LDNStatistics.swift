/// What a master tells the web: the two documents that existing sites and emulators read, with their members' names.
public struct LDNStatistics: Sendable, Equatable {
    /// The document `ldn`: how much is going on. What is private has a passphrase.
    public struct Totals: Sendable, Equatable, Codable {
        public var totalGameCount = 0
        public var privateGameCount = 0
        public var publicGameCount = 0
        /// Networks that cannot be joined.
        public var inProgressCount = 0
        /// Networks that the master relays for.
        public var masterProxyCount = 0
        public var totalPlayerCount = 0
        public var privatePlayerCount = 0
        public var publicPlayerCount = 0

        public init() {}

        private enum CodingKeys: String, CodingKey {
            case totalGameCount = "total_game_count"
            case privateGameCount = "private_game_count"
            case publicGameCount = "public_game_count"
            case inProgressCount = "in_progress_count"
            case masterProxyCount = "master_proxy_count"
            case totalPlayerCount = "total_player_count"
            case privatePlayerCount = "private_player_count"
            case publicPlayerCount = "public_player_count"
        }
    }

    /// One network, as in the document `games`.
    public struct Game: Sendable, Equatable, Codable {
        public var id: String
        public var isPublic: Bool
        public var playerCount: Int
        public var maxPlayerCount: Int
        /// `Unknown` if nobody said how the title is called.
        public var gameName: String
        /// 16 upper-case hexadecimal digits.
        public var titleID: String
        public var titleVersion: String
        /// `P2P` or `Master Server Proxy`.
        public var mode: String
        /// `Joinable` or `Not Joinable`.
        public var status: String
        public var sceneID: Int
        public var players: [String]

        private enum CodingKeys: String, CodingKey {
            case id, mode, status, players
            case isPublic = "is_public"
            case playerCount = "player_count"
            case maxPlayerCount = "max_player_count"
            case gameName = "game_name"
            case titleID = "title_id"
            case titleVersion = "title_version"
            case sceneID = "scene_id"
        }
    }

    public var totals = Totals()
    /// By network, in no order. Private ones are in it: leave them out where strangers look.
    public var games: [Game] = []

    /// - Parameter names: how titles are called.
    public init(of networks: [NetworkSnapshot], names: [TitleID: String] = [:]) {
        games.reserveCapacity(networks.count)
        for network in networks {
            totals.count(network)
            games.append(Game(network, names: names))
        }
    }
}

extension LDNStatistics.Totals {
    fileprivate mutating func count(_ network: NetworkSnapshot) {
        let players = network.players.count
        totalGameCount += 1
        totalPlayerCount += players
        if network.isPublic {
            publicGameCount += 1
            publicPlayerCount += players
        } else {
            privateGameCount += 1
            privatePlayerCount += players
        }
        if network.rejectsAll { inProgressCount += 1 }
        if !network.isP2P { masterProxyCount += 1 }
    }
}

extension LDNStatistics.Game {
    fileprivate init(_ network: NetworkSnapshot, names: [TitleID: String]) {
        id = network.id.description
        isPublic = network.isPublic
        playerCount = network.players.count
        maxPlayerCount = network.places
        gameName = names[network.title].map(PublicText.gameName) ?? "Unknown"
        titleID = network.title.description
        titleVersion = network.version
        mode = network.isP2P ? "P2P" : "Master Server Proxy"
        status = network.rejectsAll ? "Not Joinable" : "Joinable"
        sceneID = Int(network.sceneID)
        players = network.players
    }
}
