import NIOConcurrencyHelpers

/// Where the server is in its life: running, then draining, then stopping. Only a drain can be taken back.
final class ServerPhase: Sendable {
    enum Phase: Int, Comparable, Sendable {
        case running
        case draining
        case stopping

        static func < (left: Phase, right: Phase) -> Bool { left.rawValue < right.rawValue }
    }

    private let phase = NIOLockedValueBox(Phase.running)
    private let start = ContinuousClock.now

    var current: Phase { phase.withLockedValue { $0 } }

    /// How long the server has been up.
    var uptime: Duration { ContinuousClock.now - start }

    /// Goes on to a later phase.
    func enter(_ next: Phase) {
        phase.withLockedValue { $0 = max($0, next) }
    }

    /// Runs on after a drain.
    func resume() {
        phase.withLockedValue { if $0 == .draining { $0 = .running } }
    }
}
