import GRDB
import NIOConcurrencyHelpers
import Netplay
import RelayCore
import Testing

@testable import BatonServer

@Suite(.timeLimit(.minutes(5))) struct LobbyDeskTests {
    @Test func whatIsAnsweredIsWrittenDown() async throws {
        try await withDatabasePath { path in
            let lobby = try LobbyFixture(path: path)
            let room = try await lobby.announce(Announced.relayed())
            // As it is after a kill: nobody closed anything.
            let names = try await DatabaseQueue(path: path).read {
                try String.fetchAll($0, sql: "SELECT username FROM sessions")
            }
            #expect(names == ["hosty"])
            let again = try LobbyFixture(path: path)
            #expect(again.list.contains("\"id\": \(room.id)"))
        }
    }

    @Test func touchesAreWrittenLaterAndTogether() async throws {
        let lobby = try LobbyFixture { $0.leastInterval = .zero }
        try await lobby.announce(Announced.relayed(["player_count": "1"]))
        try await lobby.announce(Announced.relayed(["player_count": "2"]))
        #expect(lobby.list.contains("\"player_count\": 2"))
        #expect(try lobby.store.load().rooms.map(\.playerCount) == [1])
        await lobby.desk.saveUnsaved()
        #expect(try lobby.store.load().rooms.map(\.playerCount) == [2])
    }

    @Test func sweptRoomsLeaveTheDatabase() async throws {
        let lobby = try LobbyFixture { $0.roomTimeout = .zero }
        try await lobby.announce(Announced.relayed())
        #expect(try lobby.store.load().rooms.count == 1)
        lobby.desk.sweep()
        await lobby.desk.saveUnsaved()
        #expect(try lobby.store.load().rooms == [])
        #expect(lobby.desk.counters.events["rooms_swept"] == 1)
    }

    @Test func aFullDatabaseRefusesAndTheListGoesOn() async throws {
        try await withDatabasePath { path in
            let lobby = try LobbyFixture(path: path)
            try await lobby.announce(Announced.relayed())
            try await lobby.store.database.writeWithoutTransaction { database in
                let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
                try database.execute(sql: "PRAGMA max_page_count = \(pages)")
            }
            var refusals = 0
            let long = String(repeating: "x", count: 255)
            for index in 0..<20 {
                do {
                    try await lobby.announce(Announced.relayed(["username": "n\(index)", "game_name": long]))
                } catch LobbyRefusal.storageFailed {
                    refusals += 1
                }
            }
            #expect(refusals > 0)
            #expect(lobby.desk.counters.refused["storage_failed"] == UInt64(refusals))
            #expect(lobby.desk.counters.events["database_failed"] == UInt64(refusals))
            // What is listed is what was acknowledged, and that is what is written down.
            #expect(lobby.list.contains("\"hosty\""))
            #expect(lobby.desk.rooms().count == 21 - refusals)
            #expect(try lobby.store.load().rooms.count == 21 - refusals)
            try await lobby.store.database.writeWithoutTransaction {
                try $0.execute(sql: "PRAGMA max_page_count = 100000")
            }
            try await lobby.announce(Announced.relayed(["username": "n19", "game_name": long]))
            #expect(lobby.list.contains("\"n19\""))
        }
    }

    @Test func touchesThatCouldNotBeWrittenAreTriedAgain() async throws {
        try await withDatabasePath { path in
            let lobby = try LobbyFixture(path: path) { $0.leastInterval = .zero }
            try await lobby.announce(Announced.relayed(["player_count": "1"]))
            try await lobby.announce(Announced.relayed(["player_count": "2"]))
            let other = try otherProgram(with: path)
            try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
            await lobby.desk.saveUnsaved()
            #expect(lobby.desk.counters.events["database_failed"] == 1)
            try await other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
            await lobby.desk.saveUnsaved()
            #expect(try lobby.store.load().rooms.map(\.playerCount) == [2])
        }
    }

    private static let header: [UInt8] = [0x52, 0x41, 0x4E, 0x50] + Array(repeating: 0, count: 20)
    private static let full: [UInt8] = [0x46, 0x55, 0x4C, 0x4C] + Array(repeating: 0, count: 20)

    @Test(arguments: [
        (FakeHost.Manner.says(header), true, true), (.says(full), true, true),
        (.saysAndHangsUp(Array(header.prefix(4))), true, true), (.says(Array("HTTP/1.1 400".utf8)), true, false),
        (.saysAndHangsUp([0x52]), true, false), (.saysAndHangsUp([]), true, true),
    ])
    func hostsAreAskedIfTheyAnswer(_ manner: FakeHost.Manner, isConnectable: Bool, isRetroArch: Bool) async throws {
        try await FakeHost.with(manner) { host in
            let lobby = try LobbyFixture()
            let room = try await lobby.announce(["port": "\(host.port)"])
            #expect((room.isConnectable, room.isRetroArch) == (isConnectable, isRetroArch))
            #expect(lobby.list.contains("\"connectable\": \(isConnectable)"))
            #expect(host.visits.withLockedValue { $0 } == 1)
        }
    }

    @Test func aHostWhoSaysNothingIsTakenForRetroArch() async throws {
        try await FakeHost.with(.silent) { host in
            let lobby = try LobbyFixture(answerTimeout: .milliseconds(50))
            let room = try await lobby.announce(["port": "\(host.port)"])
            #expect(room.isConnectable && room.isRetroArch)
        }
    }

    @Test func aHostWhoIsNotThereIsOutOfReach() async throws {
        let port = try await FakeHost.with(.silent) { $0.port }
        let lobby = try LobbyFixture { $0.leastInterval = .zero }
        let room = try await lobby.announce(["port": "\(port)"])
        #expect(!room.isConnectable && room.isRetroArch)
        #expect(lobby.desk.counters.events["host_unreachable"] == 1)
        try await lobby.announce(["port": "\(port)"])
        #expect(lobby.desk.counters.events["host_unreachable"] == 2, "who did not answer is asked again")
    }

    @Test func hostsBehindARelayAreNotAsked() async throws {
        try await FakeHost.with(.silent) { host in
            let lobby = try LobbyFixture()
            let room = try await lobby.announce(Announced.relayed(["port": "\(host.port)"]))
            #expect(room.isConnectable && room.isRetroArch)
            #expect(host.visits.withLockedValue { $0 } == 0)
        }
    }

    @Test func privateAddressesAreNotAskedUnlessAllowed() async throws {
        try await FakeHost.with(.says(Self.header)) { host in
            let lobby = try LobbyFixture(allowsPrivateTargets: false)
            let room = try await lobby.announce(["port": "\(host.port)"])
            #expect(!room.isConnectable)
            #expect(host.visits.withLockedValue { $0 } == 0)
            #expect(lobby.desk.counters.events["host_not_asked"] == 1)
        }
    }

    @Test func aSlowHostDelaysNobodyElse() async throws {
        try await FakeHost.with(.silent) { host in
            let lobby = try LobbyFixture(answerTimeout: .seconds(600))
            let isSlowOneDone = NIOLockedValueBox(false)
            Task {
                defer { isSlowOneDone.withLockedValue { $0 = true } }
                try await lobby.announce(["port": "\(host.port)", "username": "slow"])
            }
            while host.visits.withLockedValue({ $0 }) == 0 { await Task.yield() }
            try await lobby.announce(Announced.relayed(["username": "quick"]))
            #expect(lobby.list.contains("quick") && !lobby.list.contains("slow"))
            await #expect(throws: LobbyRefusal.tooSoon) {
                try await lobby.announce(["port": "\(host.port)", "username": "slow"])
            }
            #expect(!isSlowOneDone.withLockedValue { $0 })
        }
    }

    /// A host may move from port to port, but not so fast that he maps what is behind his address.
    @Test func announcementsAreNoPortScanner() async throws {
        try await FakeHost.with(.says(Self.header)) { host in
            let lobby = try LobbyFixture { $0.maxRoomsPerAddress = 1000 }
            let start = ContinuousClock.now
            for index in 0..<60 {
                try await lobby.announce(["username": "n\(index)", "port": "\(host.port)"])
            }
            let passed = Int((ContinuousClock.now - start).components.seconds) + 1
            #expect(host.visits.withLockedValue { $0 } <= 8 + passed)
            #expect(lobby.desk.counters.events["host_not_asked"] >= UInt64(60 - 8 - passed))
        }
    }

    @Test func refusalsAreCountedByReason() async throws {
        let lobby = try LobbyFixture()
        for changes in [["game_crc": "1"], ["port": "0"], ["username": "é"]] {
            await #expect(throws: LobbyRefusal.self) { try await lobby.announce(changes) }
        }
        try await lobby.announce(Announced.relayed())
        await #expect(throws: LobbyRefusal.tooSoon) { try await lobby.announce(Announced.relayed()) }
        let refused = lobby.desk.counters.refused
        #expect(refused["bad_field"] == 3 && refused["too_soon"] == 1)
    }
}
