import Foundation
import LDN
import NIOCore
import RelayCore
import Testing

extension LifecycleTests {
    /// The LDN master as its players, web sites and operators meet it.
    @Suite struct LDNMaster {
        private static func configuration(api: String = "", _ rest: String = "") -> String {
            """
            ldn: {listen: "127.0.0.1:0", api: {listen: "127.0.0.1:0"\(api.isEmpty ? "" : ", \(api)")}}
            admin: {listen: "127.0.0.1:0", token: "open-sesame"}
            \(rest)

            """
        }

        private func api(_ server: RunningServer) async throws -> Web {
            Web(address: try await server.address(of: "ldn_api"))
        }

        /// The documents are up to a second old.
        private func eventually(
            _ path: String, on web: Web, _ condition: (String) throws -> Bool
        ) async throws -> Web.Reply {
            var reply = try await web.request("GET", path)
            try await LifecycleTests.eventually("\(path) says it") {
                reply = try await web.request("GET", path)
                return try condition(reply.body)
            }
            return reply
        }

        /// A master would take it for none, and let everybody in.
        @Test func aPassphraseOfAnotherFormIsRefused() async throws {
            for text in ["", "secret", "Ryujinx-0BADF00D"] {
                let outcome = try await run(["ldn", "proxy", "--master", "127.0.0.1", "--passphrase", text])
                #expect(outcome.exit == .code(64))
                #expect(outcome.errors.contains { $0.contains("'\(text)' is no passphrase") }, "\(outcome.errors)")
            }
        }

        @Test func sitesAndEmulatorsReadWhatIsGoingOn() async throws {
            try await withDirectory { directory in
                let list = directory.appending(path: "gamelist.json")
                try Data(#"[{"id": "0x0100152000022000", "name": "Some <Game>"}]"#.utf8).write(to: list)
                try await withServer(Self.configuration(api: "game_list: \"\(list.path)\"")) { server in
                    let web = try await api(server)
                    #expect(try await web.request("GET", "/api/public_games").body == "[]")
                    let address = try await server.address(of: "ldn")
                    let host = try await Player(at: address)
                    let id = try await host.host("Ann <b>", title: 0x0100_1520_0002_2000)
                    let player = try await Player(at: address)
                    try await player.join(id, as: "Bob")
                    let secret = try await Player(at: address, passphrase: "Ryujinx-0badf00d")
                    _ = try await secret.host("Eve", title: 5)

                    let all = try await eventually("/api", on: web) { $0.contains(#""total_player_count":3"#) }
                    #expect(all.status == 200 && all.headers["content-type"] == "application/json; charset=utf-8")
                    #expect(
                        try all.decode([String: Int].self) == [
                            "total_game_count": 2, "private_game_count": 1, "public_game_count": 1,
                            "in_progress_count": 0, "master_proxy_count": 2, "total_player_count": 3,
                            "private_player_count": 1, "public_player_count": 2,
                        ])
                    #expect(try await web.request("GET", "/api/ldn/").body == all.body)
                    let games = try await web.request("GET", "/api/public_games")
                    #expect(games.headers["access-control-allow-origin"] == "*")
                    #expect(
                        games.body == """
                            [{"game_name":"Some _Game_","id":"\(id)","is_public":true,"max_player_count":8,\
                            "mode":"Master Server Proxy","player_count":2,"players":["Annb","Bob"],"scene_id":1,\
                            "status":"Joinable","title_id":"0100152000022000","title_version":"1.0"}]
                            """)
                    let byID = try await web.request("GET", "/api/games").body
                    #expect(byID == #"{"\#(id)":\#(games.body.dropFirst().dropLast())}"#)
                    #expect(try await web.request("HEAD", "/api").body.isEmpty)
                    #expect(try await web.request("GET", "/nothing").status == 404)
                    #expect(try await web.request("POST", "/api").status == 404)

                    try Data(#"[{"id": "100152000022000", "name": "Renamed"}]"#.utf8).write(to: list)
                    server.process.send(SIGHUP)
                    _ = try await eventually("/api/public_games", on: web) { $0.contains("Renamed") }
                    try Data("what".utf8).write(to: list)
                    server.process.send(SIGHUP)
                    let line = try await server.line("game_list_failed")
                    #expect(line.level == "error" && line.text.contains("is no JSON list"))
                    #expect(try await web.request("GET", "/api/public_games").body.contains("Renamed"))
                }
            }
        }

        @Test func whoAsksTooOftenIsTurnedAway() async throws {
            try await withServer(Self.configuration(api: "requests_per_second: 1, requests_burst: 2")) { server in
                let web = try await api(server)
                var statuses: [Int] = []
                for _ in 0..<20 { statuses.append(try await web.request("GET", "/api").status) }
                #expect(statuses.prefix(2) == [200, 200] && statuses.contains(429))
                let metrics = try await server.admin(token: "open-sesame").metrics()
                let refused = ["protocol": "ldn_api", "reason": "too_fast"]
                #expect(metrics.value("baton_connections_refused_total", refused) > 0)
            }
        }

        @Test func aGameListThatIsNoneKeepsTheServerFromRunning() async throws {
            try await withServer(Self.configuration(api: "game_list: /nowhere.json")) { server in
                let exit = try await server.process.exit()
                #expect(exit == .code(74))
                let errors = server.process.errors.all.joined(separator: "\n")
                #expect(errors.contains("ldn.api.game_list: /nowhere.json"))
            }
        }

        @Test func aPlayerIsPartedFromByTheOperator() async throws {
            try await withServer(Self.configuration()) { server in
                let address = try await server.address(of: "ldn")
                let admin = try await server.admin(token: "open-sesame")
                let host = try await Player(at: address)
                let id = try await host.host("Ann", title: 1)
                let player = try await Player(at: address)
                try await player.join(id, as: "Bob")
                let room = try #require(try await admin.rooms().first)
                #expect(room.protocol == "ldn" && room.id == id && room.peers.map(\.name) == ["Ann", "Bob"])
                #expect(try await admin.send("DELETE", "/api/v1/peers/ldn/\(room.peers[1].peer)").status == 204)
                #expect(try await player.read(2) == [.reject, .disconnect])
                _ = try await player.connection.readToEnd()
                #expect(try await host.read(past: .syncNetwork) == .syncNetwork)
                #expect(try await admin.rooms().first?.peers.map(\.name) == ["Ann"])
                #expect(try await admin.status().relay("ldn").closed["kicked"] == 1)
            }
        }

        @Test func aDrainTellsHostsAndEndsWithTheLastNetwork() async throws {
            try await withServer(Self.configuration()) { server in
                let address = try await server.address(of: "ldn")
                let host = try await Player(at: address)
                let id = try await host.host("Ann", title: 1)
                let other = try await Player(at: address)
                server.process.send(SIGTERM)
                #expect(try await host.read() == .syncNetwork)
                #expect(host.lastPayload[0x62] == AcceptPolicy.rejectAll.rawValue)
                try await other.send(.connect(Player.request(for: id, as: "Bob")))
                #expect(try await other.read() == .networkError && other.lastPayload == [8, 0, 0, 0])
                try await host.send(.disconnect(DisconnectMessage()))
                let exit = try await server.process.exit()
                #expect(exit == .code(0))
            }
        }
    }
}

/// A client of the master that says and hears whole packets.
private final class Player {
    let connection: LifecycleTests.Connection
    private(set) var lastPayload: [UInt8] = []

