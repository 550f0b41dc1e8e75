import NIOCore
import Netplay
import RelayCore
import Testing

@Suite struct LobbyTests {
    @Test func aNewRoomIsMade() throws {
        var scene = LobbyScene()
        let proposal = try scene.announce(Announcements.relayed)
        #expect(proposal.change == .create && !proposal.needsProbe)
        #expect(proposal.room.id == 1)
        #expect(proposal.room.content.hostMethod == .relay)
        #expect(proposal.room.content.relay?.address.host == "relay.example.org")
        #expect(scene.usernames == ["hosty"])
    }

    @Test func aRelayThatIsNotInTheTableIsNone() throws {
        var scene = LobbyScene()
        let proposal = try scene.begin(Announcements.changed(["mitm_server": "paris"]))
        #expect(proposal.room.content.hostMethod == .unknown && proposal.room.content.relay == nil)
        #expect(proposal.needsProbe && !proposal.room.isConnectable)
    }

    @Test func theSameAgainIsATouch() throws {
        var scene = LobbyScene()
        let first = try scene.announce(Announcements.relayed).room
        scene.pass(20)
        let second = try scene.announce(Announcements.changed(["player_count": "3", "spectator_count": "1"]))
        #expect(second.change == .touch && !second.needsProbe)
        #expect(second.room.id == first.id && second.room.created == first.created)
        #expect(second.room.updated == scene.date)
        #expect((second.room.playerCount, second.room.spectatorCount) == (3, 1))
        #expect(scene.list().contains("\"player_count\": 3"))
    }

    @Test(arguments: [
        ["game_name": "other"], ["game_crc": "00000000"], ["core_name": "other"], ["core_version": "2"],
        ["subsystem_name": "x"], ["retroarch_version": "1.15.0"], ["frontend": "x"], ["has_password": "1"],
        ["has_spectate_password": "1"], ["mitm_session": "AAAAAAAAAAAAAAAA"], ["force_mitm": "0"],
    ])
    func anotherContentIsAnUpdate(_ fields: [String: String]) throws {
        var scene = LobbyScene()
        let first = try scene.announce(Announcements.relayed).room
        scene.pass(20)
        let second = try scene.announce(Announcements.changed(fields))
        #expect(second.change == .update)
        #expect(second.room.id == first.id && second.room.created == first.created)
        #expect(second.needsProbe == (fields["force_mitm"] != nil))
        #expect(scene.lobby.rooms(at: scene.now).count == 1)
    }

    @Test(arguments: [(["username": "other"], "192.0.2.7"), (["port": "1"], "192.0.2.7"), ([:], "192.0.2.8")])
    func anotherIdentityIsAnotherRoom(_ fields: [String: String], _ caller: String) throws {
        var scene = LobbyScene()
        try scene.announce(Announcements.relayed)
        let second = try scene.announce(Announcements.changed(fields), from: caller)
        #expect(second.change == .create && second.room.id == 2)
    }

    @Test func whoComesTooSoonIsRefused() throws {
        var scene = LobbyScene()
        try scene.announce(Announcements.relayed)
        scene.pass(4)
        #expect(throws: LobbyRefusal.tooSoon) { try scene.announce(Announcements.relayed) }
        #expect(throws: LobbyRefusal.tooSoon) { try scene.announce(Announcements.direct) }
        // A refusal does not put the next chance off.
        scene.pass(1)
        try scene.announce(Announcements.relayed)
        scene.pass(4)
        #expect(throws: LobbyRefusal.tooSoon) { try scene.announce(Announcements.relayed) }
    }

    @Test func anAnnouncementOnItsWayKeepsItsTwinOut() throws {
        var scene = LobbyScene()
        let proposal = try scene.begin(Announcements.direct)
        #expect(throws: LobbyRefusal.tooSoon) { try scene.begin(Announcements.direct) }
        scene.lobby.abandon(proposal)
        #expect(scene.usernames == [])
        try scene.announce(Announcements.direct)
        #expect(scene.usernames == ["hosty"])
    }

