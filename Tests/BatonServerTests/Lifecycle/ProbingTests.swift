import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    /// `baton probe`: against a real server, and against what is none.
    @Suite struct Probing {
        private static let protocols = ["json", "netplay", "lobby"]
        private static let configuration = protocols.map { "\($0): {listen: \"127.0.0.1:0\"}\n" }.joined()

        private struct Report: Decodable {
            struct Address: Decodable {
                var address: String
                var verdict: String
                var reason: String
                var message: String
                var sent: Int
                var received: Int
                var details: [String: String]
            }

            var `protocol`: String
            var verdict: String
            var reason: String?
            var addresses: [Address]
        }

        private func probe(
            _ name: String, _ host: String, _ options: String...
        ) async throws -> (exit: ChildProcess.Exit, report: Report) {
            let outcome = try await run(["probe", name, host, "--json", "--interval", "0"] + options)
            try #require(outcome.output.count == 1, "\(outcome.errors)")
            let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output[0].utf8))
            #expect(report.protocol == name)
            return (outcome.exit, report)
        }

        /// A machine that is busy is not slow in the sense of the test.
        private static let patient = ["--slow", "60s", "--timeout", "60s"]

        @Test(arguments: protocols)
        func aServerThatWorks(_ name: String) async throws {
            try await withServer(Self.configuration) { server in
                let port = try #require(try await server.address(of: name).port)
                let arguments = ["probe", name, "127.0.0.1:\(port)", "--json", "--count", "3", "--interval", "0"]
                let outcome = try await run(arguments + Self.patient)
                #expect(outcome.exit == .code(0), "\(outcome.output)")
                let report = try JSONDecoder().decode(Report.self, from: Data(try #require(outcome.output.first).utf8))
                #expect(report.verdict == "ok")
                let address = try #require(report.addresses.first)
                #expect((address.sent, address.received, address.reason) == (3, 3, "answers"))
                #expect(address.details == (name == "lobby" ? ["rooms": "0"] : [:]))
                // It leaves nothing behind, and is no fault in the server's eyes.
                #expect(!server.log.contains { $0.level == "error" || $0.level == "warning" })
            }
        }

        @Test func aSlowServerIsAWarning() async throws {
            try await withServer(Self.configuration) { server in
                let port = try #require(try await server.address(of: "json").port)
                let (exit, report) = try await probe("json", "127.0.0.1:\(port)", "--slow", "0", "--timeout", "60s")
                #expect(exit == .code(1) && report.verdict == "degraded")
                #expect(report.addresses.map(\.reason) == ["slow"])
            }
        }

        @Test func whoIsBannedIsTold() async throws {
            let bans = "bans: [{address: 127.0.0.1}]\n"
            try await withServer(Self.configuration + bans) { server in
                let port = try #require(try await server.address(of: "json").port)
                let (exit, report) = try await probe("json", "127.0.0.1:\(port)", "--timeout", "60s")
                #expect(exit == .code(2))
                #expect(report.addresses.map(\.reason) == ["refused"])
                #expect(report.addresses.map(\.message) == ["the relay refuses: Banned"])
            }
        }

        /// Each protocol's probe at something that speaks another one.
        @Test(arguments: protocols)
        func aStranger(_ name: String) async throws {
            try await Answerer.with("220 mail.example.org ESMTP ready to serve\r\n") { host in
                let (exit, report) = try await probe(name, host.address, "--timeout", "60s")
                #expect(exit == .code(2) && report.verdict == "failed")
                #expect(report.addresses.map(\.reason) == ["stranger"])
            }
        }

        @Test(arguments: protocols)
        func silence(_ name: String) async throws {
            try await Answerer.with("", hangsUp: false) { host in
                let (exit, report) = try await probe(name, host.address, "--timeout", "100ms")
                #expect(exit == .code(2))
                #expect(report.addresses.map(\.reason) == ["silent"])
            }
        }

        @Test(arguments: protocols)
        func anEndWithoutAWord(_ name: String) async throws {
            try await Answerer.with("") { host in
                let (exit, report) = try await probe(name, host.address, "--timeout", "60s")
                #expect(exit == .code(2))
                #expect(report.addresses.map(\.reason) == ["hung_up"])
            }
        }

        @Test(arguments: protocols)
        func nobodyThere(_ name: String) async throws {
            let address = try await Answerer.with("") { $0.address }
            let (exit, report) = try await probe(name, address, "--timeout", "60s")
            #expect(exit == .code(2))
            #expect(report.addresses.map(\.reason) == ["unreachable"])
        }

        @Test func aNameThatIsNone() async throws {
            let (exit, report) = try await probe("json", "nobody.invalid")
            #expect(exit == .code(2) && report.reason == "not_found" && report.addresses.isEmpty)
        }

        @Test(arguments: [["json", "a b"], ["netplay", "host:99999"], ["lobby", "h", "--count", "0"], ["json"]])
        func aWrongCommandLine(_ arguments: [String]) async throws {
            #expect(try await run(["probe"] + arguments).exit == .code(64))
        }
    }
}
