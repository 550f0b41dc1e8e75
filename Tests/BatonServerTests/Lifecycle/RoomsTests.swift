import Foundation
import Testing

extension LifecycleTests {
    /// `baton netplay rooms`, with a lobby that says what it likes.
    @Suite struct RoomListing {
        private static let relayed = """
            {"fields": {"id": 7, "username": "hosty", "country": "de", "game_name": "Loop", "game_crc": "B0606C41",
            "core_name": "Nestopia", "core_version": "1.52.0 ", "subsystem_name": "N/A", "retroarch_version": "1.14.0",
            "frontend": "unix x64", "ip": "192.0.2.1", "port": 55435, "mitm_ip": "relay.example.org",
            "mitm_port": 55436, "mitm_session": "Vp8eSjN+k8m9gVUR", "host_method": 3, "has_password": true,
            "has_spectate_password": false, "connectable": true, "is_retroarch": true, "player_count": 3,
            "spectator_count": -1, "created": "2024-01-01T00:00:00Z", "region": {"unknown": [1]}}}
            """
        private static let direct = """
            {"fields": {"username": "directy", "ip": "2001:db8::7", "port": 55435, "host_method": 0,
            "connectable": false, "player_count": 2, "max_players": 4}}
            """

        private struct Room: Decodable {
            struct Join: Decodable {
                var retroarch: [String]
                var bridge: [String]?
            }

            var name: String
            var game: String
            var host: String
            var port: Int
            var relayed: Bool
            var session: String?
            var locked: Bool
            var reachable: Bool
            var players: Int?
            var maxPlayers: Int?
            var spectators: Int?
            var join: Join
        }

        private func outcome(of list: String, _ arguments: String...) async throws -> Outcome {
            try await Answerer.lobby(list) { lobby in
                try await run(["netplay", "rooms", "--lobby", lobby.address] + arguments)
            }
        }

        private func rooms(of list: String, _ arguments: String...) async throws -> [Room] {
            let outcome = try await Answerer.lobby(list) { lobby in
                try await run(["netplay", "rooms", "--json", "--lobby", "http://\(lobby.address)/"] + arguments)
            }
            #expect(outcome.exit == .code(0))
            try #require(outcome.output.count == 1)
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode([Room].self, from: Data(outcome.output[0].utf8))
        }

        @Test func eachRoomHasTheCommandThatJoinsIt() async throws {
            let outcome = try await outcome(of: "[\(Self.relayed), \(Self.direct)]")
            #expect(outcome.exit == .code(0))
            #expect(outcome.errors.isEmpty)
            try #require(outcome.output.count == 6)
            for word in ["NAME", "GAME", "CORE", "PLAYERS", "COUNTRY", "VIA", "PASSWORD", "REACHABLE", "VERSION"] {
                #expect(outcome.output[0].contains(word))
            }
            for word in ["hosty", "Loop", "Nestopia", "3", "de", "relay", "yes", "1.14.0"] {
                #expect(outcome.output[1].contains(word))
            }
            #expect(outcome.output[2] == "    retroarch -C 'relay.example.org|55436|Vp8eSjN+k8m9gVUR'")
            #expect(
                outcome.output[3] == "    baton netplay join relay.example.org:55436 --session Vp8eSjN+k8m9gVUR")
            #expect(outcome.output[4].contains("2/4") && outcome.output[4].contains("direct"))
            #expect(outcome.output[5] == "    retroarch -C 2001:db8::7 --port 55435")
        }

