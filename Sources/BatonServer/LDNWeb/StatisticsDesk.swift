import Foundation
import LDN
import NIOCore
import RelayCore
import RelayNIO

/// Holds the master's documents for the web ready. They are made when somebody asks, and not more than once a second,
/// however many ask; the master is only asked for a copy of what there is.
actor StatisticsDesk {
    /// Bodies in JSON.
    struct Documents: Sendable {
        /// How much is going on.
        var totals: ByteBuffer
        /// The public networks, by their ids.
        var games: ByteBuffer
        /// The same as a list.
        var publicGames: ByteBuffer
    }

    private let networks: @Sendable () async throws -> [NetworkSnapshot]
    private let lifetime: Duration
    private var gameList: GameList
    private var kept: (documents: Documents, made: Instant)?
    private var making: Task<Documents, any Error>?

    /// - Parameters:
    ///   - lifetime: how old what is answered may be.
    ///   - networks: asks the master.
    init(
        gameList: GameList, lifetime: Duration = .seconds(1),
        networks: @escaping @Sendable () async throws -> [NetworkSnapshot]
    ) {
        self.gameList = gameList
        self.lifetime = lifetime
        self.networks = networks
    }

    func use(_ gameList: GameList) {
        self.gameList = gameList
        kept = nil
    }

    func documents() async throws -> Documents {
        if let kept, Instant.now - kept.made < lifetime { return kept.documents }
        if let making { return try await making.value }
        let (networks, names) = (networks, gameList.names)
        let task = Task { try Documents(LDNStatistics(of: try await networks(), names: names)) }
        making = task
        defer { making = nil }
        let documents = try await task.value
        kept = (documents, .now)
        return documents
    }
}

extension StatisticsDesk.Documents {
    fileprivate init(_ statistics: LDNStatistics) throws {
        let shown = statistics.games.filter(\.isPublic).sorted { $0.id < $1.id }
        totals = try Self.json(statistics.totals)
        publicGames = try Self.json(shown)
        games = try Self.json(Dictionary(uniqueKeysWithValues: shown.map { ($0.id, $0) }))
    }

    private static func json(_ value: some Encodable) throws -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return ByteBuffer(bytes: try encoder.encode(value))
    }
}
