import Subprocess

/// The RetroArch that hosts, as something to run.
struct RetroArchProgram: Sendable {
    /// A name in PATH, or a path.
    let name: String
    /// What it said of itself: `1.14.0`.
    let version: String

    /// Every run goes through `setpriv`: the kernel then kills the program when the server dies, however that comes,
    /// and nothing it runs can gain a privilege. The signal hangs on the thread that started the program, not on the
    /// process; Subprocess starts all of them from one thread that lives as long as the server.
    private static let guardian = Executable.name("setpriv")
    private static let guardianArguments = ["--pdeathsig", "KILL", "--no-new-privs", "--"]

    /// How long a program that was told to end has for its last words.
    static let grace = Duration.seconds(3)
    /// How long it may take to say its version.
    private static let versionTimeout = Duration.seconds(20)

    /// Asks the program for its version, and by that whether it is there. Throws `BatonError` if it is not.
    init(named name: String) async throws {
        let text: String
        do {
            text = try await withThrowingTaskGroup(of: String.self) { group in
                group.addTask {
                    let result = try await Subprocess.run(
                        Self.guardian, arguments: Arguments(Self.guardianArguments + [name, "--version"]),
                        platformOptions: Self.options, output: .string(limit: 64 << 10), error: .combinedWithOutput)
                    return result.standardOutput
                }
                group.addTask {
                    try await Task.sleep(for: Self.versionTimeout)
                    return ""
                }
                defer { group.cancelAll() }
                return try await group.next() ?? ""
            }
        } catch {
            throw BatonError(.unavailable, "netplay.dedicated.retroarch: cannot run '\(name)'", cause: error)
        }
        guard let match = text.firstMatch(of: /v([0-9]+(?:\.[0-9]+)+)/) else {
            throw BatonError(
                .unavailable, "netplay.dedicated.retroarch: '\(name)' is no RetroArch: \(text.prefix(200))")
        }
        self.name = name
        version = String(match.1)
    }

    /// Runs it until it ends; cancelled, it is told to end, and killed if it does not.
    ///
    /// - Parameter receive: gets what it writes, as it comes.
    func run(
        _ arguments: [String], home: String, receive: @escaping @Sendable (UnsafeRawBufferPointer) -> Void
    ) async throws -> TerminationStatus {
        try await Subprocess.run(
            Self.guardian, arguments: Arguments(Self.guardianArguments + [name] + arguments),
            environment: Self.environment(home: home), platformOptions: Self.options, input: .none, output: .sequence,
            error: .combinedWithOutput
        ) { execution in
            for try await buffer in execution.standardOutput {
                buffer.withUnsafeBytes(receive)
            }
        }.terminationStatus
    }

    /// A session of its own keeps a terminal's Ctrl-C from it, which would end the hosts of a server that drains.
    private static var options: PlatformOptions {
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [
            .send(signal: .terminate, toProcessGroup: true, allowedDurationToNextStep: grace)
        ]
        return options
    }

    /// The server's own, without what would lead to a display, and with a home of its own.
    private static func environment(home: String) -> Environment {
        .inherit.updating([
            "HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home, "XDG_DATA_HOME": home,
            "XDG_RUNTIME_DIR": home, "DISPLAY": nil, "WAYLAND_DISPLAY": nil, "DBUS_SESSION_BUS_ADDRESS": nil,
        ])
    }
}
