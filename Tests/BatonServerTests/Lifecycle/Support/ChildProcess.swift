import Foundation
import Testing

extension LifecycleTests {
    /// A process of the real executable, and what it writes, line by line.
    final class ChildProcess: Sendable {
        enum Exit: Equatable {
            case code(Int32)
            case signal(Int32)
        }

        let output = History<String>()
        let errors = History<String>()
        private let exits = History<Exit>()
        private let process: Process

        /// The products of the package are beside its tests.
        static let baton = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "baton")

        /// What the program must know when the tests run under a sanitizer.
        private static let sanitizing = ProcessInfo.processInfo.environment.filter { $0.key == "TSAN_OPTIONS" }

        init(
            _ executable: URL = ChildProcess.baton, arguments: [String], environment: [String: String] = [:],
            directory: URL? = nil
        ) throws {
            let process = Process()
            process.executableURL = executable
            process.arguments = arguments
            process.environment = environment.merging(Self.sanitizing) { own, _ in own }
            if let directory { process.currentDirectoryURL = directory }
            process.terminationHandler = { [exits] process in
                let status = process.terminationStatus
                exits.append(process.terminationReason == .exit ? .code(status) : .signal(status))
                exits.finish()
            }
            let (output, errors) = (try LinePipe(into: output), try LinePipe(into: errors))
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = output.writingEnd
            process.standardError = errors.writingEnd
            self.process = process
            try process.run()
            // With these closed, the pipes end when the child does.
            try output.writingEnd.close()
            try errors.writingEnd.close()
        }

        var identifier: Int32 { process.processIdentifier }

        var isRunning: Bool { exits.all.isEmpty }

        /// What the kernel says of its memory.
        func residentBytes() throws -> Int {
            let status = try String(contentsOfFile: "/proc/\(identifier)/status", encoding: .utf8)
            let match = try #require(status.firstMatch(of: /VmRSS:\s*([0-9]+) kB/))
            return try #require(Int(match.1)) * 1024
        }

        func send(_ signal: Int32) {
            if isRunning { kill(identifier, signal) }
        }

        /// How it ended, once all it wrote is here.
        func exit(within limit: Duration = .seconds(30)) async throws -> Exit {
            let exit = try await exits.first("the process ends", within: limit) { _ in true }
            _ = try await output.complete("the end of standard output")
            _ = try await errors.complete("the end of standard error")
            return exit
        }
    }

    /// A directory of a test's own.
    static func withDirectory<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
        let directory = FileManager.default.temporaryDirectory.appending(path: "baton-lifecycle-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        return try await body(directory)
    }

    /// What a command that ends by itself wrote, and its exit code.
    struct Outcome {
        var exit: ChildProcess.Exit
        var output: [String]
        var errors: [String]
    }

    /// Runs a command to its end.
    static func run(
        _ arguments: [String], executable: URL = ChildProcess.baton, environment: [String: String] = [:],
        directory: URL? = nil
    ) async throws -> Outcome {
        let child = try ChildProcess(
            executable, arguments: arguments, environment: environment, directory: directory)
        defer { child.send(SIGKILL) }
        let exit = try await child.exit()
        return Outcome(exit: exit, output: child.output.all, errors: child.errors.all)
    }
}
