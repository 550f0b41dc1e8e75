import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    /// What an operator does over HTTP, and by `baton ctl`.
    @Suite struct Control {
        private static let tokens = """
            json: {listen: "127.0.0.1:0"}
            netplay: {listen: "127.0.0.1:0", max_clients: 3}
            admin:
              listen: "127.0.0.1:0"
              token: full-one
              tokens:
                - {name: grafana, token: reads-only}
                - {name: anna, token: does-all, access: full}
                - {name: gone, token: was-good, access: full, expires: "2020-01-01T00:00:00Z"}

            """

        // MARK: The gate

        @Test func whoMayDoWhat() async throws {
            try await withServer(Self.tokens) { server in
                let reader = try await server.admin(token: "reads-only")
                #expect(try await reader.get("/metrics").status == 200)
                #expect(try await reader.get("/api/v1/status").body.contains("\"name\":\"grafana\""))
                #expect(try await reader.send("POST", "/api/v1/reload").status == 403)
                #expect(try await server.admin(token: "was-good").get("/api/v1/status").status == 401)
                #expect(try await server.admin(token: "reads-onl").get("/api/v1/status").status == 401)
                #expect(try await server.admin().get("/api/v1/status").status == 401)
                for token in ["full-one", "does-all"] {
                    #expect(try await server.admin(token: token).send("POST", "/api/v1/reload").status == 200)
                }
                let refused = try await server.line("admin_request") { $0.fields["status"] == "403" }
                #expect(refused.fields["token"] == "grafana" && refused.fields["path"] == "/api/v1/reload")
                try await server.line("admin_request") { $0.fields["token"] == "anna" && $0.fields["status"] == "200" }
                #expect(!server.process.errors.all.contains { $0.contains("does-all") || $0.contains("was-good") })
            }
        }

        @Test func aReloadChangesTokens() async throws {
            try await withServer(Self.tokens) { server in
                let anna = try await server.admin(token: "does-all")
                // Taking all tokens away does not open the door.
                try server.rewriteConfiguration("json: {listen: \"127.0.0.1:0\"}\nadmin: {listen: \"127.0.0.1:0\"}\n")
                #expect(try await anna.send("POST", "/api/v1/reload").status == 200)
                #expect(try await server.admin().get("/api/v1/status").status == 401)
                try server.rewriteConfiguration(Self.tokens.replacing("does-all", with: "does-more"))
                #expect(try await anna.send("POST", "/api/v1/reload").status == 200)
                #expect(try await anna.get("/api/v1/status").status == 401)
                #expect(try await server.admin(token: "does-more").get("/api/v1/status").status == 200)
            }
        }

        @Test func guessingIsSlow() async throws {
            try await withServer(Self.tokens) { server in
                let guesser = try await server.admin(token: "guess")
                var statuses: [Int] = []
                // A token is forgiven each second, so that a slow machine allows a few more.
                while statuses.last != 429, statuses.count < 500 {
                    statuses.append(try await guesser.get("/api/v1/status").status)
                }
                #expect(statuses.count > 20 && statuses.last == 429)
                #expect(statuses.dropLast().allSatisfy { $0 == 401 })
                #expect(try await guesser.get("/livez").status == 200)
            }
        }

        @Test func otherSitesPagesAreTurnedAway() async throws {
            try await withServer { server in
                let web = Web(address: try await server.address(of: "admin"))
                for (host, status) in [
                    ("localhost:9550", 200), ("127.0.0.1", 200), ("[::1]:9550", 200), ("evil.example", 403),
                    ("127.0.0.1.evil.example:9550", 403), ("localhost.evil.example", 403),
                ] {
                    let reply = try await web.request("GET", "/api/v1/status", host: host)
                    #expect(reply.status == status, "\(host)")
                }
                for (origin, status) in [
                    ("http://localhost", 200), ("http://evil.example", 403), ("null", 403), ("http://localhost:1", 403),
                ] {
                    let reply = try await web.request("GET", "/api/v1/status", headers: [("Origin", origin)])
                    #expect(reply.status == status, "\(origin)")
                }
            }
        }

        // MARK: The description

        @Test func answersAreAsDescribed() async throws {
            try await withServer(Self.tokens) { server in
                let admin = try await server.admin(token: "full-one")
                let reader = try await server.admin(token: "reads-only")
                let address = try await server.address(of: "json")
                let anna = try await JSONClient.named("anna", at: address)
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                let description = try Description(try await server.admin().get("/api/v1/openapi.json").body)
                func check(
                    _ caller: Admin, _ method: String, _ path: String, of template: String? = nil, json: String? = nil,
                    _ status: Int
                ) async throws {
                    let reply = try await caller.send(method, path, json: json)
                    #expect(reply.status == status, "\(method) \(path): \(reply.body)")
                    let faults = try description.faults(in: reply, to: method, template ?? path)
                    #expect(faults.isEmpty, "\(method) \(path): \(reply.body)")
                }
                for path in ["/livez", "/readyz", "/metrics", "/api/v1/openapi.json"] {
                    try await check(reader, "GET", path, 200)
                }
                for name in ["status", "listeners", "rooms", "peers", "drain", "log-level", "history", "bans"] {
                    try await check(reader, "GET", "/api/v1/\(name)", 200)
                }
                try await check(try await server.admin(), "GET", "/api/v1/rooms", 401)
                try await check(reader, "POST", "/api/v1/reload", 403)
                try await check(admin, "PUT", "/api/v1/log-level", json: "{\"level\":\"debug\"}", 200)
                for body in [
                    "", "[]", "{}", "{\"level\":\"loud\"}", "{\"level\":null}", "{\"level\":\"info\",\"x\":1}",
                ] {
                    try await check(admin, "PUT", "/api/v1/log-level", json: body, 400)
                }
                try await check(admin, "POST", "/api/v1/drain", json: "{\"timeoutSeconds\":-1}", 400)
                try await check(admin, "DELETE", "/api/v1/drain", 409)
                let (peer, room) = ("/api/v1/peers/{protocol}/{peer}", "/api/v1/rooms/{protocol}/{room}")
                try await check(admin, "DELETE", "/api/v1/peers/json/77.0", of: peer, 404)
                try await check(admin, "DELETE", "/api/v1/rooms/json/none", of: room, 404)
                try await check(admin, "DELETE", "/api/v1/rooms/none/none", of: room, 404)
                try await check(admin, "DELETE", "/api/v1/rooms/json/relay", of: room, 204)
                #expect(try await anna.receive()["payload"] == "Kicked")
                try await check(admin, "POST", "/api/v1/reload", 200)
                try server.rewriteConfiguration("nonsense: 1\n")
                try await check(admin, "POST", "/api/v1/reload", 422)
                try await check(admin, "POST", "/api/v1/drain", json: "{\"timeoutSeconds\":600}", 202)
                try await check(admin, "DELETE", "/api/v1/drain", 200)
                try await check(admin, "GET", "/api/v1/hosts", 404)
                try await check(admin, "POST", "/api/v1/bans", json: "{\"subject\":\"name\",\"value\":\"x*\"}", 201)
                try await check(admin, "POST", "/api/v1/bans", json: "{\"subject\":\"name\",\"value\":\"\"}", 400)
                try await check(admin, "POST", "/api/v1/bans/import", json: "{\"bans\":[]}", 200)
                try await check(reader, "GET", "/api/v1/bans?newest=1", of: "/api/v1/bans", 200)
                try await check(reader, "GET", "/api/v1/bans?newest=-1", of: "/api/v1/bans", 400)
                try await check(admin, "GET", "/api/v1/bans/none", of: "/api/v1/bans/{id}", 404)
                try await check(admin, "DELETE", "/api/v1/bans/none", of: "/api/v1/bans/{id}", 404)
                try await check(reader, "GET", "/api/v1/events?after=x", of: "/api/v1/events", 400)
                #expect(description.operations.count == 26)
                _ = host
            }
        }

        // MARK: What it does

        @Test func peersHaveCounters() async throws {
            try await withServer(Self.tokens) { server in
                let admin = try await server.admin(token: "reads-only")
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                let pair = try await host.join(from: "127.0.0.2")
                try await pair.play()
                let reply = try await admin.get("/api/v1/peers?protocol=netplay").decode(Peers.self)
                #expect(reply.peers.count == 3)
                let guest = try #require(reply.peers.first { $0.role == "guest" })
                #expect(guest.endpoint.hasPrefix("127.0.0.2:"))
                #expect(guest.room == Data(host.session).base64EncodedString())
                #expect(guest.bytesReceived > 0 && guest.bytesSent > 0 && guest.queuedBytes == 0)
                #expect(try await admin.get("/api/v1/peers?protocol=json").decode(Peers.self).peers.isEmpty)
            }
        }

        @Test func aRoomIsClosed() async throws {
            try await withServer(Self.tokens) { server in
                let admin = try await server.admin(token: "does-all")
                let address = try await server.address(of: "netplay")
                let (first, second) = (try await Tunnel.Host(at: address), try await Tunnel.Host(at: address))
                let pair = try await first.join()
                let other = try await second.join()
                let session = Data(first.session).base64EncodedString()
                let name = try #require(session.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
                #expect(try await admin.send("DELETE", "/api/v1/rooms/netplay/\(name)").status == 204)
                _ = try await pair.guest.readToEnd()
                #expect(try await admin.rooms().map(\.id) == [Data(second.session).base64EncodedString()])
                try await other.play()
                #expect(try await admin.send("DELETE", "/api/v1/rooms/netplay/\(name)").status == 404)
            }
        }

        @Test func aDrainIsTakenBackAndDoneAgain() async throws {
            try await withServer(Self.tokens) { server in
                let admin = try await server.admin(token: "does-all")
                let address = try await server.address(of: "json")
                let anna = try await JSONClient.named("anna", at: address)
                let begun = try await admin.send("POST", "/api/v1/drain")
                #expect(begun.status == 202 && begun.body.contains("\"draining\"") && begun.body.contains("deadline"))
                #expect(try await admin.send("POST", "/api/v1/drain").status == 202)
                #expect(try await admin.get("/readyz").status == 503)
                #expect(try await admin.send("DELETE", "/api/v1/drain").status == 200)
                #expect(try await admin.get("/readyz").status == 200)
                _ = try await JSONClient.named("bert", at: address)
                _ = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                try anna.send(["payloadType": "MESSAGE", "destination": "bert", "payload": "hello"])

                #expect(
                    try await admin.send("POST", "/api/v1/drain", json: "{\"timeoutSeconds\":0}").status == 202)
                #expect(try await server.process.exit() == .code(0))
            }
        }

        @Test func aTermGoesOnWithADrainOverHTTP() async throws {
            try await withServer(Self.tokens) { server in
                let admin = try await server.admin(token: "does-all")
                let anna = try await JSONClient.named("anna", at: try await server.address(of: "json"))
                #expect(try await admin.send("POST", "/api/v1/drain").status == 202)
                server.process.send(SIGTERM)
                #expect(try await admin.get("/api/v1/drain").body.contains("\"rooms\":1"))
                try await anna.connection.channel.close()
                #expect(try await server.process.exit() == .code(0))
            }
        }

        @Test func aReloadTellsWhatWaits() async throws {
            try await withServer(Self.tokens) { server in
                let admin = try await server.admin(token: "does-all")
                try server.rewriteConfiguration(
                    Self.tokens.replacing("max_clients: 3", with: "max_clients: 2, user_timeout: 1m"))
                let reply = try await admin.send("POST", "/api/v1/reload")
                #expect(reply.status == 200 && reply.body == "{\"restartNeeded\":[\"netplay.user_timeout\"]}")
            }
        }

        @Test func theLevelOfTheLogChanges() async throws {
            try await withServer(Self.tokens) { server in
                let admin = try await server.admin(token: "does-all")
                let address = try await server.address(of: "json")
                #expect(
                    try await admin.send("PUT", "/api/v1/log-level", json: "{\"level\":\"error\"}").status == 200)
                let dora = try await JSONClient.named("dora", at: address)
                #expect(try await admin.send("PUT", "/api/v1/log-level", json: "{\"level\":\"info\"}").status == 200)
                let bert = try await JSONClient.named("bert", at: address)
                try await server.line("client_named") { $0.text.contains("bert") }
                #expect(!server.log.contains { $0.text.contains("dora") })
                try await dora.connection.close()
                try await bert.connection.close()
            }
        }

        // MARK: By hand

        @Test func theCommandDoesTheSame() async throws {
            try await withServer(Self.tokens) { server in
                let address = try await server.address(of: "admin")
                let environment = [
                    "BATON_CTL_SERVER": "127.0.0.1:\(address.port ?? 0)", "BATON_CTL_TOKEN": "does-all",
                ]
                func ctl(_ arguments: String...) async throws -> Outcome {
                    try await run(["ctl"] + arguments, environment: environment)
                }
                let anna = try await JSONClient.named("anna", at: try await server.address(of: "json"))
                #expect(try await ctl("status").output.first?.hasPrefix("baton ") == true)
                #expect(try await ctl("listeners").output.count == 3)
                #expect(try await ctl("rooms").output.last?.contains("anna") == true)
                let peers = try await ctl("peers", "--protocol", "json", "--json").output.joined()
                let peer = try #require(
                    try JSONDecoder().decode(Peers.self, from: Data(peers.utf8)).peers.first)
                #expect(try await ctl("peers").output.last?.contains(peer.endpoint) == true)
                #expect(try await ctl("kick", "json", peer.peer).exit == .code(0))
                #expect(try await anna.receive()["payload"] == "Kicked")
                let again = try await ctl("kick", "json", peer.peer)
                #expect(again.exit == .code(1) && again.errors == ["no such peer is connected (status 404)"])
                #expect(try await ctl("close", "json", "relay").exit == .code(1))
                #expect(try await ctl("log-level", "debug").output == ["debug"])
                #expect(try await ctl("log-level").output == ["debug"])
                #expect(try await ctl("reload").output == ["reloaded"])
                #expect(try await ctl("drain").output == ["running, 0 rooms"])
                #expect(try await ctl("drain", "stop").exit == .code(1))
                let wrong = environment.merging(["BATON_CTL_TOKEN": "wrong"]) { $1 }
                #expect(try await run(["ctl", "status"], environment: wrong).exit == .code(77))
                let bert = try await JSONClient.named("bert", at: try await server.address(of: "json"))
                #expect(try await ctl("drain", "start", "--timeout", "600").exit == .code(0))
                try await bert.connection.channel.close()
                #expect(try await server.process.exit() == .code(0))
                #expect(try await ctl("status").exit == .code(69))
            }
        }
    }

    /// The answer of `/api/v1/peers`, of relays that count for each peer.
    struct Peers: Decodable {
        struct Peer: Decodable {
            var peer: String
            var endpoint: String
            var room: String?
            var role: String?
            var bytesReceived: Int
            var bytesSent: Int
            var queuedBytes: Int
        }

        var peers: [Peer]
    }
}
