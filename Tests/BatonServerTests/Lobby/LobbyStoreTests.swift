import Foundation
import GRDB
import Netplay
import RelayCore
import Testing

@testable import BatonServer

@Suite struct LobbyStoreTests {
    private func failure(opening path: String) -> BatonError? {
        do {
            _ = try LobbyStore(path: path)
            return nil
        } catch {
            return error as? BatonError
        }
    }

    @Test func roomsAndNumbersSurvive() async throws {
        try await withDatabasePath { path in
            let relayed = try LobbyRoom.sample(id: 1, Announced.relayed(["game_name": "Pokémon'\"; DROP TABLE"]))
            var direct = try LobbyRoom.sample(id: 7, ["player_count": "3"], from: "2001:db8::1")
            direct.isRetroArch = false
            let store = try LobbyStore(path: path)
            #expect(try store.load().rooms == [] && store.load().nextID == 1)
            for room in [relayed, direct] { try await store.save(room) }
            try store.close()
            let again = try LobbyStore(path: path)
            #expect(try again.load().rooms == [relayed, direct])
            #expect(try again.load().nextID == 8)
            try await again.save(touched: [], removed: [7])
            try again.close()
            let last = try LobbyStore(path: path).load()
            #expect(last.rooms == [relayed] && last.nextID == 8, "a number is not given out twice")
        }
    }

    @Test func aRoomIsReplacedByItsNewForm() async throws {
        let store = try LobbyStore(path: nil)
        let old = try LobbyRoom.sample(id: 1)
        let (changed, successor) = (try LobbyRoom.sample(id: 1, ["has_password": "1"]), try LobbyRoom.sample(id: 2))
        try await store.save(old)
        try await store.save(changed)
        #expect(try store.load().rooms == [changed])
        // The old one may still be there when its identity has a room again.
        try await store.save(successor)
        try await store.save(touched: [], removed: [1])
        #expect(try store.load().rooms == [successor])
    }

    @Test func touchesNeverMakeARoomOlder() async throws {
        let store = try LobbyStore(path: nil)
        var touched = try LobbyRoom.sample(updated: 1000)
        try await store.save(touched)
        touched.playerCount = 4
        touched.updated.seconds = 1020
        try await store.save(touched: [touched], removed: [])
        #expect(try store.load().rooms == [touched])
        touched.playerCount = 1
        touched.updated.seconds = 1010
        try await store.save(touched: [touched], removed: [])
        #expect(try store.load().rooms.map(\.playerCount) == [4])
    }

    @Test func whatIsNoDatabaseIsSaid() async throws {
        try await withDatabasePath { path in
            try Data("this is a letter to my grandmother, and no database".utf8).write(to: URL(filePath: path))
            let error = failure(opening: path)
            #expect(error?.code == .storage)
            #expect(error?.message.contains("\(path) is damaged, or no SQLite database") == true)
        }
    }

    @Test func aDamagedDatabaseIsSaid() async throws {
        try await withDatabasePath { path in
            let store = try LobbyStore(path: path)
            for id in 1...200 { try await store.save(LobbyRoom.sample(id: Int32(id), ["username": "n\(id)"])) }
            _ = try await store.database.writeWithoutTransaction { try $0.checkpoint(.truncate) }
            try store.close()
            let file = try FileHandle(forUpdating: URL(filePath: path))
            let size = try file.seekToEnd()
            try file.seek(toOffset: size / 2)
            try file.write(contentsOf: Data(repeating: 0xA5, count: Int(size / 4)))
            try file.close()
            #expect(failure(opening: path)?.message.contains("is damaged") == true)
        }
    }

    @Test func aLockedDatabaseIsSaid() async throws {
        try await withDatabasePath { path in
            try LobbyStore(path: path).close()
            let other = try otherProgram(with: path)
            try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN EXCLUSIVE") }
            let error = failure(opening: path)
            #expect(error?.code == .storage && error?.message.contains("is locked by another program") == true)
            try await other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
            #expect(failure(opening: path) == nil)
        }
    }

    @Test func aDatabaseFromTheFutureIsLeftAlone() async throws {
        try await withDatabasePath { path in
            let store = try LobbyStore(path: path)
            try await store.database.write {
                try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('rooms of the year 2040')")
            }
            try store.close()
            #expect(failure(opening: path)?.message.contains("was written by a newer Baton") == true)
        }
    }

    @Test func aMissingDirectoryIsSaid() {
        let error = failure(opening: "/nonexistent/baton/lobby.sqlite")
        #expect(error?.message.contains("its directory is missing") == true)
    }

    @Test func rowsOfOthersAreNotTrusted() async throws {
        for change in ["port = 70000", "ip = 'here'", "host_method = 9", "has_password = 'maybe'"] {
            let store = try LobbyStore(path: nil)
            try await store.save(LobbyRoom.sample())
            try await store.database.write { try $0.execute(sql: "UPDATE sessions SET \(change)") }
            #expect(throws: BatonError.self, "\(change)") { try store.load() }
        }
    }
}
