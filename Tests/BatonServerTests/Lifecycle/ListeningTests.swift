import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    @Suite struct Listening {
        private static let bothFamilies = """
            json: {listen: ["127.0.0.1:0", "[::1]:0"]}
            netplay: {listen: ["127.0.0.1:0", "[::1]:0"]}
            admin: {listen: "127.0.0.1:0"}

            """

        @Test func eachListenerSaysOnceWhereItListens() async throws {
            try await withServer(Self.bothFamilies) { server in
                for name in ["json", "netplay"] {
                    for address in ["127.0.0.1:", "[::1]:"] {
                        try await server.line("listening") {
                            $0.text.contains("listening protocol=\(name) address=\(address)")
                        }
                    }
                }
                try await server.line("listening") { $0.text.contains("listening protocol=admin address=127.0.0.1:") }
                server.process.send(SIGINT)
                let exit = try await server.process.exit()
                #expect(exit == .code(0))
                let addresses = server.log.filter { $0.event == "listening" }.compactMap { $0.fields["address"] }
                #expect(addresses.count == 5)
                #expect(Set(addresses).count == 5)
                #expect(!addresses.contains { $0.hasSuffix(":0") })
                #expect(server.process.errors.all.allSatisfy { LogLine($0) != nil })
            }
        }

        @Test func bothFamiliesAreServed() async throws {
            try await withServer(Self.bothFamilies) { server in
                for family in ["127.0.0.1:", "[::1]:"] {
                    let line = try await server.line("listening") {
                        $0.fields["protocol"] == "netplay" && $0.fields["address"]?.hasPrefix(family) == true
                    }
                    let address = try RunningServer.socketAddress(try #require(line.fields["address"]))
                    let host = try await Tunnel.Host(at: address)
                    try await host.join().play()
                }
            }
        }

        @Test func jsonLogIsOneObjectPerLine() async throws {
            try await withServer(arguments: ["--log-format", "json"]) { server in
                let address = try await server.address(of: "netplay")
                let host = try await Tunnel.Host(at: address)
                let pair = try await host.join()
                try await pair.play()
                try await pair.close()
                try await host.close()
                try await server.line("session_closed")
                server.process.send(SIGINT)
                let exit = try await server.process.exit()
                #expect(exit == .code(0))
                for text in server.process.errors.all {
                    #expect(text.hasPrefix("{") && LogLine(text) != nil, "\(text)")
                }
                let events = server.log.map { $0.event ?? "" }
                #expect(events.filter { $0 == "listening" }.count == 3)
                #expect(events.contains("guest_linked"))
                let closed = try #require(server.log.first { $0.event == "connection_closed" })
                for key in ["time", "level", "message", "protocol", "peer", "address", "reason"] {
                    #expect(closed.fields[key]?.isEmpty == false, "\(key)")
                }
            }
        }

        /// Nobody outside could reach them through a router.
        @Test func listenersOnLoopbackAreNotMapped() async throws {
            try await withServer(everything + "port_mapping: upnp\n") { server in
                try await server.line("port_mapping_idle")
                #expect(try await server.admin().get("/api/v1/status").body.contains(#""portMappings":[]"#))
                server.process.send(SIGINT)
                let exit = try await server.process.exit()
                #expect(exit == .code(0))
            }
        }

        @Test func aTakenPortIsNamed() async throws {
            try await withServer { first in
                for (name, other) in [("netplay", ""), ("json", ""), ("admin", "json: {listen: \"127.0.0.1:0\"}\n")] {
                    let address = try await first.address(of: name)
                    let taken = "127.0.0.1:\(try #require(address.port))"
                    try await withServer(other + "\(name): {listen: \"\(taken)\"}\n") { second in
                        let exit = try await second.process.exit()
                        #expect(exit == .code(69))
                        let complaint = second.process.errors.all.filter { $0.contains("in use") }
                        #expect(complaint == ["\(name): \(taken) is in use by another program"])
                    }
                }
            }
        }

        /// A listener that cannot start takes those along that did.
        @Test func oneTakenPortEndsTheWholeServer() async throws {
            try await withServer { first in
                let port = try #require(try await first.address(of: "netplay").port)
                let configuration = "json: {listen: \"127.0.0.1:0\"}\nnetplay: {listen: \"127.0.0.1:\(port)\"}\n"
                try await withServer(configuration) { second in
                    let exit = try await second.process.exit()
                    #expect(exit == .code(69))
                    #expect(second.process.errors.all.last?.contains("netplay: 127.0.0.1:\(port)") == true)
                }
                try await Tunnel.Host(at: first.address(of: "netplay")).join().play()
            }
        }
    }
}
