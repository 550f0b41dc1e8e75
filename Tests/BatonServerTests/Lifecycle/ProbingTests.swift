import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    /// `baton probe`: against a real server, and against what is none.
    @Suite struct Probing {
        private static let protocols = ["json", "netplay", "lobby", "ldn"]
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
            try await probe(name, host, options)
        }

        private func probe(
            _ name: String, _ host: String, _ options: [String]
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
                let details = ["lobby": ["rooms": "0"], "ldn": ["networks": "0"]]
                #expect(address.details == details[name] ?? [:])
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

        @Test func aGatewayWithAGameAndWithout() async throws {
            let backend = try await GameBackend.start()
            let configuration = "soe: {listen: \"127.0.0.1:0\", backend: \"127.0.0.1:\(backend.port)\"}\n"
            try await withServer(configuration) { server in
                let port = try #require(try await server.address(of: "soe").port)
                try await server.line("backend_connected")
                let host = "127.0.0.1:\(port)"
                let (exit, report) = try await probe("soe", host, "--slow", "60s", "--timeout", "60s", "--count", "3")
                #expect(exit == .code(0))
                #expect(report.addresses.map(\.received) == [3])
                #expect(backend.opened.isEmpty, "the game hears nothing of it")
                try await backend.stop()
                try await server.line("backend_lost")
                let lonely = try await probe("soe", host, "--timeout", "60s")
                #expect(lonely.exit == .code(2) && lonely.report.addresses.map(\.reason) == ["refused"])
            }
            let gone = try await withServer(configuration) { try await $0.address(of: "soe").port ?? 0 }
            let nobody = try await probe("soe", "127.0.0.1:\(gone)", "--timeout", "10s")
            #expect(nobody.exit == .code(2) && nobody.report.addresses.map(\.reason) == ["unreachable"])
        }

        @Test func aLANRelay() async throws {
            try await withDirectory { directory in
                let identity = directory.appending(path: "identity.pem").path
                let section = "lan: {listen: \"127.0.0.1:0\", identity: \"\(identity)\"}\n"
                try await withServer(section + "drain_timeout: 60s\n") { server in
                    let port = try #require(try await server.address(of: "lan").port)
                    let line = try await server.line("lan_identity")
                    let fingerprint = try #require(line.fields["fingerprint"])
                    let patient = ["--slow", "60s", "--timeout", "60s", "--count", "3"]
                    let link = "baton://127.0.0.1:\(port)/party#\(fingerprint)"
                    let (exit, report) = try await probe("lan", link, patient)
                    #expect(exit == .code(0))
                    let address = try #require(report.addresses.first)
                    #expect(address.received == 3 && address.details["answer"] == "welcome")
                    #expect(!server.log.contains { $0.text.contains("room party") }, "nobody there hears of it")

                    let strangers = try await probe("lan", "127.0.0.1:\(port)", patient)
                    #expect(strangers.exit == .code(2))
                    #expect(strangers.report.addresses.map(\.reason) == ["refused"])
                }
                let closed = "lan: {listen: \"127.0.0.1:0\", identity: \"\(identity)\", rooms: [{name: party}]}\n"
                try await withServer(closed) { server in
                    let port = try #require(try await server.address(of: "lan").port)
                    let fingerprint = try #require(try await server.line("lan_identity").fields["fingerprint"])
                    let link = "baton://127.0.0.1:\(port)/party#\(fingerprint)"
                    let (exit, report) = try await probe("lan", link, ["--slow", "60s", "--timeout", "60s"])
                    #expect(exit == .code(0))
                    #expect(["welcome", "unknown_room"].contains(report.addresses.first?.details["answer"]))
                }
                let banned = section + "bans: [{address: 127.0.0.1, reason: 'for the test'}]\n"
                try await withServer(banned) { server in
                    let port = try #require(try await server.address(of: "lan").port)
                    let fingerprint = try #require(try await server.line("lan_identity").fields["fingerprint"])
                    let (exit, report) = try await probe(
                        "lan", "baton://127.0.0.1:\(port)/party#\(fingerprint)", ["--timeout", "60s"])
                    #expect(exit == .code(2) && report.addresses.map(\.reason) == ["refused"])
                    #expect(report.addresses.first?.message.contains("Banned: for the test") == true)
                }
            }
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