    /// Connects, and has a name when it returns.
    init(at address: SocketAddress, passphrase: String = "") async throws {
        connection = try await .open(to: address)
        var message = PassphraseMessage()
        message.passphrase = ByteBuffer(string: passphrase)
        try await send(.passphrase(message))
        try await send(.initialize(InitializeMessage()))
        #expect(try await read() == .initialize)
    }

    /// Opens a network, and has its id when the master has said so.
    func host(_ name: String, title: Int64) async throws -> String {
        var request = CreateAccessPointRequest()
        request.userConfig.userName = ByteBuffer(string: name)
        request.networkConfig.intentID.localCommunicationID = title
        request.networkConfig.intentID.sceneID = 1
        request.networkConfig.nodeCountMax = 8
        request.ryuNetworkConfig.gameVersion = ByteBuffer(string: "1.0")
        try await send(.createAccessPoint(request, advertiseData: ByteBuffer()))
        #expect(try await read(2) == [.proxyConfig, .connected])
        return lastPayload[0x10..<0x20].map { String(format: "%02x", $0) }.joined()
    }

    func join(_ id: String, as name: String) async throws {
        try await send(.connect(Self.request(for: id, as: name)))
        #expect(try await read(2) == [.proxyConfig, .connected])
    }

    static func request(for id: String, as name: String) throws -> ConnectRequest {
        var request = ConnectRequest()
        let high = try #require(UInt64(id.prefix(16), radix: 16))
        let low = try #require(UInt64(id.suffix(16), radix: 16))
        request.networkInfo.networkID.sessionID = SessionID(high: high, low: low)
        request.userConfig.userName = ByteBuffer(string: name)
        return request
    }

    func send(_ packet: Packet) async throws {
        connection.write(packet.encoded.readableBytesView)
    }

    /// The next packet that is no ping.
    func read() async throws -> PacketType {
        while true {
            let header = try await connection.read(12)
            lastPayload = try await connection.read(header[8...].reversed().reduce(0) { $0 << 8 | Int($1) })
            if header[4] != PacketType.ping.rawValue { return PacketType(rawValue: header[4]) }
        }
    }

    func read(_ count: Int) async throws -> [PacketType] {
        var types: [PacketType] = []
        for _ in 0..<count { types.append(try await read()) }
        return types
    }

    /// The next packet but one of that type that may have come before.
    func read(past type: PacketType) async throws -> PacketType {
        let first = try await read()
        return first == type ? try await read() : first
    }
}
