import CLinuxNet
import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    /// Ten thousand connections of one address that say nothing.
    @Suite(.enabled(if: clinuxnet_raise_open_files() > 12_000)) struct Crowds {
        private static let count = 10_000

        /// With the limits a server has by default most are turned away.
        @Test func mostOfACrowdIsTurnedAway() async throws {
            let configuration = everything + "limits: {connections: 10000}\n"
            try await withServer(configuration) { server in
                let admin = try await server.admin()
                try await crowd(around: server) {
                    let metrics = try await admin.metrics()
                    let refused = metrics.value("baton_connections_refused_total", ["protocol": "netplay"])
                    let tooFast = metrics.value("baton_connections_refused_total", ["reason": "too_fast"])
                    let full = metrics.value("baton_connections_refused_total", ["reason": "address_full"])
                    #expect(refused == tooFast + full)
                    #expect(refused >= Self.count - 1024)
                    #expect(full > 0)
                    #expect(try await admin.status().connections <= 1024 + 8)
                }
            }
        }

        /// A server told to take them takes them all.
        @Test func aCrowdThatIsLetInDoesNoHarm() async throws {
            let limits = """
                limits: {connections: 12000, connections_per_address: 0, new_connections_per_second: 0}
                log: {level: notice}

                """
            try await withServer(everything + limits) { server in
                let admin = try await server.admin()
                try await crowd(around: server) {
                    let relay = try await admin.status().relay("netplay")
                    #expect(relay.refused.isEmpty)
                    #expect(relay.peers >= Self.count)
                }
            }
        }

        /// Opens the crowd while others meet and play, lets `check` look, and sends it away.
        private func crowd(around server: RunningServer, check: () async throws -> Void) async throws {
            let (address, admin) = (try await server.address(of: "netplay"), try await server.admin())
            let host = try await Tunnel.Host(at: address, from: "127.0.0.2")
            let pair = try await host.join()
            let opened = History<Connection>()
            async let opening: Void = {
                defer { opened.finish() }
                try await Self.open(Self.count, to: address, into: opened)
            }()
            while !opened.isFinished { try await pair.play(rounds: 10) }
            try await opening
            // People who did not know each other before meet, too.
            let second = try await Tunnel.Host(at: address, from: "127.0.0.2")
            try await second.join().play(rounds: 10)
            try await eventually("all of the crowd is admitted or refused") {
                let relay = try await admin.status().relay("netplay")
                return relay.connectionsOpened + relay.refused.values.reduce(0, +) == Self.count + 6
            }
            try await pair.play(rounds: 10)
            try await check()
            for connection in opened.all { try await connection.close() }
            try await eventually("the crowd has gone") { try await admin.status().connections == 6 }
            try await eventually("the crowd's address is served again") {
                guard let again = try? await Tunnel.Host(at: address) else { return false }
                try await again.join().play()
                return true
            }
            try await pair.play()
        }

        private static func open(
            _ count: Int, to address: SocketAddress, into opened: History<Connection>
        ) async throws {
            for _ in 0..<count / 250 {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<250 { group.addTask { opened.append(try await .open(to: address)) } }
                    try await group.waitForAll()
                }
            }
        }
    }
}
