import NIOConcurrencyHelpers
import NIOPosix
import RelayCore

/// Asks anew where a relay is, beside the loop: an answer may take seconds.
final class RelayLookup: Sendable {
    private struct State {
        var isAsking = false
        var asked: Instant?
        var found: [Endpoint] = []
    }

    private let state = NIOLockedValueBox(State())
    private let lookUp: @Sendable () -> [Endpoint]

    /// Nobody is asked more often.
    private static let interval = Duration.seconds(2)

    init(_ lookUp: @escaping @Sendable () -> [Endpoint]) {
        self.lookUp = lookUp
    }

    /// Begins to ask, unless somebody is being asked or was a moment ago.
    func begin(at now: Instant) {
        let isDue = state.withLockedValue { state in
            guard !state.isAsking, state.asked.map({ now - $0 >= Self.interval }) ?? true else { return false }
            state.isAsking = true
            state.asked = now
            return true
        }
        guard isDue else { return }
        NIOThreadPool.singleton.submit { [self] _ in
            let found = lookUp()
            state.withLockedValue { state in
                state.isAsking = false
                state.found = found
            }
        }
    }

    /// What was answered since the last time; empty if nothing was, or nothing was found.
    func take() -> [Endpoint] {
        state.withLockedValue { state in
            defer { state.found = [] }
            return state.found
        }
    }
}
