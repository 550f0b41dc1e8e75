import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    /// HUP: a good file is taken over, a broken one changes nothing, and nobody's game ends either way.
    @Suite struct Reloading {
        private static func configuration(_ netplay: String, _ rest: String = "") -> String {
            "netplay: {listen: \"127.0.0.1:0\", \(netplay)}\nadmin: {listen: \"127.0.0.1:0\"}\n\(rest)\n"
        }

        @Test func aBrokenFileChangesNothing() async throws {
            try await withServer(Self.configuration("max_clients: 3")) { server in
                let (address, admin) = (try await server.address(of: "netplay"), try await server.admin())
                let host = try await Tunnel.Host(at: address)
                let pair = try await host.join()

                try server.rewriteConfiguration(
                    Self.configuration("max_clients: 2, max_clientz: 1", "log: {level: loud}"))
                server.process.send(SIGHUP)
                let line = try await server.line("reload_failed")
                #expect(line.level == "error")
                #expect(line.text.contains("max_clientz") && line.text.contains("loud"), "\(line.text)")
                #expect(line.text.contains("\(server.configuration.path):1:"), "\(line.text)")

                try await pair.play(rounds: 10)
                let second = try await host.join()
                try await second.play()
                try await host.joinInVain()
                try await server.line("connection_closed") { $0.fields["reason"] == "session_full" }
                let metrics = try await admin.metrics()
                #expect(metrics.value("baton_config_reloads_total", ["result": "failure"]) == 1)
                #expect(metrics.value("baton_config_reloads_total", ["result": "success"]) == 0)

                try FileManager.default.removeItem(at: server.configuration)
                server.process.send(SIGHUP)
                try await eventually("a second failure is counted") {
                    try await admin.metrics().value("baton_config_reloads_total", ["result": "failure"]) == 2
                }
                try await pair.play()
            }
        }

        @Test func aGoodFileIsTakenOver() async throws {
            try await withServer(Self.configuration("max_clients: 2", "log: {level: notice}")) { server in
                let (address, admin) = (try await server.address(of: "netplay"), try await server.admin())
                let host = try await Tunnel.Host(at: address)
                let pair = try await host.join()
                try await host.joinInVain()

                try server.rewriteConfiguration(Self.configuration("max_clients: 3", "log: {level: info}"))
                server.process.send(SIGHUP)
                try await server.line("reloaded")
                #expect(try await admin.metrics().value("baton_config_reloads_total", ["result": "success"]) == 1)

                let second = try await host.join()
                try await second.play()
                try await pair.play(rounds: 10)
                try await host.joinInVain()

                let linked = try await server.line("guest_linked")
                #expect(linked.level == "info")
                #expect(server.log.filter { $0.event == "guest_linked" }.count == 1, "the first pair was not logged")
                #expect(!server.log.contains { $0.event == "session_opened" || $0.event == "restart_needed" })

                try server.rewriteConfiguration(Self.configuration("max_clients: 1"))
                server.process.send(SIGHUP)
                try await eventually("the smaller limit is in force") {
                    try await admin.metrics().value("baton_config_reloads_total", ["result": "success"]) == 2
                }
                try await host.joinInVain()
                try await pair.play()
                try await second.play()
            }
        }

        @Test func whatNeedsARestartIsSaid() async throws {
            try await withServer(Self.configuration("max_clients: 2")) { server in
                let address = try await server.address(of: "netplay")
                let host = try await Tunnel.Host(at: address)
                let pair = try await host.join()
                let changed = """
                    netplay: {listen: "127.0.0.2:0", max_clients: 3}
                    json: {listen: "127.0.0.1:0"}
                    admin: {listen: "127.0.0.1:0"}

                    """
                try server.rewriteConfiguration(changed)
                server.process.send(SIGHUP)
                let line = try await server.line("restart_needed")
                #expect(line.level == "warning")
                #expect(line.text.contains("restart"))
                #expect(line.fields["settings"] == "netplay.listen json", "\(line.text)")
                #expect(server.log.filter { $0.event == "listening" }.count == 2)
                try await pair.play()
                // What can be taken over was.
                try await host.join().play()
            }
        }

        /// What still waits for a restart is said again, for it is still not in force.
        @Test func whatNeedsARestartIsSaidAtEachReload() async throws {
            try await withServer(Self.configuration("max_clients: 2")) { server in
                let admin = try await server.admin()
                try server.rewriteConfiguration(
                    "netplay: {listen: \"127.0.0.2:0\"}\nadmin: {listen: \"127.0.0.1:0\"}\n")
                for count in 1...2 {
                    server.process.send(SIGHUP)
                    try await eventually("reload \(count)") {
                        try await admin.metrics().value("baton_config_reloads_total", ["result": "success"]) == count
                    }
                }
                server.process.send(SIGINT)
                let exit = try await server.process.exit()
                #expect(exit == .code(0))
                #expect(server.log.filter { $0.event == "restart_needed" }.count == 2)
            }
        }

        @Test func aNewBanPartsFromWhomItIsAbout() async throws {
            try await withServer(Self.configuration("max_clients: 8")) { server in
                let address = try await server.address(of: "netplay")
                let host = try await Tunnel.Host(at: address)
                let pair = try await host.join(from: "127.0.0.2")
                let other = try await host.join()
                try server.rewriteConfiguration(
                    Self.configuration("max_clients: 8", "bans: [{address: 127.0.0.2, reason: cheats}]"))
                server.process.send(SIGHUP)
                try await server.line("reloaded")
                let banned = try await Connection.open(to: address, from: "127.0.0.2")
                #expect(try await banned.readToEnd().readableBytes == 0)
                try await server.line("connection_refused") { $0.fields["reason"] == "banned" }
                _ = try await pair.guest.readToEnd()
                try await other.play(rounds: 10)
                try await host.join().play()
            }
        }

        @Test func signalsInARowAreAllHeeded() async throws {
            try await withServer(Self.configuration("max_clients: 2")) { server in
                let admin = try await server.admin()
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                let pair = try await host.join()
                for count in 1...20 {
                    server.process.send(SIGHUP)
                    try await pair.play()
                    try await eventually("reload \(count)") {
                        try await admin.metrics().value("baton_config_reloads_total", ["result": "success"]) == count
                    }
                }
                server.process.send(SIGTERM)
                try await server.line("draining")
                try await pair.play()
            }
        }
    }
}
