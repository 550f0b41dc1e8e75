import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    /// A server that runs, with its configuration in a directory of its own.
    struct RunningServer {
        let process: ChildProcess
        let configuration: URL

        var log: [LogLine] { process.errors.all.compactMap(LogLine.init) }

        /// Waits for a line of the log.
        @discardableResult
        func line(
            _ event: String, within limit: Duration = .seconds(30),
            where condition: @escaping @Sendable (LogLine) -> Bool = { _ in true }
        ) async throws -> LogLine {
            let text = try await process.errors.first("the log says \(event)", within: limit) { text in
                LogLine(text).map { $0.event == event && condition($0) } ?? false
            }
            return try #require(LogLine(text))
        }

        /// Waits until a protocol's listener, the first one if it has several, is there.
        func address(of protocolName: String) async throws -> SocketAddress {
            let line = try await line("listening") { $0.fields["protocol"] == protocolName }
            return try Self.socketAddress(try #require(line.fields["address"]))
        }

        func admin(token: String? = nil) async throws -> Admin {
            Admin(address: try await address(of: "admin"), token: token)
        }

        func rewriteConfiguration(_ text: String) throws {
            try Data(text.utf8).write(to: configuration)
        }

        /// The numbers of its file descriptors.
        func openFiles() throws -> [Int] {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.identifier)/fd").compactMap { Int($0) }
        }

        /// The processor time it has used.
        func processorTime() throws -> Duration {
            let text = try String(contentsOfFile: "/proc/\(process.identifier)/stat", encoding: .utf8)
            let fields = try #require(text.split(separator: ")").last).split(separator: " ")
            let ticks = try #require(Int(fields[11])) + #require(Int(fields[12]))
            return .milliseconds(ticks * 1000 / sysconf(Int32(_SC_CLK_TCK)))
        }

        static func socketAddress(_ text: String) throws -> SocketAddress {
            let match = try #require(text.wholeMatch(of: /\[?([0-9a-f.:]+?)\]?:([0-9]+)/))
            return try SocketAddress(ipAddress: String(match.1), port: try #require(Int(match.2)))
        }
    }

    /// All that tests use, on ports of the system's choice.
    static let everything = """
        json: {listen: "127.0.0.1:0"}
        netplay: {listen: "127.0.0.1:0"}
        admin: {listen: "127.0.0.1:0"}

        """

    /// Runs a server for as long as `body` takes. It is gone afterwards, whatever happened.
    static func withServer<Result>(
        _ configuration: String = everything, command: [String] = ["serve"], arguments: [String] = [],
        environment: [String: String] = [:],
        _ body: (RunningServer) async throws -> Result
    ) async throws -> Result {
        try await withDirectory { directory in
            let file = directory.appending(path: "baton.yaml")
            try Data(configuration.utf8).write(to: file)
            let process = try ChildProcess(
                arguments: command + ["--config", file.path] + arguments, environment: environment)
            let server = RunningServer(process: process, configuration: file)
            do {
                let result = try await body(server)
                process.send(SIGKILL)
                _ = try? await process.exit()
                return result
            } catch {
                process.send(SIGKILL)
                _ = try? await process.exit()
                Issue.record(error, "the server's log:\n\(process.errors.all.suffix(40).joined(separator: "\n"))")
                throw error
            }
        }
    }
}
