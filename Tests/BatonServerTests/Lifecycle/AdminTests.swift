import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    @Suite struct Administration {
        @Test func healthIsForEverybody() async throws {
            try await withServer(everything + "\n") { server in
                let admin = try await server.admin()
                #expect(try await admin.get("/livez").status == 200)
                let ready = try await admin.get("/readyz")
                #expect(ready.status == 200 && ready.body == "ready\n")
                for path in ["/nothing", "/api/v1/nothing", "/metrics/x", "/livez/..", "/%2e%2e/etc/passwd"] {
                    #expect(try await admin.get(path).status == 404, "\(path)")
                }
            }
        }

        @Test func aSessionIsShownWithItsMembers() async throws {
            try await withServer { server in
                let admin = try await server.admin()
                #expect(try await admin.rooms().isEmpty)
                let address = try await server.address(of: "netplay")
                let host = try await Tunnel.Host(at: address)
                let pair = try await host.join(from: "127.0.0.2")
                try await pair.play()
                let waiting = try await Connection.open(to: address, from: "127.0.0.3")
                waiting.write(Tunnel.session + host.session)
                _ = try await host.connection.read(16)
                _ = try await JSONClient.named("anna", at: try await server.address(of: "json"))

                let rooms = try await admin.rooms()
                let session = try #require(rooms.first { $0.protocol == "netplay" })
                #expect(session.id == Data(host.session).base64EncodedString())
                let members = Dictionary(grouping: session.peers, by: \.role)
                let expected = [("host", host.connection), ("guest", pair.guest), ("pending guest", waiting)]
                for (role, connection) in expected {
                    let local = try #require(connection.channel.localAddress)
                    let endpoint = "\(local.ipAddress ?? ""):\(local.port ?? 0)"
                    #expect(members[role]?.map(\.endpoint) == [endpoint], "\(role)")
                    #expect(members[role]?.first?.peer.isEmpty == false)
                    #expect((0..<120).contains(members[role]?.first?.connectedSeconds ?? -1))
                }
                #expect(session.peers.count == 3)
                let relay = try #require(rooms.first { $0.protocol == "json" })
                #expect(relay.peers.map(\.name) == ["anna"])

                let status = try await admin.status()
                #expect(status.phase == "running")
                #expect(!status.version.isEmpty)
                #expect(status.connections == 5)
                let netplay = try status.relay("netplay")
                #expect(netplay.listeners == ["127.0.0.1:\(address.port ?? 0)"])
                #expect(netplay.peers == 4 && netplay.rooms == 1 && netplay.connectionsOpened == 4)
                #expect(netplay.bytesRelayed > 0 && netplay.bytesReceived > netplay.bytesRelayed)
                #expect(netplay.events["guest_linked"] == 1)
                #expect(try status.relay("json").peers == 1)
            }
        }

        @Test func metricsAreInForm() async throws {
            try await withServer { server in
                let admin = try await server.admin()
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                let pair = try await host.join()
                try await pair.play()
                let stranger = try await Connection.open(to: host.address)
                stranger.write("GET / HTTP/1.1\r\n\r\n".utf8)
                _ = try await stranger.readToEnd()
                let client = try await JSONClient.named("0HQ7C3M5V1A2B", at: try await server.address(of: "json"))
                try client.send(["payloadType": "MESSAGE", "destination": "nobody"])
                _ = try await client.receive()

                let page = try await admin.get("/metrics")
                #expect(page.headers["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
                #expect(page.body.hasSuffix("\n"))
                let metrics = Metrics(page.body)
                #expect(metrics.strange.isEmpty)
                #expect(!metrics.samples.isEmpty)
                var known: Set<String> = []
                for sample in metrics.samples {
                    let family = metrics.family(of: sample)
                    #expect(metrics.helped.contains(family), "\(family) has HELP")
                    #expect(metrics.kinds[family] != nil, "\(family) has TYPE")
                    let isCounter = metrics.kinds[family] == "counter"
                    #expect(isCounter == family.hasSuffix("_total"), "\(family)")
                    #expect(sample.name.hasPrefix("baton_") || sample.name.hasPrefix("process_"))
                    #expect(sample.value >= 0)
                    #expect(known.insert("\(sample.name) \(sample.labels.sorted { $0.key < $1.key })").inserted)
                    for (label, value) in sample.labels {
                        switch label {
                        case "protocol": #expect(["json", "netplay"].contains(value))
                        case "result": #expect(["success", "failure"].contains(value))
                        case "reason", "event": #expect(value.wholeMatch(of: /[a-z_]+/) != nil, "\(value)")
                        case "subject": #expect(["address", "name", "room"].contains(value))
                        case "le": #expect(metrics.kinds[family] == "histogram")
                        case "version": #expect(sample.name == "baton_build_info")
                        default: Issue.record("unknown label \(label)")
                        }
                    }
                }
                for secret in ["127.0.0.1", "0HQ7C3M5V1A2B", Data(host.session).base64EncodedString()] {
                    #expect(!page.body.contains(secret), "\(secret)")
                }
                #expect(metrics.value("baton_peers", ["protocol": "netplay"]) == 3)
                #expect(metrics.value("baton_rooms", ["protocol": "netplay"]) == 1)
                #expect(metrics.value("baton_ready") == 1)
                #expect(metrics.value("baton_admitted_connections") == 4)
                #expect(metrics.value("baton_connections_closed_total", ["reason": "unknown_opening"]) == 1)
                #expect(metrics.value("baton_handshake_failures_total", ["reason": "unknown_opening"]) == 1)
                let relayed = metrics.value("baton_relayed_messages_total", ["protocol": "netplay"])
                #expect(relayed > 0)
                #expect(metrics.value("baton_forward_latency_seconds_count", ["protocol": "netplay"]) == relayed)
                let within = metrics.samples.filter {
                    $0.name == "baton_forward_latency_seconds_bucket" && $0.labels["protocol"] == "netplay"
                }.map(\.value)
                #expect(within == within.sorted() && within.last.map { Int($0) } == relayed)
                #expect(metrics.value("baton_ban_database_up") == 0 && metrics.value("baton_bans") == 0)
                #expect(metrics.value("process_open_fds") > 0)
                #expect(metrics.value("process_open_fds") < metrics.value("process_max_fds"))
                let age = Date.now.timeIntervalSince1970 - Double(metrics.value("process_start_time_seconds"))
                #expect((-2..<300).contains(age))
            }
        }

        @Test func aTokenGuardsAllButHealth() async throws {
            let configuration = """
                netplay: {listen: "127.0.0.1:0"}
                admin: {listen: "127.0.0.1:0", token: "${SECRET}"}

                """
            try await withServer(configuration, environment: ["SECRET": "open-sesame"]) { server in
                let guarded = ["/metrics", "/api/v1/status", "/api/v1/rooms"]
                for token in [nil, "open", "open-sesames", "Open-Sesame", ""] {
                    let admin = try await server.admin(token: token)
                    for path in guarded {
                        let reply = try await admin.get(path)
                        #expect(reply.status == 401, "\(path) with \(token ?? "nothing")")
                        #expect(reply.headers["www-authenticate"]?.hasPrefix("Bearer") == true)
                        #expect(!reply.body.contains("baton_"))
                    }
                    #expect(try await admin.get("/livez").status == 200)
                    #expect(try await admin.get("/readyz").status == 200)
                }
                let admin = try await server.admin(token: "open-sesame")
                for path in guarded { #expect(try await admin.get(path).status == 200, "\(path)") }
                #expect(try await admin.get("/nothing").status == 404)
                #expect(!server.process.errors.all.contains { $0.contains("sesame") })
            }
        }

        @Test func aPeerIsPartedFrom() async throws {
            let configuration = """
                json: {listen: "127.0.0.1:0"}
                admin: {listen: "127.0.0.1:0", token: "open-sesame"}

                """
            try await withServer(configuration) { server in
                let admin = try await server.admin(token: "open-sesame")
                let address = try await server.address(of: "json")
                let anna = try await JSONClient.named("anna", at: address)
                _ = try await JSONClient.named("bert", at: address)
                let peers = try await admin.rooms().flatMap(\.peers)
                let peer = try #require(peers.first { $0.name == "anna" }?.peer)
                for path in ["json/9.9", "json/anna", "netplay/\(peer)", "json/\(peer)0"] {
                    #expect(try await admin.send("DELETE", "/api/v1/peers/\(path)").status == 404, "\(path)")
                }
                #expect(try await server.admin().send("DELETE", "/api/v1/peers/json/\(peer)").status == 401)
                #expect(try await admin.send("DELETE", "/api/v1/peers/json/\(peer)").status == 204)
                #expect(try await anna.receive()["payload"] == "Kicked")
                #expect(try await admin.rooms().flatMap(\.peers).map(\.name) == ["bert"])
                #expect(try await admin.status().relay("json").closed["kicked"] == 1)
                #expect(try await admin.send("DELETE", "/api/v1/peers/json/\(peer)").status == 404)
            }
        }

        @Test func withoutATokenNothingIsChanged() async throws {
            try await withServer { server in
                let reply = try await server.admin().send("DELETE", "/api/v1/peers/json/0.0")
                #expect(reply.status == 403)
            }
        }

        @Test func withoutATokenOnlyLoopbackIsServed() async throws {
            let configuration = "netplay: {listen: \"127.0.0.1:0\"}\nadmin: {listen: \"0.0.0.0:0\"}\n"
            try await withServer(configuration) { server in
                let exit = try await server.process.exit()
                #expect(exit == .code(78))
                #expect(server.process.errors.all.first?.contains("admin.token") == true)
            }
        }
    }
}
