import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    /// `baton healthcheck`, as a container's engine calls it, and `baton doctor` as a whole.
    @Suite struct HealthChecking {
        private func write(_ text: String, _ body: (String) async throws -> Void) async throws {
            try await withDirectory { directory in
                let file = directory.appending(path: "baton.yaml")
                try Data(text.utf8).write(to: file)
                try await body(file.path)
            }
        }

        @Test func aServerThatRunsAndOneThatDrains() async throws {
            let configuration = "netplay: {listen: \"127.0.0.1:0\"}\nadmin: {listen: \"127.0.0.1:0\"}\n"
            try await withServer(configuration) { server in
                let port = try #require(try await server.address(of: "admin").port)
                // A room keeps the drain from ending.
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                try await write("json:\nadmin: {listen: \"0.0.0.0:\(port)\", token: any}\n") { file in
                    for options in [[], ["--ready"]] {
                        let outcome = try await run(["healthcheck", "--config", file] + options)
                        #expect(outcome.exit == .code(0), "\(outcome.output)")
                    }
                    server.process.send(SIGTERM)
                    try await server.line("draining")
                    #expect(try await run(["healthcheck", "--config", file]).exit == .code(0))
                    let ready = try await run(["healthcheck", "--ready", "--config", file])
                    #expect(ready.exit == .code(1))
                    #expect(ready.output == ["127.0.0.1:\(port): draining"])
                }
                try await host.close()
            }
        }

        @Test func aServerThatDoesNotRun() async throws {
            let port = try await Answerer.with("") { $0.port }
            try await write("json:\nadmin: {listen: \"127.0.0.1:\(port)\"}\n") { file in
                let outcome = try await run(["healthcheck", "--config", file])
                #expect(outcome.exit == .code(1))
                #expect(outcome.output == ["127.0.0.1:\(port): connection refused, nothing listens there"])
            }
        }

        @Test(arguments: ["json:\n", "json:\nadmin: {listen: \"127.0.0.1:0\"}\n"])
        func nobodyToAsk(_ configuration: String) async throws {
            try await write(configuration) { file in
                let outcome = try await run(["healthcheck", "--config", file])
                #expect(outcome.exit == .code(78))
            }
        }

        @Test func theDoctorSaysWhatToDo() async throws {
            try await Answerer.with("220 mail\r\n") { stranger in
                try await write("json: {listen: \"\(stranger.address)\"}\n") { file in
                    let outcome = try await run(["doctor", "--config", file])
                    #expect(outcome.exit == .code(2))
                    let line = try #require(outcome.output.firstIndex { $0.hasPrefix("problem: ports: json ") })
                    #expect(outcome.output[line + 1].contains("ss -ltunp"))

                    struct Finding: Decodable {
                        var check: String
                        var grade: String
                    }
                    let json = try await run(["doctor", "--json", "--config", file])
                    let text = try #require(json.output.first)
                    let findings = try JSONDecoder().decode([Finding].self, from: Data(text.utf8))
                    #expect(findings.contains { $0.check == "ports" && $0.grade == "problem" })
                    #expect(
                        Set(findings.map(\.check)).isSuperset(of: ["descriptors", "clock", "capabilities", "upnp"]))
                }
            }
        }
    }
}
