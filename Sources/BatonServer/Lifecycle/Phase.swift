import NIOConcurrencyHelpers

/// Where the server is in its life: running, then draining, then stopping; never back.
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
}
