import Logging
import NIOConcurrencyHelpers
import RelayCore

/// A drain: no new rooms, those there are play on, and when the last one has ended, or time is up, the server stops.
final class Drain: Sendable {
    /// A drain is not under way, so that it cannot be ended.
    struct NotDraining: Error {}

    struct Status: Sendable {
        var phase: ServerPhase.Phase
        var rooms: Int
        var deadline: Timestamp?
    }

    /// Says when a drain has come to its end.
    let completions: AsyncStream<Void>
    private let completed: AsyncStream<Void>.Continuation
    private let relays: [any Relay]
    private let phase: ServerPhase
    private let logger: Logger
    private let order = OneAtATime()
    private let underWay = NIOLockedValueBox<(deadline: Timestamp, waiting: Task<Void, Never>)?>(nil)

    /// How often it is looked whether the last room has gone.
    private static let interval = Duration.milliseconds(100)

    init(relays: [any Relay], phase: ServerPhase, logger: Logger) {
        self.relays = relays
        self.phase = phase
        self.logger = logger
        (completions, completed) = AsyncStream.makeStream()
    }

    /// Begins a drain, unless one is under way.
    func begin(timeout: Duration) async throws {
        try await order.run { [self] in
            guard phase.current == .running else { return }
            phase.enter(.draining)
            logger.notice("draining", metadata: ["event": "draining", "timeout": "\(timeout.settingText)"])
            for relay in relays where relay.isList { try await relay.beginDrain() }
            for relay in relays where !relay.isList { try await relay.beginDrain() }
            let deadline = ContinuousClock.now + timeout
            let waiting = Task { [self] in
                do {
                    try await waitForRooms(until: deadline)
                } catch is CancellationError {
                    return
                } catch {
                    // A relay that cannot be asked is nothing to wait for.
                }
                completed.yield()
            }
            let date = Timestamp(seconds: Timestamp.now().seconds + timeout.components.seconds)
            underWay.withLockedValue { $0 = (date, waiting) }
        }
    }

    /// Ends a drain that is under way: rooms are taken again. Throws `NotDraining`.
    func end() async throws {
        try await order.run { [self] in
            guard phase.current == .draining else { throw NotDraining() }
            forget()
            for relay in relays { try await relay.endDrain() }
            phase.resume()
            logger.notice("the drain was ended", metadata: ["event": "drain_ended"])
        }
    }

    /// Waits for rooms no more.
    func forget() {
        let waiting = underWay.withLockedValue { underWay in
            defer { underWay = nil }
            return underWay?.waiting
        }
        waiting?.cancel()
    }

    func status() async throws -> Status {
        let deadline = underWay.withLockedValue { $0?.deadline }
        return Status(phase: phase.current, rooms: try await roomCount(), deadline: deadline)
    }

    private func waitForRooms(until deadline: ContinuousClock.Instant) async throws {
        while try await roomCount() > 0, ContinuousClock.now < deadline {
            try await Task.sleep(for: Self.interval)
        }
        try Task.checkCancellation()
    }

    private func roomCount() async throws -> Int {
        var count = 0
        for relay in relays { count += try await relay.status().rooms }
        return count
    }
}
