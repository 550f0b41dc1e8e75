import Foundation
import NIOCore
import RelayCore
import Testing

@testable import LDN

@Suite("LDN statistics")
struct StatisticsTests {
    @Test("the documents say what is going on, in the words that sites read")
    func documents() throws {
        let master = Master()
        let title = TitleID(localCommunicationID: -2)
        let (host, info) = master.host(.of("Ann <b>", title: -2, scene: 3, most: 4))
        _ = master.player(of: info, as: "Bob")
        master.send(.policy(.rejectAll), from: host)
        _ = master.host(.p2p(), from: "192.0.2.1", passphrase: "Ryujinx-0badf00d")
        let statistics = LDNStatistics(of: master.engine.networkSnapshots, names: [title: "A <Game>"])
        let totals = try Self.json(statistics.totals)
        #expect(
            totals as? [String: Int] == [
                "total_game_count": 2, "private_game_count": 1, "public_game_count": 1, "in_progress_count": 1,
                "master_proxy_count": 1, "total_player_count": 3, "private_player_count": 1, "public_player_count": 2,
            ])
        let games = statistics.games.sorted { $0.playerCount > $1.playerCount }
        try #require(games.count == 2)
        #expect(
            games[0]
                == LDNStatistics.Game(
                    id: info.networkID.sessionID.description, isPublic: true, playerCount: 2, maxPlayerCount: 4,
                    gameName: "A _Game_", titleID: "FFFFFFFFFFFFFFFE", titleVersion: "1.2.3",
                    mode: "Master Server Proxy", status: "Not Joinable", sceneID: 3, players: ["Annb", "Bob"]))
        #expect(!games[1].isPublic && games[1].mode == "P2P" && games[1].status == "Joinable")
        #expect(games[1].gameName == "Unknown" && games[1].titleID == "0100152002000000")
        let keys = try #require(try Self.json(games[0]) as? [String: Any]).keys
        #expect(
            Set(keys) == [
                "id", "is_public", "player_count", "max_player_count", "game_name", "title_id", "title_version", "mode",
                "status", "scene_id", "players",
            ])
    }

    private static func json(_ value: some Encodable) throws -> Any {
        try JSONSerialization.jsonObject(with: JSONEncoder().encode(value))
    }
}
