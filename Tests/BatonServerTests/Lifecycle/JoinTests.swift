import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    /// `baton netplay join`, as a launcher uses it.
    @Suite struct Joining {
        private func withHost(_ body: (Tunnel.Host) async throws -> Void) async throws {
            try await withServer { server in
                try await body(try await Tunnel.Host(at: try await server.address(of: "netplay")))
            }
        }

        @Test func aGuestThatKnowsNoTunnelPlays() async throws {
            try await withHost { host in
                try await Bridge.into(host) { bridge in
                    let first = try await bridge.join()
                    try await first.play(rounds: 3)
                    try await first.link.close()
                    #expect(try await first.guest.readToEnd().readableBytes == 0)
                    let second = try await bridge.join()
                    try await second.play(rounds: 3)
                    #expect(bridge.process.errors.all.isEmpty)
                }
            }
        }

        @Test func theLineSaysWhatToType() async throws {
            try await withHost { host in
                try await Bridge.into(host) { bridge in
                    let line = try #require(bridge.process.output.all.first)
                    let port = try #require(bridge.address.port)
                    #expect(line.contains("retroarch -C 127.0.0.1 --port \(port) "), "\(line)")
                    #expect(bridge.process.output.all.count == 1)
                }
            }
        }

        @Test func jsonIsOneLineWithThePort() async throws {
            try await withHost { host in
                let process = try ChildProcess(arguments: Bridge.arguments(into: host) + ["--json"])
                defer { process.send(SIGKILL) }
                let line = try await process.output.first("it listens") { _ in true }
                let announced = try JSONDecoder().decode(Announcement.self, from: Data(line.utf8))
                #expect(announced.host == "127.0.0.1")
                #expect(announced.arguments == ["-C", "127.0.0.1", "--port", "\(announced.port)"])
                let guest = try await Connection.open(
                    to: try SocketAddress(ipAddress: announced.host, port: announced.port))
                try await Tunnel.Pair(guest: guest, link: try await host.link()).play()
            }
        }

        private struct Announcement: Decodable {
            var host: String
            var port: Int
            var arguments: [String]
        }

        @Test(arguments: [SIGINT, SIGTERM])
        func aSignalEndsIt(_ signal: Int32) async throws {
            try await withHost { host in
                try await Bridge.into(host) { bridge in
                    let pair = try await bridge.join()
                    try await pair.play()
                    bridge.process.send(signal)
                    #expect(try await bridge.process.exit() == .code(0))
                    #expect(try await pair.guest.readToEnd().readableBytes == 0)
                    #expect(try await pair.link.readToEnd().readableBytes == 0)
                }
            }
        }

        @Test func aSessionThatHasEndedIsToldInWords() async throws {
            try await withServer { server in
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                try await Bridge.into(host) { bridge in
                    try await host.close()
                    try await server.line("connection_closed")
                    let guest = try await bridge.connect()
                    #expect(try await guest.readToEnd().readableBytes == 0)
                    _ = try await bridge.process.errors.first("it says why") { $0.contains("session has ended") }
                }
            }
        }

        @Test func aTunnelThatIsNotThereIsToldInWords() async throws {
            try await withServer { server in
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                try await Bridge.into(host) { bridge in
                    server.process.send(SIGKILL)
                    _ = try await server.process.exit()
                    let guest = try await bridge.connect()
                    #expect(try await guest.readToEnd().readableBytes == 0)
                    _ = try await bridge.process.errors.first("it says why") {
                        $0.contains("cannot be reached: connection refused")
                    }
                }
            }
        }

        @Test(arguments: [
            ["--session", "short"], ["--session", "AAAAAAAAAAAAAAAA"], [],
            ["--session", "AAAAAAAAAAAAAAAB", "--listen", "nowhere:0"],
        ])
        func whatCannotBeMeantIsRefused(_ arguments: [String]) async throws {
            let outcome = try await run(["netplay", "join", "127.0.0.1"] + arguments)
            #expect(outcome.exit == .code(64))
        }
    }
}
