import Logging
import ServiceLifecycle
import UnixSignals

/// What signals do: TERM drains and then stops, a second TERM or an INT stops at once, HUP reloads.
///
/// The server stops when this service returns.
struct SignalService: Service {
    let relays: [any Relay]
    let phase: ServerPhase
    let reloader: Reloader
    let logger: Logger

    /// How often a drain looks whether the last room has gone.
    private static let drainCheck = Duration.milliseconds(100)

    func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        if await firstStop(among: signals) == .sigterm {
            try await drain(unless: signals)
        }
        phase.enter(.stopping)
        logger.notice("stopping", metadata: ["event": "stopping"])
    }

    private func firstStop(among signals: UnixSignalsSequence) async -> UnixSignal? {
        for await signal in signals.cancelOnGracefulShutdown() {
            guard signal == .sighup else { return signal }
            await reloader.reload()
        }
        return nil
    }

    /// Waits for rooms to end, until the deadline or a signal to stop.
    private func drain(unless signals: UnixSignalsSequence) async throws {
        phase.enter(.draining)
        let timeout = reloader.running.drainTimeout
        logger.notice("draining", metadata: ["event": "draining", "timeout": "\(timeout.settingText)"])
        for relay in relays { try await relay.beginDrain() }
        try await withThrowingTaskGroup { group in
            group.addTask { try await waitForRooms(until: .now + timeout) }
            group.addTask { _ = await firstStop(among: signals) }
            try await group.next()
            group.cancelAll()
        }
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