        @Test func jsonIsAnArrayWithTheArguments() async throws {
            let rooms = try await rooms(of: "[\(Self.relayed), \(Self.direct)]")
            try #require(rooms.count == 2)
            #expect(rooms[0].name == "hosty" && rooms[0].relayed && rooms[0].locked && rooms[0].reachable)
            #expect(rooms[0].host == "relay.example.org" && rooms[0].port == 55436)
            #expect(rooms[0].session == "Vp8eSjN+k8m9gVUR")
            #expect(rooms[0].players == 3 && rooms[0].spectators == nil && rooms[0].maxPlayers == nil)
            #expect(rooms[0].join.retroarch == ["retroarch", "-C", "relay.example.org|55436|Vp8eSjN+k8m9gVUR"])
            #expect(
                rooms[0].join.bridge == [
                    "baton", "netplay", "join", "relay.example.org:55436", "--session", "Vp8eSjN+k8m9gVUR",
                ])
            #expect(!rooms[1].relayed && !rooms[1].locked && !rooms[1].reachable && rooms[1].session == nil)
            #expect(rooms[1].join.retroarch == ["retroarch", "-C", "2001:db8::7", "--port", "55435"])
            #expect(rooms[1].join.bridge == nil)
        }

        @Test func onlyRelayedRoomsWhenAsked() async throws {
            let rooms = try await rooms(of: "[\(Self.relayed), \(Self.direct)]", "--relayed")
            #expect(rooms.map(\.name) == ["hosty"])
        }

        @Test func anEmptyLobby() async throws {
            #expect(try await outcome(of: "[]\n").output == ["no rooms"])
            #expect(try await rooms(of: "[]").isEmpty)
        }

        /// As RetroArch reads the list.
        @Test func absentFlagsCountAsTrueAndStrangersAreNotShown() async throws {
            let rooms = try await rooms(
                of: """
                    [{"fields": {"username": "plain", "ip": "192.0.2.1", "port": 1}},
                    {"fields": {"username": "web", "ip": "192.0.2.1", "port": 80, "is_retroarch": false}}]
                    """)
            #expect(rooms.map(\.name) == ["plain"])
            #expect(rooms.first?.reachable == true)
        }

        @Test(arguments: [
            #"7"#, #"{}"#, #"{"fields": []}"#, #"{"fields": {"username": "x"}}"#,
            #"{"fields": {"username": 1, "ip": "192.0.2.1", "port": 1}}"#,
            #"{"fields": {"ip": "192.0.2.1", "port": "1"}}"#, #"{"fields": {"ip": "192.0.2.1", "port": 65536}}"#,
            #"{"fields": {"ip": "192.0.2.1", "port": 0}}"#, #"{"fields": {"ip": "x'; reboot '", "port": 1}}"#,
            #"{"fields": {"ip": "--exec", "port": 1}}"#, #"{"fields": {"ip": "$(reboot)", "port": 1}}"#,
            #"{"fields": {"ip": "a|1|b", "port": 1}}"#, #"{"fields": {"ip": "", "port": 1}}"#,
            #"{"fields": {"host_method": 3, "mitm_ip": "a.example", "mitm_port": 1, "mitm_session": "'; reboot; '"}}"#,
            #"{"fields": {"host_method": 3, "mitm_ip": "a.example\n", "mitm_port": 1, "mitm_session": "Vp8eSjN+k8m9gVUR"}}"#,
        ])
        func whatIsNoRoomIsLeftOutAndCounted(_ entry: String) async throws {
            let outcome = try await outcome(of: "[\(entry), \(Self.direct), \(entry)]")
            #expect(outcome.exit == .code(0))
            #expect(outcome.output.count == 3)
            #expect(outcome.output.last == "    retroarch -C 2001:db8::7 --port 55435")
            #expect(outcome.errors == ["2 entries of the list are no rooms"])
        }

        @Test func hostileTextsCannotPlayWithTheTerminal() async throws {
            let name = #"\u001b]0;owned\u0007\u009b31m\u202eevil\u2066\u200f\nsecond\tline\u0000\u2028third"#
            let list = #"[{"fields": {"username": "a", "ip": "192.0.2.1", "port": 1, "game_name": "\#(name)"}}]"#
            let expected = "]0;owned31mevil second line third"
            #expect(try await rooms(of: list).map(\.game) == [expected])
            let outcome = try await outcome(of: list)
            #expect(outcome.output.count == 3)
            for scalar in outcome.output.joined().unicodeScalars {
                #expect(![.control, .format, .lineSeparator].contains(scalar.properties.generalCategory))
            }
        }

        @Test func aLongNameIsCut() async throws {
            let name = String(repeating: "long ", count: 2000)
            let list = #"[{"fields": {"username": "a", "ip": "192.0.2.1", "port": 1, "game_name": "\#(name)"}}]"#
            let outcome = try await outcome(of: list)
            #expect(outcome.output.allSatisfy { $0.count < 150 })
            let game = try await rooms(of: list).first?.game
            #expect((game?.count ?? 0) <= 255)
        }

        @Test(arguments: [
            (#"{"fields": {}}"#, "200 OK"), ("<html>", "200 OK"), ("", "200 OK"),
            ("[]", "500 Internal Server Error"), ("[]", "404 Not Found"),
        ])
        func aLobbyWithoutAListIsAnError(_ text: String, _ status: String) async throws {
            try await Answerer.lobby(text, status: status) { lobby in
                let outcome = try await run(["netplay", "rooms", "--lobby", lobby.address])
                #expect(outcome.exit == .code(69))
                #expect(outcome.output.isEmpty)
                #expect(outcome.errors.count == 1)
                #expect(outcome.errors.first?.hasPrefix("http://\(lobby.address) ") == true, "\(outcome.errors)")
            }
        }

        @Test func moreThanAListIsNotTakenIn() async throws {
            let list = "[" + String(repeating: " ", count: 17 << 20) + "]"
            let outcome = try await outcome(of: list)
            #expect(outcome.exit == .code(69))
            #expect(outcome.errors.first?.contains("more than a list") == true, "\(outcome.errors)")
        }

        @Test func aReaderWhoHasSeenEnoughIsNoTrouble() async throws {
            try await Answerer.lobby("[\(Self.direct)]") { lobby in
                let script = #""$0" netplay rooms --lobby "$1" | true; exit "${PIPESTATUS[0]}""#
                let outcome = try await run(
                    ["-c", script, ChildProcess.baton.path, lobby.address], executable: URL(filePath: "/bin/bash"),
                    environment: ["PATH": "/usr/bin:/bin"])
                #expect(outcome.exit == .code(0))
                #expect(outcome.errors.isEmpty)
            }
        }

        @Test func nobodyThere() async throws {
            let address = try await Answerer.with("") { $0.address }
            for lobby in [address, "http://nobody.invalid", "http://a b", "ftp://127.0.0.1"] {
                let outcome = try await run(["netplay", "rooms", "--lobby", lobby])
                #expect(outcome.exit == .code(69))
                #expect(outcome.errors.count == 1, "\(outcome.errors)")
            }
        }
    }
}
