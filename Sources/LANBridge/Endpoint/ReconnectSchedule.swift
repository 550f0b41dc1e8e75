import RelayCore

/// When to try to reach the relay: soon and often at first, then ever more seldom, never all ends at the same moment.
///
/// Attempts overlap: one that gets no answer does not keep the next one waiting, and the first that is answered wins.
struct ReconnectSchedule {
    private(set) var next: Instant?
    private var count = 0
    /// Attempts of which nothing has been heard.
    private var open = 0
    private var toldOfLoss = false

    private static let quick = Duration.milliseconds(200).wholeNanoseconds
    /// So many quick ones: five seconds.
    private static let quickCount = 25
    private static let slowest = Duration.seconds(5).wholeNanoseconds
    private static let maxOpen = 12

    /// Begins anew, with an attempt at once.
    mutating func restart(at now: Instant) {
        next = now
        count = 0
        toldOfLoss = false
    }

    mutating func stop() {
        next = nil
    }

    /// The next attempt is not before then.
    mutating func hold(until instant: Instant) {
        next = instant
        count = 0
        toldOfLoss = false
    }

    /// An attempt has come to an end, good or bad.
    mutating func answered() {
        open = max(0, open - 1)
    }

    /// Tells of the first failure of a row.
    mutating func tell(_ loss: RelayLoss, into out: inout LANOutbox) {
        guard !toldOfLoss else { return }
        toldOfLoss = true
        out.append(.emit(LANEndpointEvent.lost(loss)))
    }

    mutating func advance(to now: Instant, _ random: inout RandomSource, into out: inout LANOutbox) {
        guard let due = next, due <= now else { return }
        if open < Self.maxOpen {
            open += 1
            count += 1
            out.append(.open)
        }
        next = now.after(delay(&random))
    }

    /// Up to a quarter more or less than planned.
    private func delay(_ random: inout RandomSource) -> Int64 {
        let doublings = min(max(0, count - Self.quickCount), 5)
        let planned = min(Self.quick << Int64(doublings), Self.slowest)
        return planned - planned / 4 + Int64.random(in: 0...planned / 2, using: &random)
    }
}
