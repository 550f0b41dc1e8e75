import Foundation
import Testing

extension LifecycleTests {
    /// `baton soe` as programs. That they speak with others is shown by `scripts/interop/soe`.
    @Suite(.timeLimit(.minutes(5)))
    struct SOETools {
        /// The last line of a ping.
        private struct Report: Decodable {
            var ok: Bool
            var sent: Int
            var received: Int
            var bad: Int
            var handshakeSeconds: Double?
            var failure: String?
        }

        /// An echo server for as long as `body` takes; at its end a signal ends it properly.
        private func withEcho(_ options: [String], _ body: (String) async throws -> Void) async throws {
            let server = try ChildProcess(arguments: ["soe", "echo", "--listen", "127.0.0.1:0"] + options)
            defer { server.send(SIGKILL) }
            let line = try await server.output.first("it listens") { $0.hasPrefix("listening protocol=soe address=") }
            try await body(String(line.dropFirst("listening protocol=soe address=".count)))
            server.send(SIGTERM)
            #expect(try await server.exit() == .code(0))
        }

        private func report(_ outcome: Outcome) throws -> Report {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(Report.self, from: Data(try #require(outcome.output.last).utf8))
        }

        @Test(arguments: [
            [], ["--key", "0102030405"], ["--crc", "4", "--compress"], ["--dialect", "udplibrary", "--udp", "1400"],
            ["--dialect", "swg", "--compress"], ["--dialect", "everquest", "--compress"],
        ])
        func everyMessageComesBack(_ options: [String]) async throws {
            try await withEcho(options) { address in
                let words = ["soe", "ping", "--connect", address, "--count", "40", "--sizes", "0,1,300,20000"]
                let outcome = try await run(words + ["--inflight", "4", "--json"] + options)
                let report = try report(outcome)
                #expect(outcome.exit == .code(0) && report.ok, "\(outcome)")
                #expect(report.sent == 40 && report.received == 40 && report.bad == 0)
                #expect(report.handshakeSeconds != nil && report.failure == nil)
            }
        }

        @Test func anotherProtocolIsRefusedAndSaidSo() async throws {
            try await withEcho([]) { address in
                let outcome = try await run([
                    "soe", "ping", "--connect", address, "--protocol", "Another", "--json",
                ])
                let report = try report(outcome)
                #expect(outcome.exit != .code(0) && !report.ok)
                #expect(report.failure == "protocol_mismatch")
            }
        }

        @Test(arguments: [
            ["ping"], ["ping", "--connect", "127.0.0.1:1", "--sizes", "1,x"],
            ["ping", "--connect", "127.0.0.1:1", "--crc", "5"], ["echo", "--dialect", "klingon"],
            ["echo", "--key", "0"],
            ["decode"],
        ])
        func whatCannotBeMeantIsRefused(_ words: [String]) async throws {
            #expect(try await run(["soe"] + words).exit == .code(64))
        }

        @Test func whatIsNoCaptureIsSaidSo() async throws {
            try await withDirectory { directory in
                let file = directory.appending(path: "x.pcap")
                try "no capture".write(to: file, atomically: true, encoding: .utf8)
                let outcome = try await run(["soe", "decode", file.path])
                #expect(outcome.exit == .code(1) && !outcome.errors.isEmpty, "\(outcome)")
            }
        }
    }
}
