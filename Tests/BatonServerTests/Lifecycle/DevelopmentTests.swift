import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    /// `serve --dev`, and `serve` without any configuration.
    @Suite struct Development {
        private static let freePorts = [
            "BATON_JSON__LISTEN": "127.0.0.1:0", "BATON_NETPLAY__LISTEN": "127.0.0.1:0",
            "BATON_NETPLAY__ROOMS__LISTEN": "127.0.0.1:0", "BATON_LOBBY__LISTEN": "127.0.0.1:0",
            "BATON_LDN__LISTEN": "127.0.0.1:0",
            "BATON_LDN__API__LISTEN": "127.0.0.1:0", "BATON_SOE__LISTEN": "127.0.0.1:0",
            "BATON_ADMIN__LISTEN": "127.0.0.1:0",
        ]

        /// Starts `serve --dev` and stops it when all listeners are there.
        private func develop(_ body: (RunningServer) async throws -> Void) async throws {
            try await withDirectory { directory in
                let process = try ChildProcess(
                    arguments: ["serve", "--dev"], environment: Self.freePorts, directory: directory)
                defer { process.send(SIGKILL) }
                let server = RunningServer(process: process, configuration: directory)
                for name in ["json", "netplay", "netplay_rooms", "lobby", "ldn", "ldn_api", "soe", "admin"] {
                    _ = try await server.address(of: name)
                }
                try await body(server)
                process.send(SIGINT)
                let exit = try await process.exit()
                #expect(exit == .code(0))
            }
        }

        @Test func aLinePerProtocolSaysWhatToTry() async throws {
            try await develop { server in
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                try await host.join().play()
                _ = try await JSONClient.named("a", at: try await server.address(of: "json"))
                #expect(try await server.admin().get("/livez").status == 200)
                for name in ["json", "netplay", "netplay_rooms", "lobby", "ldn", "ldn_api", "soe", "admin"] {
                    let line = try await command(for: name, of: server)
                    #expect(line.split(separator: " ").count > 2)
                }
                #expect(server.process.output.all.count == 8)
            }
        }

        /// A command that names port 0 tries nothing.
        @Test func commandsNameThePortsInUse() async throws {
            try await develop { server in
                for name in ["json", "netplay", "netplay_rooms", "lobby", "ldn", "ldn_api", "soe", "admin"] {
                    let port = try #require(try await server.address(of: name).port)
                    let line = try await command(for: name, of: server)
                    #expect(line.contains("\(port)"), "\(line)")
                }
            }
        }

        private func command(for name: String, of server: RunningServer) async throws -> String {
            func line() -> String? { server.process.output.all.first { $0.hasPrefix("try \(name): ") } }
            try await eventually("a command for \(name)") { line() != nil }
            return try #require(line())
        }

        @Test func developmentAndAFileExcludeEachOther() async throws {
            let outcome = try await run(["serve", "--dev", "--config", "some.yaml"])
            #expect(outcome.exit == .code(64))
            #expect(outcome.errors.contains { $0.contains("--dev and --config exclude each other") })
        }

        /// Where a machine has a configuration in the usual place, it would be found.
        @Test(.enabled(if: !FileManager.default.fileExists(atPath: "/etc/baton/baton.yaml")))
        func noConfigurationAtAllEndsWithAHint() async throws {
            try await withDirectory { directory in
                let outcome = try await run(["serve"], directory: directory)
                #expect(outcome.exit == .code(78))
                let hint = outcome.errors.joined(separator: "\n")
                for word in ["--config", "baton.yaml", "/etc/baton/baton.yaml", "baton config example", "--dev"] {
                    #expect(hint.contains(word), "\(word) in: \(hint)")
                }
            }
        }

        @Test func theFileInTheWorkingDirectoryIsFound() async throws {
            try await withDirectory { directory in
                try Data("netplay: {listen: \"127.0.0.1:0\"}\n".utf8).write(to: directory.appending(path: "baton.yaml"))
                let process = try ChildProcess(arguments: ["serve"], directory: directory)
                defer { process.send(SIGKILL) }
                let server = RunningServer(process: process, configuration: directory)
                try await Tunnel.Host(at: try await server.address(of: "netplay")).join().play()
            }
        }
    }
}