    /// Hosts are asked when they are new, when they changed, and as long as they do not answer.
    @Test func hostsAreAskedWhenThatTellsSomethingNew() throws {
        var scene = LobbyScene()
        var proposal = try scene.begin(Announcements.direct)
        #expect(proposal.needsProbe)
        scene.lobby.finish(proposal, at: scene.now)
        scene.pass(20)
        proposal = try scene.begin(Announcements.direct)
        #expect(proposal.change == .touch && proposal.needsProbe, "it did not answer")
        proposal.room.isConnectable = true
        scene.lobby.finish(proposal, at: scene.now)
        scene.pass(20)
        proposal = try scene.begin(Announcements.direct)
        #expect(proposal.change == .touch && !proposal.needsProbe, "it answered")
        scene.lobby.finish(proposal, at: scene.now)
        scene.pass(20)
        proposal = try scene.begin(Announcements.changed(["game_name": "x"], of: Announcements.direct))
        #expect(proposal.change == .update && proposal.needsProbe, "it changed")
        #expect(proposal.room.isConnectable, "what was known holds until it is asked")
    }

    @Test func aRoomIsHiddenAndThenForgotten() throws {
        var scene = LobbyScene()
        let id = try scene.announce(Announcements.relayed).room.id
        scene.pass(59)
        #expect(scene.usernames == ["hosty"])
        #expect(scene.lobby.json(of: id, at: scene.now) != nil)
        scene.pass(1)
        #expect(scene.usernames == [] && scene.list() == "[]\n")
        #expect(scene.lobby.json(of: id, at: scene.now) == nil)
        // Who comes back finds his room's number.
        #expect(try scene.announce(Announcements.relayed).room.id == id)
        scene.pass(60)
        scene.lobby.sweep(at: scene.now)
        #expect(scene.lobby.keptCount == 0)
        #expect(try scene.announce(Announcements.relayed).room.id == id + 1)
    }

    @Test func aRoomIsNotSweptAwayUnderItsAnnouncement() throws {
        var scene = LobbyScene()
        try scene.announce(Announcements.relayed)
        scene.pass(60)
        let proposal = try scene.begin(Announcements.relayed)
        scene.lobby.sweep(at: scene.now)
        scene.lobby.finish(proposal, at: scene.now)
        #expect(scene.usernames == ["hosty"] && scene.lobby.keptCount == 1)
    }

    @Test func roomsAreBoundedInAll() throws {
        var scene = LobbyScene { $0.maxRooms = 2 }
        try scene.announce(Announcements.changed(["username": "a"]))
        let onItsWay = try scene.begin(Announcements.changed(["username": "b"]))
        #expect(throws: LobbyRefusal.lobbyFull) { try scene.begin(Announcements.changed(["username": "c"])) }
        scene.lobby.abandon(onItsWay)
        try scene.announce(Announcements.changed(["username": "c"]))
        scene.pass(20)
        try scene.announce(Announcements.changed(["username": "a"]))
        scene.pass(40)
        // Those that are hidden make room.
        try scene.announce(Announcements.changed(["username": "d"]))
        #expect(scene.usernames == ["a", "d"])
    }

