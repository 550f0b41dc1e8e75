import Logging
import NIOConcurrencyHelpers

/// Reads the configuration again while the server runs, and takes over what can be. A file with an error changes
/// nothing.
final class Reloader: Sendable {
    /// How often reloads went well, and did not.
    struct Results: Sendable {
        var successes: UInt64 = 0
        var failures: UInt64 = 0
    }

    private let state: NIOLockedValueBox<(running: Configuration, results: Results)>
    /// What listeners and the like were made from; it holds until a restart.
    private let start: Configuration
    private let load: Server.ConfigurationLoader
    private let apply: @Sendable (Configuration) async throws -> Void
    private let logger: Logger
    private let supervisor: Supervisor
    private let order = OneAtATime()

    init(
        running: Configuration, load: @escaping Server.ConfigurationLoader, logger: Logger,
        supervisor: Supervisor,
        apply: @escaping @Sendable (Configuration) async throws -> Void
    ) {
        state = NIOLockedValueBox((running, Results()))
        start = running
        self.load = load
        self.apply = apply
        self.logger = logger
        self.supervisor = supervisor
    }

    /// The configuration in force.
    var running: Configuration { state.withLockedValue { $0.running } }

    var results: Results { state.withLockedValue { $0.results } }

    /// Returns the settings that changed and take effect after a restart only. What it throws is logged.
    func reload() async throws -> [String] {
        try await order.run { [self] in try await reloadNow() }
    }

    private func reloadNow() async throws -> [String] {
        supervisor.reloading()
        defer { supervisor.ready() }
        do {
            let configuration = try load()
            try await apply(configuration)
            state.withLockedValue { state in
                state.running = configuration
                state.results.successes += 1
            }
            let waiting = configuration.changesNeedingRestart(from: start)
            logger.notice("configuration reloaded", metadata: ["event": "reloaded"])
            if !waiting.isEmpty {
                logger.warning(
                    "some changes take effect after a restart only",
                    metadata: ["event": "restart_needed", "settings": "\(waiting.joined(separator: " "))"]
                )
            }
            return waiting
        } catch {
            state.withLockedValue { $0.results.failures += 1 }
            logger.error(
                "the configuration was not reloaded, the old one stays in force: \(error)",
                metadata: ["event": "reload_failed"]
            )
            throw error
        }
    }
}
