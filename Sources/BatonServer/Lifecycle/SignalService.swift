import Logging
import ServiceLifecycle
import UnixSignals

/// What signals do: TERM drains and then stops, a second TERM or an INT stops at once, HUP reloads.
///
/// The server stops when this service returns.
struct SignalService: Service {
    /// Made before the first listener, so that no signal finds the process unprepared.
    let signals: UnixSignalsSequence
    let relays: [any Relay]
    let phase: ServerPhase
    let reloader: Reloader
    let logger: Logger

    /// How often a drain looks whether the last room has gone.
    private static let drainCheck = Duration.milliseconds(100)

    private enum Step {
        case signal(UnixSignal)
        case drained
    }

    func run() async throws {
        let (steps, later) = AsyncStream.makeStream(of: Step.self)
        try await withThrowingTaskGroup { group in
            group.addTask {
                for await signal in signals.cancelOnGracefulShutdown() { later.yield(.signal(signal)) }
                later.finish()
            }
            loop: for await step in steps {
                switch step {
                case .signal(.sighup):
                    await reloader.reload()
                case .signal(.sigterm) where phase.current == .running:
                    try await beginDrain()
                    group.addTask {
                        try await waitForRooms(until: .now + reloader.running.drainTimeout)
                        later.yield(.drained)
                    }
                case .signal, .drained:
                    break loop
                }
            }
            group.cancelAll()
        }
        phase.enter(.stopping)
        logger.notice("stopping", metadata: ["event": "stopping"])
    }

    private func beginDrain() async throws {
        phase.enter(.draining)
        for relay in relays { try await relay.beginDrain() }
        // Said when it is true: from here on nothing new is let in.
        let timeout = reloader.running.drainTimeout
        logger.notice("draining", metadata: ["event": "draining", "timeout": "\(timeout.settingText)"])
    }

    private func waitForRooms(until deadline: ContinuousClock.Instant) async throws {
        while try await roomCount() > 0, ContinuousClock.now < deadline {
            guard (try? await Task.sleep(for: Self.drainCheck)) != nil else { return }
        }
    }

    private func roomCount() async throws -> Int {
        var count = 0
        for relay in relays { count += try await relay.status().rooms }
        return count
    }
}
