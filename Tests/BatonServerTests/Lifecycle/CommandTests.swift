import Foundation
import NIOCore
import RelayTesting
import Testing

extension LifecycleTests {
    /// What is said of a configuration, by the command for that and by the server.
    @Suite struct Commands {
        private static let fiveMistakes = """
            log: {level: loud}
            json:
              listen: "127.0.0.1:0"
              max_frame: enormous
              que_bytes: 1MiB
            netplay: {listen: "nowhere:0"}
            admin: {listen: 17}

            """

        @Test(arguments: [["check-config"], ["serve", "--config"]])
        func allMistakesAreSaidAtOnce(_ command: [String]) async throws {
            try await withDirectory { directory in
                let file = directory.appending(path: "wrong.yaml").path
                try Data(Self.fiveMistakes.utf8).write(to: URL(filePath: file))
                let outcome = try await run(command + [file])
                #expect(outcome.exit == .code(78))
                #expect(outcome.output.isEmpty)
                let lines = outcome.errors.compactMap { line -> Int? in
                    guard line.hasPrefix("\(file):") else { return nil }
                    return line.dropFirst(file.count + 1).split(separator: ":").first.flatMap { Int($0) }
                }
                #expect(lines == [1, 4, 5, 6, 7], "\(outcome.errors)")
                #expect(outcome.errors.count == 5, "\(outcome.errors)")
                #expect(!outcome.errors.contains { $0.contains("listening") })
                #expect(outcome.errors.contains { $0.contains("queue_bytes") }, "the nearest key is named")
            }
        }

        @Test func theExampleHasNoErrors() async throws {
            let file = Fixtures.root.appending(path: "baton.example.yaml")
            try #require(FileManager.default.fileExists(atPath: file.path))
            let outcome = try await run(["check-config", file.path])
            #expect(outcome.exit == .code(0))
            #expect(outcome.output == ["\(file.path): no errors"])
            #expect(outcome.errors.isEmpty)
        }

        @Test func theExampleIsWhatTheCommandPrints() async throws {
            let file = Fixtures.root.appending(path: "baton.example.yaml")
            let example = try String(contentsOf: file, encoding: .utf8)
            let outcome = try await run(["config", "example"])
            #expect(outcome.exit == .code(0))
            let lines = example.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
            #expect(Array(outcome.output.difference(from: lines)).isEmpty)
        }

        @Test func aFileThatIsNotThere() async throws {
            for command in [["check-config"], ["serve", "--config"]] {
                let outcome = try await run(command + ["/nonexistent/baton.yaml"])
                #expect(outcome.exit == .code(78))
                #expect(outcome.errors.count == 1)
                #expect(outcome.errors.first?.hasPrefix("/nonexistent/baton.yaml: ") == true, "\(outcome.errors)")
            }
        }

        @Test(arguments: ["BATON_JSON__LISTENN", "BATON_JSN__LISTEN"])
        func anUnknownVariableOfASectionIsAMistake(_ name: String) async throws {
            try await withServer(everything, environment: [name: "127.0.0.1:0"]) { server in
                let exit = try await server.process.exit()
                #expect(exit == .code(78))
                #expect(server.process.errors.all.count == 1)
                #expect(server.process.errors.all.first?.contains(name) == true, "\(server.process.errors.all)")
            }
        }

        /// Orchestrators set variables such as BATON_PORT for services of that name.
        @Test func anUnrelatedVariableIsAWarning() async throws {
            try await withServer(environment: ["BATON_PORT": "tcp://10.0.0.1:80"]) { server in
                let line = try await server.line("configuration_warning")
                #expect(line.level == "warning" && line.text.contains("BATON_PORT"))
                _ = try await server.address(of: "netplay")
            }
        }
    }
}
