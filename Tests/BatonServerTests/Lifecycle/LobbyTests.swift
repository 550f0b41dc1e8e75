import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    /// The lobby as RetroArch, proxies and players talk to it.
    @Suite struct Lobby {
        /// What RetroArch 1.14.0 sends.
        private static let announcement = """
            username=hosty&core_name=Nestopia&core_version=1.52.0%20&game_name=loop&game_crc=B0606C41&port=45435\
            &mitm_server=nyc&has_password=0&has_spectate_password=0&force_mitm=1&retroarch_version=1.14.0\
            &frontend=unix%20x64&subsystem_name=N/A&mitm_session=Vp8eSjN%2Bk8m9gVUR&mitm_custom_addr=&mitm_custom_port=0
            """

        private static let relays = #"relays: {nyc: "relay.example.org:55435", six: "[2001:db8::1]:55435"}"#

        private static func configuration(_ lobby: String = "", _ rest: String = "") -> String {
            let settings = lobby.isEmpty ? relays : "\(relays), \(lobby)"
            return "lobby: {listen: \"127.0.0.1:0\", \(settings)}\nadmin: {listen: \"127.0.0.1:0\"}\n\(rest)\n"
        }

        private func add(
            _ web: Web, _ username: String = "hosty", headers: [(String, String)] = [], from source: String? = nil
        ) async throws -> Web.Reply {
            let body = Self.announcement.replacing("username=hosty", with: "username=\(username)")
            return try await web.request("POST", "/add", headers: headers, body: body, from: source)
        }

        private func lobby(_ server: RunningServer) async throws -> Web {
            Web(address: try await server.address(of: "lobby"))
        }

        @Test func retroArchIsAnsweredToTheByte() async throws {
            try await withServer(Self.configuration()) { server in
                let web = try await lobby(server)
                #expect(try await web.request("GET", "/list").body == "[]\n")
                let added = try await add(web)
                #expect(added.status == 200)
                #expect(
                    added.body == """
                        status=OK
                        id=1
                        username=hosty
                        core_name=Nestopia
                        game_name=loop
                        game_crc=B0606C41
                        core_version=1.52.0\u{20}
                        ip=127.0.0.1
                        port=45435
                        host_method=3
                        has_password=0
                        has_spectate_password=0
                        retroarch_version=1.14.0
                        frontend=unix x64
                        subsystem_name=N/A
                        country=
                        connectable=1

                        """)
                let again = try await add(web)
                #expect(again.status == 429 && again.body.isEmpty)
                for path in ["/list", "/list/", "/1", "/1/"] {
                    let list = try await web.request("GET", path)
                    #expect(list.status == 200 && list.headers["content-type"]?.hasPrefix("application/json") == true)
                    #expect(
                        list.body.hasPrefix(
                            "[\n  {\n    \"fields\": {\n      \"id\": 1,\n      \"username\": \"hosty\","))
                    #expect(list.body.hasSuffix("\"\n    }\n  }\n]\n"), "\(path)")
                }
                let tunnel = try await web.request("GET", "/tunnel/?name=nyc")
                #expect(tunnel.body == "status=OK\ntunnel_addr=relay.example.org\ntunnel_port=55435\n")
                let six = try await web.request("GET", "/tunnel?name=six")
                #expect(six.body == "status=OK\ntunnel_addr=2001:db8::1\ntunnel_port=55435\n")
            }
        }

        @Test func otherRequestsAreRefusedPlainly() async throws {
            try await withServer(Self.configuration()) { server in
                let web = try await lobby(server)
                let refused = [
                    ("GET", "/abc", 400), ("GET", "/2147483648", 400), ("GET", "/99", 404), ("GET", "/tunnel", 400),
                    ("GET", "/tunnel?name=", 400), ("GET", "/tunnel?name=%", 400), ("GET", "/tunnel?name=paris", 404),
                    ("GET", "/a/b/c", 404), ("GET", "/api/v1/reachability", 400),
                    ("GET", "/api/v1/reachability?port=0", 400), ("GET", "/api/v1/reachability?port=65536", 400),
                    ("GET", "/api/v1/reachability?session=short&relay=nyc", 400),
                    ("GET", "/api/v1/reachability?session=Vp8eSjN%2Bk8m9gVUR&relay=paris", 400),
                    // Nobody of the internet has this address.
                    ("GET", "/api/v1/reachability?port=1", 403),
                ]
                for (method, path, status) in refused {
                    #expect(try await web.request(method, path).status == status, "\(method) \(path)")
                }
                for (body, status) in [("username=%", 400), ("", 400), (Self.announcement + "&port=1", 200)] {
                    #expect(try await web.request("POST", "/add/", body: body).status == status, "\(body)")
                }
                let large = String(repeating: "a", count: 64 << 10)
                #expect(try await web.request("POST", "/add", body: large).status == 400)
                #expect(try await web.request("POST", "/add", body: large + "a").status == 413)
            }
        }

        @Test func thePageIsSafeToLookAt() async throws {
            try await withServer(Self.configuration()) { server in
                let web = try await lobby(server)
                _ = try await add(web, "%3Cscript%3Ealert(1)%3C/script%3E")
                let page = try await web.request("GET", "/")
                #expect(page.headers["content-type"] == "text/html; charset=utf-8")
                #expect(
                    page.headers["content-security-policy"]?.hasPrefix("default-src 'none'; style-src 'self'") == true)
                #expect(page.body.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.body.contains("<script"))
                #expect(page.body.contains("href=\"style.css\""))
                let style = try await web.request("GET", "/style.css")
                #expect(
                    style.headers["content-type"] == "text/css; charset=utf-8"
                        && style.body.contains("prefers-color-scheme"))
            }
        }

        /// Also after a kill, which leaves nobody time to write anything down.
        @Test(arguments: [SIGKILL, SIGINT])
        func roomsAndTheirNumbersSurvive(_ signal: Int32) async throws {
            try await withDirectory { directory in
                let database = "database: \"\(directory.appending(path: "lobby.sqlite").path)\""
                var before = ""
                try await withServer(Self.configuration(database)) { server in
                    let web = try await lobby(server)
                    for name in ["anna", "bert"] { _ = try await add(web, name) }
                    before = try await web.request("GET", "/list").body
                    server.process.send(signal)
                    _ = try await server.process.exit()
                }
                try await withServer(Self.configuration(database)) { server in
                    let web = try await lobby(server)
                    #expect(try await web.request("GET", "/list").body == before)
                    #expect(try await add(web, "carl").body.contains("\nid=3\n"))
                }
            }
        }

        /// A list that cannot be kept is no reason to end what else is served.
        @Test func aDatabaseThatCannotBeUsedIsTriedAgain() async throws {
            try await withDirectory { directory in
                let path = directory.appending(path: "lobby.sqlite").path
                try Data("a letter, and no database at all".utf8).write(to: URL(filePath: path))
                try await withServer(Self.configuration("database: \"\(path)\"")) { server in
                    let web = try await lobby(server)
                    let line = try await server.line("database_failed") { $0.level == "error" }
                    #expect(line.text.contains("lobby.database: \(path) is damaged"), "\(line.text)")
                    #expect(try await web.request("GET", "/list").body == "[]\n")
                    let refused = try await add(web, "anna")
                    #expect(refused.status == 500)
                    try FileManager.default.removeItem(atPath: path)
                    _ = try await server.line("database_works") { $0.level == "notice" }
                    #expect(try await add(web, "anna").body.contains("\nid=1\n"))
                    #expect(server.process.errors.all.count { $0.contains("database_failed") } == 1, "it is said once")
                }
            }
        }

        @Test func aCountryDatabaseThatCannotBeUsedEndsTheStart() async throws {
            try await withDirectory { directory in
                let path = directory.appending(path: "countries.mmdb").path
                try Data("a letter, and no database at all".utf8).write(to: URL(filePath: path))
                try await withServer(Self.configuration("country_database: \"\(path)\"")) { server in
                    let exit = try await server.process.exit()
                    #expect(exit == .code(74))
                    #expect(server.process.errors.all.contains { $0.contains("lobby.country_database: \(path)") })
                }
            }
        }

        @Test func forgedHeadersChangeNothing() async throws {
            try await withServer(Self.configuration("trusted_proxies: [127.0.0.2]")) { server in
                let web = try await lobby(server)
                let forged = [("X-Forwarded-For", "198.51.100.1"), ("X-Real-IP", "198.51.100.2")]
                #expect(try await add(web, "a", headers: forged).body.contains("\nip=127.0.0.1\n"))
                #expect(
                    try await add(web, "b", headers: forged, from: "127.0.0.2").body.contains("\nip=198.51.100.1\n"))
                let longer = [("X-Forwarded-For", "1.1.1.1, 198.51.100.3")]
                #expect(
                    try await add(web, "c", headers: longer, from: "127.0.0.2").body.contains("\nip=198.51.100.3\n"))
                let real = [("X-Real-IP", "2001:db8::7")]
                #expect(try await add(web, "d", headers: real, from: "127.0.0.2").body.contains("\nip=2001:db8::7\n"))
            }
        }

        @Test func whoAsksTooOftenIsSlowedDown() async throws {
            let limits = "requests_per_second: 1, requests_burst: 5, trusted_proxies: [127.0.0.2]"
            try await withServer(Self.configuration(limits)) { server in
                let (web, admin) = (try await lobby(server), try await server.admin())
                var statuses: [Int] = []
                for _ in 0..<20 { statuses.append(try await web.request("GET", "/list").status) }
                #expect(statuses.prefix(5) == [200, 200, 200, 200, 200] && statuses.contains(429))
                // Whom a proxy asks for are told apart.
                #expect(try await web.request("GET", "/list", from: "127.0.0.3").status == 200)
                for number in 0..<10 {
                    let headers = [("X-Forwarded-For", "198.51.100.\(number)")]
                    #expect(try await web.request("GET", "/list", headers: headers, from: "127.0.0.2").status == 200)
                }
                let refused = ["protocol": "lobby", "reason": "too_fast"]
                #expect(try await admin.metrics().value("baton_connections_refused_total", refused) > 0)
                try await server.line("request_refused") { $0.fields["reason"] == "too_fast" }
            }
        }

        @Test func bansHoldBehindAProxyToo() async throws {
            let bans = "bans: [{address: 198.51.100.0/24}, {address: 127.0.0.5}]"
            try await withServer(Self.configuration("trusted_proxies: [127.0.0.2]", bans)) { server in
                let web = try await lobby(server)
                let banned = [("X-Forwarded-For", "198.51.100.1")]
                #expect(try await web.request("GET", "/list", headers: banned, from: "127.0.0.2").status == 403)
                let connection = try await Connection.open(to: web.address, from: "127.0.0.5")
                #expect(try await connection.readToEnd().readableBytes == 0)
                #expect(try await web.request("GET", "/list", headers: banned).status == 200)
            }
        }

        @Test func settingsAreTakenOver() async throws {
            try await withServer(Self.configuration("blacklist: {strings: [\"(?i)^spam\"]}")) { server in
                let web = try await lobby(server)
                #expect(try await add(web, "Spammer").status == 400)
                #expect(try await add(web, "eggs").status == 200)
                try server.rewriteConfiguration(
                    "lobby: {listen: \"127.0.0.1:0\", relays: {paris: \"paris.example.org:1\"}, blacklist: "
                        + "{strings: [eggs], ips: [127.0.0.7]}, country_database: /nonexistent}\n"
                        + "admin: {listen: \"127.0.0.1:0\"}\n")
                server.process.send(SIGHUP)
                try await server.line("reloaded")
                try await server.line("country_database_failed") { $0.level == "error" }
                #expect(
                    try await web.request("GET", "/list").body == "[]\n", "the new blacklist holds for what is there")
                #expect(try await add(web, "Spammer").status == 200)
                #expect(try await add(web, "x", from: "127.0.0.7").status == 403)
                #expect(try await web.request("GET", "/tunnel?name=nyc").status == 404)
                #expect(try await web.request("GET", "/tunnel?name=paris").status == 200)
                #expect(!server.log.contains { $0.event == "restart_needed" })
            }
        }

        @Test func aDrainEmptiesTheListAndTakesNothing() async throws {
            let netplay = "netplay: {listen: \"127.0.0.1:0\"}"
            try await withServer(Self.configuration("", netplay)) { server in
                let (web, admin) = (try await lobby(server), try await server.admin())
                _ = try await add(web)
                #expect(try await admin.status().relay("lobby").rooms == 1)
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                let pair = try await host.join()
                server.process.send(SIGTERM)
                try await server.line("draining")
                #expect(try await web.request("GET", "/list").body == "[]\n")
                #expect(try await web.request("GET", "/1").status == 404)
                #expect(try await add(web, "late").status == 503)
                try await pair.play()
                // Rooms that are only listed keep nobody waiting.
                #expect(try await admin.status().relay("lobby").rooms == 0)
                try await pair.close()
                try await host.close()
                let exit = try await server.process.exit()
                #expect(exit == .code(0))
            }
        }

        @Test func roomsAndCountsAreShownToOperators() async throws {
            try await withServer(Self.configuration()) { server in
                let (web, admin) = (try await lobby(server), try await server.admin())
                _ = try await add(web)
                for _ in 0..<3 { _ = try await web.request("GET", "/list") }
                let room = try #require(try await admin.rooms().first)
                #expect(room.protocol == "lobby" && room.id == "1")
                #expect(room.peers.map(\.name) == ["hosty"] && room.peers.map(\.role) == ["host"])
                #expect(room.peers.map(\.endpoint) == ["127.0.0.1:45435"])
                let status = try await admin.status().relay("lobby")
                #expect(status.rooms == 1 && status.connectionsOpened == 4)
                #expect(status.events["room_added"] == 1 && status.events["list_built"] == 1)
                let line = try await server.line("room_added")
                #expect(line.fields["protocol"] == "lobby" && line.fields["address"] == "127.0.0.1:45435")
            }
        }
    }
}