    @Test func roomsAreBoundedPerHousehold() throws {
        var scene = LobbyScene { $0.maxRoomsPerAddress = 2 }
        let (one, two) = ("2001:db8::1", "2001:db8::2")
        try scene.announce(Announcements.changed(["username": "a"]), from: one)
        let onItsWay = try scene.begin(Announcements.changed(["username": "b"]), from: two)
        #expect(throws: LobbyRefusal.addressFull) {
            try scene.begin(Announcements.changed(["username": "c"]), from: one)
        }
        try scene.announce(Announcements.changed(["username": "c"]), from: "2001:db8:0:1::1")
        scene.lobby.abandon(onItsWay)
        try scene.announce(Announcements.changed(["username": "c"]), from: two)
        scene.pass(60)
        scene.lobby.sweep(at: scene.now)
        for name in ["x", "y"] { try scene.announce(Announcements.changed(["username": name]), from: one) }
        #expect(throws: LobbyRefusal.addressFull) {
            try scene.begin(Announcements.changed(["username": "z"]), from: one)
        }
    }

    @Test func theBlacklistKeepsTextsAndAddressesOut() throws {
        let (pattern, prefix) = (try TextPattern("(?i)spam"), try #require(IPPrefix("198.51.100.0/24")))
        var scene = LobbyScene {
            $0.blacklist.strings = [pattern]
            $0.blacklist.ips = [prefix]
        }
        for field in [
            LobbyField.username, .coreName, .coreVersion, .frontend, .subsystemName, .retroarchVersion,
        ] {
            #expect(throws: LobbyRefusal.blacklistedText(field)) {
                try scene.begin(Announcements.changed([field.rawValue: "buy%20SPAM"]))
            }
        }
        try scene.announce(Announcements.changed(["game_name": "spam"]))
        #expect(throws: LobbyRefusal.blacklistedAddress) {
            try scene.begin(Announcements.relayed, from: "198.51.100.9")
        }
    }

    @Test func aNewBlacklistTakesRoomsAway() throws {
        var scene = LobbyScene()
        try scene.announce(Announcements.changed(["username": "spammer"]))
        try scene.announce(Announcements.changed(["username": "neighbour"]), from: "198.51.100.9")
        let stays = try scene.announce(Announcements.changed(["username": "player"])).room
        scene.pass(20)
        let onItsWay = try scene.begin(Announcements.changed(["username": "spammer"]))
        var configuration = LobbyConfiguration()
        configuration.blacklist.strings = [try TextPattern("^spam")]
        configuration.blacklist.ips = [try #require(IPPrefix("198.51.100.9"))]
        scene.lobby.reconfigure(configuration)
        scene.lobby.finish(onItsWay, at: scene.now)
        #expect(scene.usernames == ["player"])
        let unsaved = scene.lobby.takeUnsaved()
        #expect(unsaved.removed.count == 2 && !unsaved.removed.contains(stays.id))
    }

    @Test func nothingIsTakenOrListedWhileDraining() throws {
        var scene = LobbyScene()
        let id = try scene.announce(Announcements.relayed).room.id
        _ = scene.list()
        scene.lobby.drain()
        #expect(scene.list() == "[]\n" && scene.usernames == [])
        #expect(scene.lobby.json(of: id, at: scene.now) == nil)
        scene.pass(20)
        #expect(throws: LobbyRefusal.draining) { try scene.begin(Announcements.relayed) }
    }

    @Test func roomsOfAnEarlierRunAreAsOldAsTheyWere() throws {
        var before = LobbyScene()
        let young = try before.announce(Announcements.changed(["username": "young"])).room
        before.pass(-50)
        let old = try before.announce(Announcements.changed(["username": "old"])).room
        var scene = LobbyScene(nextID: 3)
        scene.now = .zero + .seconds(5)
        scene.date = young.updated
        scene.lobby.restore([young, old], at: scene.now, date: scene.date)
        #expect(scene.usernames == ["old", "young"])
        scene.pass(10)
        #expect(scene.usernames == ["young"])
        let again = try scene.announce(Announcements.changed(["username": "old"]))
        #expect(again.room.id == old.id && again.change == .touch)
        #expect(try scene.announce(Announcements.changed(["username": "new"])).room.id == 3)
    }

    @Test func numbersBeginAgainAtTheirEnd() throws {
        var scene = LobbyScene(nextID: .max)
        let ids = try ["a", "b"].map { try scene.announce(Announcements.changed(["username": $0])).room.id }
        #expect(ids == [.max, 1])
    }

    @Test func whatIsNotWrittenDownYetIsHandedOverOnce() throws {
        var scene = LobbyScene()
        let touched = try scene.announce(Announcements.changed(["username": "a"])).room.id
        let swept = try scene.announce(Announcements.changed(["username": "b"])).room.id
        scene.pass(20)
        try scene.announce(Announcements.changed(["username": "a"]))
        scene.pass(45)
        scene.lobby.sweep(at: scene.now)
        let unsaved = scene.lobby.takeUnsaved()
        #expect(unsaved.touched == [touched] && unsaved.removed == [swept])
        #expect(scene.lobby.takeUnsaved().isEmpty)
        scene.lobby.putBack(unsaved)
        let again = scene.lobby.takeUnsaved()
        #expect(again.touched == [touched] && again.removed == [swept])
    }
}

