import Logging
import ServiceLifecycle
import UnixSignals

/// What signals do: TERM drains and then stops, a second TERM or an INT stops at once, HUP reloads.
///
/// The server stops when this service returns.
struct SignalService: Service {
    /// Made before the first listener, so that no signal finds the process unprepared.
    let signals: UnixSignalsSequence
    let drain: Drain
    let phase: ServerPhase
    let reloader: Reloader
    let logger: Logger

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
            group.addTask {
                for await _ in drain.completions { later.yield(.drained) }
            }
            var wasToldToEnd = false
            loop: for await step in steps {
                switch step {
                case .signal(.sighup):
                    _ = try? await reloader.reload()
                case .signal(.sigterm) where phase.current == .running || !wasToldToEnd:
                    // A drain that was begun over HTTP goes on.
                    wasToldToEnd = true
                    try await drain.begin(timeout: reloader.running.drainTimeout)
                case .drained where phase.current == .running:
                    // It was taken back at the last moment.
                    continue loop
                case .signal, .drained:
                    break loop
                }
            }
            group.cancelAll()
        }
        drain.forget()
        phase.enter(.stopping)
        logger.notice("stopping", metadata: ["event": "stopping"])
    }
}
