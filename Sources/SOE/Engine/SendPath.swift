import RelayCore

/// The way to a peer, which its reliable channels share: how long it is and how much it takes.
///
/// The window counts packets, as the peers' own windows do, and answers loss as Reno does, though more gently: wireless
/// links lose packets without being full. Packets are paced so that a wide window is no burst, for a peer's receive buffer
/// may hold two hundred.
public struct SendPath: Sendable {
    static let initialWindow = 16
    /// It never closes further: game traffic is thin, and a link that loses a third must still be of use.
    static let minimumWindow = 8
    static let maximumWindow = 1024
    /// How many packets may go at once.
    static let burst: Int64 = 32

    public private(set) var roundTrip = RoundTrip()
    /// How many packets may be on their way.
    public private(set) var window = SendPath.initialWindow
    /// How many are: sent, and neither acknowledged nor thought lost.
    public private(set) var inFlight = 0
    private var threshold = SendPath.maximumWindow
    /// Acknowledged since the window last grew in slow steps.
    private var credit = 0
    /// When the next packet would go if all went evenly.
    private var evenly = Instant(nanoseconds: .min)

    public init() {}

    var hasRoom: Bool { inFlight < window }

    /// The time between two packets if the window is spread over four fifths of a round trip.
    private var interval: Int64 {
        guard let smoothed = roundTrip.smoothed else { return 0 }
        return smoothed * 4 / Int64(5 * window)
    }

    /// When the next packet may go.
    var opensAt: Instant { evenly.after(-Self.burst * interval) }

    mutating func sent(at now: Instant) {
        inFlight += 1
        evenly = max(evenly, now).after(interval)
    }

    /// - Parameter sample: how long the newest of them took, if it was sent once.
    mutating func acknowledged(_ count: Int, sample: Int64?) {
        // A window that was not used says nothing about the path.
        let wasLimited = inFlight + inFlight / 2 >= window
        inFlight -= count
        if let sample { roundTrip.add(sample) }
        guard wasLimited, window < Self.maximumWindow else { return }
        if window < threshold {
            window = min(window + count, Self.maximumWindow)
        } else {
            credit += count
            while credit >= window {
                credit -= window
                window += 1
            }
        }
    }

    /// A packet is on its way no longer, for it is thought lost, or its session ends.
    mutating func gone(_ count: Int) {
        inFlight -= count
    }

    /// A packet was thought lost and has arrived: it is about to be counted as acknowledged.
    mutating func late(_ count: Int) {
        inFlight += count
    }

    /// Packets of one round trip were lost.
    mutating func shrink() {
        threshold = max(window * 7 / 10, Self.minimumWindow)
        window = threshold
        credit = 0
    }

    /// Nothing came back for so long that all must be lost.
    mutating func collapse() {
        threshold = max(window / 2, Self.minimumWindow)
        window = Self.minimumWindow
        credit = 0
    }
}