@Suite struct LobbyListTests {
    @Test func theListIsBuiltOnceForEachChange() throws {
        var scene = LobbyScene()
        try scene.announce(Announcements.changed(["username": "a"]))
        for _ in 0..<5 { _ = scene.list() }
        #expect(scene.lobby.listBuilds == 1)
        try scene.announce(Announcements.changed(["username": "b"]))
        for _ in 0..<5 { _ = scene.list() }
        #expect(scene.lobby.listBuilds == 2)
        #expect(throws: LobbyRefusal.self) { try scene.announce(Announcements.changed(["username": "b"])) }
        _ = scene.list()
        #expect(scene.lobby.listBuilds == 2, "a refusal changes nothing")
        scene.pass(20)
        _ = scene.list()
        #expect(scene.lobby.listBuilds == 2, "time alone changes nothing")
        try scene.announce(Announcements.changed(["username": "b"]))
        _ = scene.list()
        #expect(scene.lobby.listBuilds == 3, "a touch shows in the list")
        // a is hidden now, which is a change; the same hidden room is none again.
        scene.pass(40)
        for _ in 0..<5 { #expect(!scene.list().contains("\"a\"")) }
        #expect(scene.lobby.listBuilds == 4)
        scene.pass(20)
        for _ in 0..<5 { #expect(scene.list() == "[]\n") }
        #expect(scene.lobby.listBuilds == 5)
    }

    @Test func allShareOneBuffer() throws {
        var scene = LobbyScene()
        try scene.announce(Announcements.relayed)
        let places = (0..<2).map { _ in scene.lobby.json(at: scene.now).withUnsafeReadableBytes { $0.baseAddress } }
        #expect(places[0] == places[1])
    }

    @Test func roomsAreInTheOrderOfTheirNames() throws {
        var scene = LobbyScene()
        for name in ["m", "a", "Z", "m2", "B", "zz"] { try scene.announce(Announcements.changed(["username": name])) }
        for port in ["3", "1", "2"] { try scene.announce(Announcements.changed(["username": "m", "port": port])) }
        #expect(scene.usernames == ["B", "Z", "a", "m", "m", "m", "m", "m2", "zz"])
        #expect(scene.lobby.rooms(at: scene.now).filter { $0.content.username == "m" }.map(\.id) == [1, 7, 8, 9])
    }

    /// Insertions, updates and removals in any order leave a list that is what the table says.
    @Test(arguments: 0..<10 as Range<UInt64>)
    func theOrderSurvivesAnything(seed: UInt64) throws {
        var random = RandomSource.seeded(seed)
        var scene = LobbyScene { $0.maxRoomsPerAddress = 1000 }
        for _ in 0..<400 {
            let name = "n\(Int.random(in: 0..<30, using: &random))"
            let game = "g\(Int.random(in: 0..<2, using: &random))"
            _ = try? scene.announce(Announcements.changed(["username": name, "game_name": game]))
            if Int.random(in: 0..<4, using: &random) == 0 { scene.pass(Int64.random(in: 0..<12, using: &random)) }
            if Int.random(in: 0..<20, using: &random) == 0 { scene.lobby.sweep(at: scene.now) }
            #expect(scene.usernames == scene.usernames.sorted() && Set(scene.usernames).count == scene.usernames.count)
        }
        scene.pass(60)
        scene.lobby.sweep(at: scene.now)
        #expect(scene.lobby.keptCount == 0 && scene.usernames == [])
    }
}
