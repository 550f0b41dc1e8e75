import NIOCore
import RelayCore

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
    public var droppedPackets = DroppedPackets()

    public init() {}
}

extension LDNEngine {
    /// A copy of what is going on, for people to look at.
    ///
    /// - Parameter names: how titles are called.
    public func statistics(names: [TitleID: String] = [:]) -> LDNStatistics {
        var statistics = LDNStatistics()
        statistics.droppedPackets = dropped
        for (_, network) in networks.all {
            let game = LDNStatistics.Game(network, names: names)
            statistics.totals.count(game, isRelayed: network.proxy == nil)
            statistics.games.append(game)
        }
        return statistics
    }
}

extension LDNStatistics.Totals {
    fileprivate mutating func count(_ game: LDNStatistics.Game, isRelayed: Bool) {
        totalGameCount += 1
        totalPlayerCount += game.playerCount
        if game.isPublic {
            publicGameCount += 1
            publicPlayerCount += game.playerCount
        } else {
            privateGameCount += 1
            privatePlayerCount += game.playerCount
        }
        if game.status != LDNStatistics.Game.joinable { inProgressCount += 1 }
        if isRelayed { masterProxyCount += 1 }
    }
}

extension LDNStatistics.Game {
    fileprivate static let joinable = "Joinable"

    fileprivate init(_ network: Network, names: [TitleID: String]) {
        let title = TitleID(localCommunicationID: network.title)
        id = network.id.description
        isPublic = network.passphrase.isPublic
        playerCount = network.members.count
        maxPlayerCount = Int(network.info.ldn.nodeCountMax)
        gameName = names[title].map(PublicText.gameName) ?? "Unknown"
        titleID = title.description
        titleVersion = PublicText.version(network.gameVersion)
        mode = network.proxy == nil ? "Master Server Proxy" : "P2P"
        status = network.rejectsAll ? "Not Joinable" : Self.joinable
        sceneID = Int(network.sceneID)
        players = network.members.map { PublicText.name(network.info.ldn.nodes[$0.nodeID].userName) }
    }
}

/// Text from strangers, made fit for web pages and logs.
enum PublicText {
    /// A player's name.
    static func name(_ field: ByteBuffer) -> String {
        cleaned(field, length: 32, allowing: "_-")
    }

    /// A game's version.
    static func version(_ field: ByteBuffer) -> String {
        cleaned(field, length: 16, allowing: "_-.")
    }

    static func gameName(_ name: String) -> String {
        String(name.map { $0 == "<" || $0 == ">" ? "_" : $0 })
    }

    /// Letters and digits of any script stay.
    private static func cleaned(_ field: ByteBuffer, length: Int, allowing others: String) -> String {
        field.nulTerminatedText.prefix(length).filter { $0.isLetter || $0.isNumber || others.contains($0) }
    }
}
