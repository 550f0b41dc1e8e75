import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    /// Bans that an operator makes while the server runs.
    @Suite struct Bans {
        private static func configuration(_ more: String = "") -> String {
            """
            json: {listen: "127.0.0.1:0"}
            netplay: {listen: "127.0.0.1:0", rooms: {listen: "127.0.0.1:0"}}
            lobby: {listen: "127.0.0.1:0"}
            bans: [{address: 203.0.113.9, reason: old}]
            admin:
              listen: "127.0.0.1:0"
              tokens: [{name: anna, token: all, access: full}]
            \(more)
            """
        }

        private struct List: Decodable {
            struct Ban: Decodable {
                var id, subject, value, reason, author, source: String
                var expires: String?
            }

            var bans: [Ban]
        }

        private struct Figures: Decodable, Equatable {
            var count, made, lifted: Int
        }

        private func figures(_ admin: Admin) async throws -> Figures {
            struct Status: Decodable {
                var bans: Figures
            }
            return try await admin.get("/api/v1/status").decode(Status.self).bans
        }

        private func ban(_ admin: Admin, _ json: String) async throws -> List.Ban {
            let reply = try await admin.send("POST", "/api/v1/bans", json: json)
            try #require(reply.status == 201, "\(reply.body)")
            return try reply.decode(List.Ban.self)
        }

        private func list(_ admin: Admin) async throws -> [List.Ban] {
            try await admin.get("/api/v1/bans").decode(List.self).bans
        }

        @Test func anAddressIsBannedFromEveryProtocolAtOnce() async throws {
            try await withServer(Self.configuration()) { server in
                let admin = try await server.admin(token: "all")
                let json = try await server.address(of: "json")
                let bert = try await JSONClient.named("bert", at: json, from: "127.0.0.9")
                let other = try await JSONClient.named("carol", at: json)
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"), from: "127.0.0.9")
                let made = try await ban(
                    admin, "{\"subject\":\"address\",\"value\":\"127.0.0.9\",\"reason\":\"floods\"}")
                #expect(made.author == "anna" && made.source == "api")
                #expect(try await bert.receive()["payload"] == "Banned: floods")
                _ = try await host.connection.readToEnd()
                // Who comes back is told why.
                let again = try await JSONClient(at: json, from: "127.0.0.9")
                #expect(try await again.receive()["payload"] == "Banned: floods")
                let lobby = Web(address: try await server.address(of: "lobby"))
                let answer = try await lobby.request("GET", "/list", from: "127.0.0.9")
                #expect(answer.status == 403 && answer.body == "Banned: floods\n")
                #expect(try await lobby.request("GET", "/list").status == 200)
                #expect(try await list(admin).map(\.value) == ["203.0.113.9", "127.0.0.9"])
                try await server.line("connection_closed") { $0.fields["reason"] == "banned" }
                #expect(try await admin.send("DELETE", "/api/v1/bans/\(made.id)").status == 204)
                _ = try await JSONClient.named("bert", at: json, from: "127.0.0.9")
                #expect(try await admin.send("DELETE", "/api/v1/bans/configuration:203.0.113.9").status == 409)
                try await other.connection.close()
            }
        }

        @Test func whoHasSeenTheBansLearnsOfMore() async throws {
            try await withServer(Self.configuration()) { server in
                let admin = try await server.admin(token: "all")
                #expect(try await figures(admin) == Figures(count: 1, made: 0, lifted: 0))
                let first = try await ban(admin, "{\"subject\":\"name\",\"value\":\"eve\"}")
                _ = try await ban(admin, "{\"subject\":\"name\",\"value\":\"mallory\"}")
                #expect(try await figures(admin) == Figures(count: 3, made: 2, lifted: 0))
                let newest = try await admin.get("/api/v1/bans?newest=2").decode(List.self).bans
                #expect(Set(newest.map(\.value)) == ["eve", "mallory"])
                #expect(try await admin.send("DELETE", "/api/v1/bans/\(first.id)").status == 204)
                #expect(try await figures(admin) == Figures(count: 2, made: 2, lifted: 1))
            }
        }

        @Test func aNameIsBannedByPattern() async throws {
            try await withServer(Self.configuration()) { server in
                let admin = try await server.admin(token: "all")
                let json = try await server.address(of: "json")
                let bad = try await JSONClient.named("Troll-1", at: json)
                let good = try await JSONClient.named("stroll", at: json)
                _ = try await ban(admin, "{\"subject\":\"name\",\"value\":\"troll-*\",\"protocol\":\"json\"}")
                #expect(try await bad.receive()["payload"] == "Banned")
                let next = try await JSONClient.named("TROLL-22", at: json)
                #expect(try await next.receive()["payload"] == "Banned")
                #expect(try await admin.rooms().first?.peers.map(\.name) == ["stroll"])
                try await good.connection.close()
            }
        }

        @Test func bansSurviveARestartAndAreExported() async throws {
            try await withDirectory { directory in
                let file = directory.appending(path: "bans.sqlite").path
                let configuration = Self.configuration("  bans_database: \(file)")
                let exported = try await withServer(configuration) { server in
                    let admin = try await server.admin(token: "all")
                    _ = try await ban(admin, "{\"subject\":\"address\",\"value\":\"127.0.0.0/30\"}")
                    _ = try await ban(
                        admin, "{\"subject\":\"room\",\"value\":\"x?\",\"expires\":\"2099-01-01T00:00:00Z\"}")
                    _ = try await ban(admin, "{\"subject\":\"name\",\"value\":\"a\",\"reason\":\"first\"}")
                    _ = try await ban(admin, "{\"subject\":\"name\",\"value\":\"a\",\"reason\":\"second\"}")
                    #expect(try await admin.get("/api/v1/status").body.contains("\"state\":\"database\""))
                    return try await admin.get("/api/v1/bans").body
                }
                // It was killed.
                try await withServer(configuration) { server in
                    let admin = Admin(address: try await server.address(of: "admin"), token: "all")
                    let bans = try await list(admin)
                    #expect(bans.map(\.value).sorted() == ["127.0.0.0/30", "203.0.113.9", "a", "x?"])
                    #expect(bans.first { $0.value == "a" }?.reason == "second")
                }
                try await withServer(Self.configuration()) { server in
                    let admin = try await server.admin(token: "all")
                    let reply = try await admin.send("POST", "/api/v1/bans/import", json: exported)
                    #expect(reply.status == 200)
                    #expect(reply.body.contains("\"made\":3") && reply.body.contains("\"left\":1"), "\(reply.body)")
                    #expect(try await list(admin).count == 4)
                }
            }
        }

        @Test(arguments: ["missing/bans.sqlite", "garbage"])
        func aDatabaseThatDoesNotWorkStopsNothing(name: String) async throws {
            try await withDirectory { directory in
                let file = directory.appending(path: name)
                if name == "garbage" { try Data(repeating: 7, count: 5000).write(to: file) }
                try await withServer(Self.configuration("  bans_database: \(file.path)")) { server in
                    try await server.line("ban_database_failed")
                    let admin = try await server.admin(token: "all")
                    let json = try await server.address(of: "json")
                    let bert = try await JSONClient.named("bert", at: json, from: "127.0.0.9")
                    _ = try await ban(admin, "{\"subject\":\"address\",\"value\":\"127.0.0.9\"}")
                    #expect(try await bert.receive()["payload"] == "Banned")
                    #expect(try await admin.get("/api/v1/status").body.contains("\"state\":\"failed\""))
                    // When it works again, what was made meanwhile is written down.
                    if name == "garbage" {
                        try FileManager.default.removeItem(at: file)
                    } else {
                        try FileManager.default.createDirectory(
                            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
                    }
                    try await server.line("ban_database_works")
                    #expect(try await admin.get("/api/v1/status").body.contains("\"state\":\"database\""))
                }
            }
        }

        @Test func whatMakesNoSenseIsRefused() async throws {
            try await withServer(Self.configuration()) { server in
                let admin = try await server.admin(token: "all")
                for body in [
                    "{\"subject\":\"address\",\"value\":\"x\"}",
                    "{\"subject\":\"address\",\"value\":\"1.1.1.1\",\"protocol\":\"json\"}",
                    "{\"subject\":\"colour\",\"value\":\"x\"}",
                    "{\"subject\":\"name\",\"value\":\"a\\u0000b\"}",
                    "{\"subject\":\"name\",\"value\":\"a\",\"expires\":\"tomorrow\"}",
                    "{\"subject\":\"name\",\"value\":\"\(String(repeating: "x", count: 257))\"}",
                ] {
                    #expect(try await admin.send("POST", "/api/v1/bans", json: body).status == 400, "\(body)")
                }
            }
        }

        @Test func eventsAreFollowed() async throws {
            try await withServer(Self.configuration()) { server in
                let admin = try await server.address(of: "admin")
                let reader = try await Connection.open(to: admin)
                reader.write(
                    "GET /api/v1/events?after=0 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer all\r\n\r\n".utf8)
                let json = try await server.address(of: "json")
                let anna = try await JSONClient.named("<b>anna", at: json)
                var text = ""
                while !text.contains("event: client_named") {
                    text += String(decoding: try await reader.read(1), as: UTF8.self)
                }
                #expect(text.contains("text/event-stream") && text.contains("event: listening"))
                server.process.send(SIGINT)
                _ = try await reader.readToEnd()
                #expect(try await server.process.exit() == .code(0))
                try await anna.connection.close()
            }
        }

        @Test func theCommandBans() async throws {
            try await withServer(Self.configuration()) { server in
                let address = try await server.address(of: "admin")
                let environment = [
                    "BATON_CTL_SERVER": "127.0.0.1:\(address.port ?? 0)", "BATON_CTL_TOKEN": "all",
                ]
                func ctl(_ arguments: String...) async throws -> Outcome {
                    try await run(["ctl"] + arguments, environment: environment)
                }
                let json = try await server.address(of: "json")
                let bert = try await JSONClient.named("bert", at: json, from: "127.0.0.9")
                let made = try await ctl("ban", "address", "127.0.0.9", "--reason", "floods", "--for", "1d")
                #expect(made.exit == .code(0))
                #expect(try await bert.receive()["payload"] == "Banned: floods")
                let id = try #require(made.output.first?.split(separator: " ").last)
                #expect(try await ctl("bans").output.last?.contains("floods") == true)
                #expect(try await ctl("unban", String(id)).exit == .code(0))
                #expect(try await ctl("unban", String(id)).exit == .code(1))
            }
        }
    }
}
