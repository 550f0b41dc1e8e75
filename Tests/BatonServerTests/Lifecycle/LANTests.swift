import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    /// The LAN relay as an operator runs it; the doctor, who joins for a moment, is its guest.
    @Suite struct LAN {
        private struct Finding: Decodable {
            var hop: String
            var fault: String?
            var message: String
        }

        /// A configuration whose relay keeps its fingerprint in a directory.
        private static func configuration(_ directory: URL, _ lan: String = "", _ rest: String = "") -> String {
            """
            lan: {listen: "127.0.0.1:0", identity: "\(directory.appending(path: "identity.pem").path)"\(lan)}
            admin: {listen: "127.0.0.1:0", token: "open-sesame"}
            \(rest)

            """
        }

        /// What the doctor says of a room; `password` is said instead of what the link has.
        private func examine(
            _ server: RunningServer, room: String = "party", password: String? = nil
        ) async throws -> [Finding] {
            let port = try #require(try await server.address(of: "lan").port)
            let link = try await run([
                "lan", "link", room, "--config", server.configuration.path, "--no-qr", "--host", "127.0.0.1:\(port)",
            ])
            let text = try #require(link.output.first, "\(link.errors)")
            #expect(text.hasPrefix("baton://") && text.contains("127.0.0.1:\(port)/\(room)#"))
            let outcome = try await run(
                ["lan", "doctor", text, "--json", "--identity", server.configuration.path + ".end"]
                    + (password.map { ["--password", $0] } ?? []))
            return try JSONDecoder().decode([Finding].self, from: Data(outcome.output.joined().utf8))
        }

        private func faults(
            _ server: RunningServer, room: String = "party", password: String? = nil
        ) async throws -> [String] {
            try await examine(server, room: room, password: password).compactMap(\.fault)
        }

        private func reload(_ server: RunningServer, _ configuration: String) async throws {
            let admin = try await server.admin(token: "open-sesame")
            let reloads = { try await admin.metrics().value("baton_config_reloads_total", ["result": "success"]) }
            let before = try await reloads()
            try server.rewriteConfiguration(configuration)
            server.process.send(SIGHUP)
            try await eventually("the configuration is read again") { try await reloads() == before + 1 }
        }

        @Test func aRoomIsJoinedAndCounted() async throws {
            try await withDirectory { directory in
                try await withServer(Self.configuration(directory)) { server in
                    #expect(try await faults(server) == ["no-gateway"])
                    let joined = try await server.line("joined") { $0.fields["protocol"] == "lan" }
                    #expect(joined.fields["address"]?.hasPrefix("127.0.0.1:") == true)
                    let admin = try await server.admin(token: "open-sesame")
                    try await eventually("it has left") {
                        try await admin.metrics().value("baton_rooms", ["protocol": "lan"]) == 0
                    }
                    let metrics = try await admin.metrics()
                    let lan = ["protocol": "lan"]
                    #expect(metrics.strange.isEmpty)
                    #expect(metrics.value("baton_connections_opened_total", lan) == 1)
                    #expect(metrics.value("baton_events_total", ["protocol": "lan", "event": "joined"]) == 1)
                    #expect(
                        metrics.value("baton_connections_closed_total", ["protocol": "lan", "reason": "left"]) == 1)
                    #expect(metrics.value("baton_received_bytes_total", lan) > 1000)
                    #expect(metrics.value("baton_lan_handshakes_total") == 1)
                    #expect(metrics.value("baton_lan_packets_sent_total") > 2)
                    for name in [
                        "packets_unsent", "malformed_packets", "handshakes_failed", "handshakes_refused", "retries",
                        "stateless_resets", "migrations", "undeliverable_frames",
                    ] {
                        #expect(metrics.kinds["baton_lan_\(name)_total"] == "counter", "\(name)")
                        #expect(metrics.helped.contains("baton_lan_\(name)_total"), "\(name)")
                    }
                }
            }
        }

        @Test func theBannedAreToldWhyAlsoAfterAReload() async throws {
            try await withDirectory { directory in
                let bans = "bans: [{address: 127.0.0.0/8, reason: too loud}]"
                try await withServer(Self.configuration(directory)) { server in
                    #expect(try await faults(server) == ["no-gateway"])
                    try await reload(server, Self.configuration(directory, "", bans))
                    let found = try await examine(server)
                    #expect(found.compactMap(\.fault) == ["banned"])
                    #expect(found.last?.message.contains("Banned: too loud") == true, "\(found)")
                    try await server.line("refused") { $0.fields["reason"] == "banned" }
                    let metrics = try await server.admin(token: "open-sesame").metrics()
                    let banned = ["protocol": "lan", "reason": "banned"]
                    #expect(metrics.value("baton_connections_refused_total", banned) == 1)
                    try await reload(server, Self.configuration(directory))
                    #expect(try await faults(server) == ["no-gateway"])
                }
            }
        }

        @Test func aPasswordAndTokensOpenARoomAndChangeAtAReload() async throws {
            func room(_ password: String) -> String {
                ", registered_rooms_only: true, max_failures: 3, rooms: [{name: party, password: \(password), "
                    + "tokens: [for-bob]}]"
            }
            try await withDirectory { directory in
                try await withServer(Self.configuration(directory, room("swordfish"))) { server in
                    #expect(try await faults(server) == ["no-gateway"], "the link has the password")
                    #expect(try await faults(server, password: "for-bob") == ["no-gateway"])
                    try await reload(server, Self.configuration(directory, room("haddock")))
                    #expect(try await faults(server, password: "swordfish") == ["wrong-password"])
                    #expect(try await faults(server) == ["no-gateway"])
                    for _ in 0..<2 { _ = try await faults(server, password: "guess") }
                    #expect(try await faults(server) == ["too-many-failures"], "nobody from here is heard any more")
                    let metrics = try await server.admin(token: "open-sesame").metrics()
                    let wrong = ["protocol": "lan", "reason": "wrong_password"]
                    #expect(metrics.value("baton_connections_refused_total", wrong) == 3)
                }
            }
        }
    }
}
