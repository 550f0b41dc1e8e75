import DequeModule
import RelayCore

/// Requests that were answered and whose client has not spoken since: all that is kept for a stranger. When there are too
/// many, as when somebody forges them, the oldest give way: a true client speaks within a round trip.
struct PendingRequests {
    struct Pending {
        var request: SessionRequest
        var response: SessionResponse
        var coding: PacketCoding
        /// `nil` where they are the engine's own.
        var parameters: SharedParameters?
        var expiresAt: Instant
    }

    /// Parameters of one session, kept apart because few have their own.
    final class SharedParameters {
        let parameters: SOEParameters
        init(_ parameters: SOEParameters) { self.parameters = parameters }
    }

    private struct Turn {
        var endpoint: Endpoint
        var expiresAt: Instant
        var sessionID: UInt32
    }

    private var requests: [Endpoint: Pending] = [:]
    /// In the order they came; some are gone already.
    private var turns = Deque<Turn>()
    /// How many have given way.
    private(set) var evicted: UInt64 = 0

    var count: Int { requests.count }
    var nextExpiry: Instant? { turns.first?.expiresAt }

    subscript(endpoint: Endpoint) -> Pending? { requests[endpoint] }

    mutating func add(_ pending: Pending, from endpoint: Endpoint, limit: Int) {
        while requests.count >= max(limit, 1), let oldest = turns.popFirst() {
            if forget(oldest) { evicted &+= 1 }
        }
        requests[endpoint] = pending
        turns.append(
            Turn(endpoint: endpoint, expiresAt: pending.expiresAt, sessionID: pending.request.sessionID))
        // Those that were taken leave their turn behind.
        if turns.count > 2 * max(limit, 1) { turns = Deque(turns.filter(isCurrent)) }
    }

    mutating func take(_ endpoint: Endpoint) -> Pending? {
        defer { if requests.isEmpty { turns.removeAll() } }
        return requests.removeValue(forKey: endpoint)
    }

    mutating func expire(at now: Instant) {
        while let oldest = turns.first, oldest.expiresAt <= now {
            turns.removeFirst()
            _ = forget(oldest)
        }
    }

    private mutating func forget(_ turn: Turn) -> Bool {
        guard isCurrent(turn) else { return false }
        requests[turn.endpoint] = nil
        return true
    }

    private func isCurrent(_ turn: Turn) -> Bool {
        guard let pending = requests[turn.endpoint] else { return false }
        return pending.request.sessionID == turn.sessionID && pending.expiresAt == turn.expiresAt
    }
}
