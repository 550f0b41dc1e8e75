import Glibc
package import RelayCore
import Subprocess
import SystemPackage
package import UnixSignals

/// A program that joins through a bridge, on behalf of whoever started this process.
package struct BridgedProgram: Sendable {
    /// Signals that end a program. This process must trap them, pass them on, and end with the program.
    package static let signals: [UnixSignal] = [.sigterm, .sigint, .sighup, .sigquit]

    package var program: String
    package var arguments: [String]

    /// - Parameter command: a program and its arguments. `{host}` and `{port}` in the arguments stand for the address
    ///   of the bridge; where neither occurs, what RetroArch wants to hear follows them.
    /// - Returns: `nil` if there is no program in the command.
    package init?(_ command: [String], joining bridge: Endpoint) {
        guard let program = command.first, !program.isEmpty else { return nil }
        self.program = program
        let given = Array(command.dropFirst())
        arguments = given.map { Self.fill($0, with: bridge) }
        if arguments == given { arguments += Self.retroArchArguments(joining: bridge) }
    }

    /// What makes a RetroArch join a host.
    package static func retroArchArguments(joining host: Endpoint) -> [String] {
        ["-C", "\(host.address)", "--port", "\(host.port)"]
    }

    /// Runs the program on this process's own input and outputs, until it ends.
    ///
    /// - Parameter trapped: the signals that come meanwhile.
    /// - Returns: the exit code: the program's, or 128 and the signal that ended it.
    /// - Throws: `BatonError` if there is no such program.
    package func run(passingOn trapped: UnixSignalsSequence) async throws -> Int32 {
        let (started, starting) = AsyncStream.makeStream(of: Started.self)
        return try await withThrowingTaskGroup(of: Int32?.self) { group in
            group.addTask {
                for await program in started {
                    for await signal in trapped where !Self.isSaidByTerminal(signal) {
                        program.send(Subprocess.Signal(rawValue: signal.rawValue))
                    }
                }
                return nil
            }
            group.addTask { try await run { starting.yield($0) } }
            defer { group.cancelAll() }
            while let code = try await group.next() {
                if let code { return code }
            }
            preconditionFailure("the program ends with a code")
        }
    }

    private struct Started: Sendable {
        var send: @Sendable (Subprocess.Signal) -> Void
    }

    private func run(_ onStart: @escaping @Sendable (Started) -> Void) async throws -> Int32 {
        let executable: Executable = program.contains("/") ? .path(FilePath(program)) : .name(program)
        do {
            let result = try await Subprocess.run(
                executable, arguments: Arguments(arguments), input: .currentStandardInput,
                output: .currentStandardOutput, error: .currentStandardError
            ) { execution in
                // It may have ended meanwhile: then there is nobody to tell.
                onStart(Started { try? execution.send(signal: $0) })
            }
            switch result.terminationStatus {
            case .exited(let code): return code
            case .signaled(let signal): return 128 + signal
            }
        } catch let error as SubprocessError {
            throw BatonError(.unavailable, "\(program) cannot be started", cause: error)
        }
    }

    /// The keys of a terminal signal every process in its foreground: the program has heard of it.
    private static func isSaidByTerminal(_ signal: UnixSignal) -> Bool {
        guard signal == .sigint || signal == .sigquit else { return false }
        let terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC)
        guard terminal >= 0 else { return false }
        defer { close(terminal) }
        return tcgetpgrp(terminal) == getpgrp()
    }

    private static func fill(_ argument: String, with bridge: Endpoint) -> String {
        var filled = ""
        var rest = argument[...]
        while let brace = rest.firstIndex(of: "{") {
            filled += rest[..<brace]
            rest = rest[brace...]
            if rest.hasPrefix("{host}") {
                filled += "\(bridge.address)"
                rest = rest.dropFirst("{host}".count)
            } else if rest.hasPrefix("{port}") {
                filled += "\(bridge.port)"
                rest = rest.dropFirst("{port}".count)
            } else {
                filled += "{"
                rest = rest.dropFirst()
            }
        }
        return filled + rest
    }
}
