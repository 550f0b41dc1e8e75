import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    /// `baton netplay check`: every answer there can be.
    @Suite struct Checking {
        /// A header: a magic word, four words of no matter here with the protocol in the fourth, and one more.
        private static func header(_ magic: String) -> String {
            magic + String(repeating: "\0", count: 15) + "\u{6}" + String(repeating: "\0", count: 4)
        }

        private struct Report: Decodable {
            struct Address: Decodable {
                var address: String
                var answer: String
                var `protocol`: Int?
                var message: String
            }

            var host: String
            var session: String?
            var reachable: Bool
            var error: String?
            var addresses: [Address]
        }

        private func report(_ arguments: String...) async throws -> (exit: ChildProcess.Exit, report: Report) {
            let outcome = try await run(["netplay", "check", "--json"] + arguments)
            try #require(outcome.output.count == 1)
            return (outcome.exit, try JSONDecoder().decode(Report.self, from: Data(outcome.output[0].utf8)))
        }

        @Test(
            arguments: [
                (header("RANP"), "netplay", 0), (header("FULL"), "full", 0), (header("DENY"), "denied", 1),
                ("HTTP/1.1 400 Bad Request\r\n\r\n", "stranger", 1), ("RAN", "stranger", 1), ("", "hung_up", 1),
            ] as [(String, String, Int32)])
        func answers(_ said: String, _ word: String, _ code: Int32) async throws {
            try await Answerer.with(said) { host in
                let (exit, report) = try await report(host.address)
                #expect(exit == .code(code))
                #expect(report.host == host.address)
                #expect(report.reachable == (code == 0))
                #expect(report.addresses.map(\.address) == [host.address])
                #expect(report.addresses.map(\.answer) == [word])
                #expect(report.addresses.first?.protocol == (word == "netplay" ? 6 : nil))
            }
        }

        @Test func silence() async throws {
            try await Answerer.with("", hangsUp: false) { host in
                let (exit, report) = try await report(host.address)
                #expect(exit == .code(1))
                #expect(report.addresses.map(\.answer) == ["silent"])
            }
        }

        @Test func nobodyThere() async throws {
            let address = try await Answerer.with("") { $0.address }
            let outcome = try await run(["netplay", "check", address])
            #expect(outcome.exit == .code(1))
            #expect(outcome.output == ["\(address): nobody answers: connection refused, nothing listens there"])
        }

        @Test func aNameThatIsNone() async throws {
            let outcome = try await run(["netplay", "check", "nobody.invalid"])
            #expect(outcome.exit == .code(1))
            #expect(outcome.output.count == 1)
            #expect(outcome.output.first?.hasPrefix("no address of nobody.invalid can be found: ") == true)
            let (exit, report) = try await report("nobody.invalid")
            #expect(exit == .code(1) && report.addresses.isEmpty && report.error != nil)
        }

        /// Where a machine has both, `localhost` is two addresses, and one of them answers.
        @Test func everyAddressOfANameIsAsked() async throws {
            try await Answerer.with(Self.header("RANP")) { host in
                let (exit, report) = try await report("localhost:\(host.port)")
                #expect(exit == .code(0) && report.reachable)
                for address in report.addresses {
                    #expect(address.answer == (address.address == host.address ? "netplay" : "unreachable"))
                }
                #expect(report.addresses.contains { $0.address == host.address })
            }
        }

        @Test func aSessionAnswersThroughTheTunnel() async throws {
            try await withServer { server in
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                let session = Data(host.session).base64EncodedString()
                let arguments = ["127.0.0.1:\(host.address.port ?? 0)", "--session", session]
                async let outcome = run(["netplay", "check"] + arguments)
                let link = try await host.link()
                #expect(try await link.read(4) == Array("POKE".utf8))
                link.write(Array(Self.header("RANP").utf8))
                #expect(try await outcome.exit == .code(0))
                #expect(try await outcome.output.first?.contains("can be reached") == true)
                #expect(try await link.readToEnd().readableBytes == 0)

                try await host.close()
                try await eventually("the session has gone") {
                    let after = try await run(["netplay", "check"] + arguments)
                    return after.exit == .code(1)
                        && after.output.first?.contains("the session has ended") == true
                }
            }
        }

        @Test func aHostThatOpensNoLinkIsSilent() async throws {
            try await withServer { server in
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                let outcome = try await run([
                    "netplay", "check", "127.0.0.1:\(host.address.port ?? 0)", "--session",
                    Data(host.session).base64EncodedString(),
                ])
                #expect(outcome.exit == .code(1))
                #expect(outcome.output.first?.hasSuffix("the session's host does not answer") == true)
            }
        }
    }
}
