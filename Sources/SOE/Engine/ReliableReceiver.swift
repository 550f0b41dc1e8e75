import DequeModule
public import NIOCore
public import RelayCore

/// The receiving half of a reliable channel: puts packets in order, fragments together, and knows what to acknowledge.
///
/// What arrives in order is acknowledged a moment later, by one AcknowledgeAll for all of it; what arrives ahead, at once
/// and alone. What had arrived before is acknowledged again, always: the last acknowledgement may have been lost.
public struct ReliableReceiver {
    /// What became of a packet.
    public enum Arrival: Sendable {
        /// It is the next one: handle it, then what `popStashed` returns.
        case next
        /// It came too early and is kept.
        case stashed
        /// It had arrived before.
        case repeated
        /// It is so far ahead that it is not kept, and not acknowledged.
        case tooFarAhead
    }

    public struct Statistics: Hashable, Sendable {
        public var packets: UInt64 = 0
        public var bytes: UInt64 = 0
        public var repeated: UInt64 = 0
        /// Packets that came before one they follow.
        public var outOfOrder: UInt64 = 0
        /// Packets dropped because they were too far ahead, or because too much was kept already.
        public var dropped: UInt64 = 0
        public var acknowledgements: UInt64 = 0
    }

    /// The data of a packet that came early.
    public struct Stashed: Sendable {
        public var body: ByteBuffer
        public var isFragment: Bool
    }

    /// How far ahead a packet may be. Peers keep to 196...400.
    static let maxAhead: Int64 = 1024
    /// So many packets in order are acknowledged at once.
    private static let packetsPerAcknowledgement = 8
    /// So many acknowledgements of single packets wait at most.
    private static let maxSingles = 64
    /// Old packets are acknowledged again no more often than this, in nanoseconds.
    private static let repeatInterval: Int64 = 1_000_000

    /// The most bytes kept of packets that came too early.
    private let stashLimit: Int
    /// Whether each packet is acknowledged for itself, and none by AcknowledgeAll.
    private let acknowledgesEach: Bool
    /// How long an acknowledgement may wait for company, in nanoseconds.
    private let maxDelay: Int64

    /// The sequence of the next packet in order.
    private var expected: Int64 = 0
    /// What came too early; the first place is that of the packet after the expected one.
    private var stash = Deque<Stashed?>()
    private var stashedBytes = 0
    private var reassembly = Reassembly()

    /// Sequences to be acknowledged one by one.
    private var singles: [UInt16] = []
    private var unacknowledged = 0
    /// When the AcknowledgeAll must go; `nil` if there is none to send.
    public private(set) var acknowledgementDue: Instant?
    private var lastAcknowledged = Instant(nanoseconds: .min)

    public private(set) var statistics = Statistics()

    public init(stashLimit: Int, acknowledgesEach: Bool, maxDelay: Duration) {
        self.stashLimit = stashLimit
        self.acknowledgesEach = acknowledgesEach
        self.maxDelay = maxDelay.wholeNanoseconds
    }

    /// Bytes of memory kept for what is not complete.
    public var heldBytes: Int { stashedBytes + reassembly.heldBytes }

    /// Gives memory back that is kept for nothing.
    mutating func trim() {
        if stash.isEmpty { stash = Deque() }
    }

    /// Whether a sequence is that of the next packet in order.
    public func expects(_ wire: UInt16) -> Bool { wire == UInt16(truncatingIfNeeded: expected) }

    /// Notes a packet's arrival.
    ///
    /// - Parameter body: what follows the sequence: a part of what was read, which is copied if it must be kept.
    @inline(__always)
    public mutating func receive(
        _ wire: UInt16, body: ByteBuffer, isFragment: Bool, at now: Instant
    ) -> Arrival {
        let sequence = SequenceNumber.widen(wire, near: expected)
        guard sequence == expected else {
            return receiveAstray(sequence, wire, body: body, isFragment: isFragment, at: now)
        }
        statistics.packets &+= 1
        statistics.bytes &+= UInt64(body.readableBytes)
        advance(at: now, wire)
        return .next
    }

    private mutating func receiveAstray(
        _ sequence: Int64, _ wire: UInt16, body: ByteBuffer, isFragment: Bool, at now: Instant
    ) -> Arrival {
        guard sequence > expected else {
            statistics.repeated &+= 1
            if acknowledgesEach {
                acknowledgeSingly(wire)
            } else {
                let due = max(now, lastAcknowledged.after(Self.repeatInterval))
                acknowledgementDue = min(acknowledgementDue ?? due, due)
            }
            return .repeated
        }
        let place = Int(min(sequence - expected - 1, Self.maxAhead))
        if place < stash.count, stash[place] != nil {
            statistics.repeated &+= 1
            acknowledgeSingly(wire)
            return .repeated
        }
        guard place < Int(Self.maxAhead), stashedBytes + body.readableBytes <= stashLimit else {
            statistics.dropped &+= 1
            return .tooFarAhead
        }
        while stash.count <= place { stash.append(nil) }
        // A copy of its own: the slice would keep the whole read in memory.
        var copy = ByteBuffer()
        copy.writeImmutableBuffer(body)
        stash[place] = Stashed(body: copy, isFragment: isFragment)
        stashedBytes += body.readableBytes
        statistics.outOfOrder &+= 1
        acknowledgeSingly(wire)
        return .stashed
    }

    /// The next packet in order, if it came early.
    @inline(__always)
    public mutating func popStashed(at now: Instant) -> Stashed? {
        guard !stash.isEmpty else { return nil }
        return popFirstStashed(at: now)
    }

    /// `stash` begins with the place of the expected packet here: `advance` has removed nothing yet.
    private mutating func popFirstStashed(at now: Instant) -> Stashed? {
        guard let first = stash[0] else {
            stash.removeFirst()
            return nil
        }
        stashedBytes -= first.body.readableBytes
        statistics.packets &+= 1
        statistics.bytes &+= UInt64(first.body.readableBytes)
        stash.removeFirst()
        advance(at: now, UInt16(truncatingIfNeeded: expected))
        // The sender waits for a gap to close.
        if !acknowledgesEach { acknowledgementDue = now }
        return first
    }

    private mutating func advance(at now: Instant, _ wire: UInt16) {
        expected += 1
        if acknowledgesEach {
            acknowledgeSingly(wire)
            return
        }
        unacknowledged += 1
        if unacknowledged >= Self.packetsPerAcknowledgement {
            acknowledgementDue = now
        } else if acknowledgementDue == nil {
            acknowledgementDue = now.after(maxDelay)
        }
    }

    /// Puts a packet's data to what came before, and returns the unit when it is whole.
    public mutating func assemble(_ body: ByteBuffer, isFragment: Bool, limit: Int) throws(ChannelFault) -> ByteBuffer?
    {
        if isFragment { return try reassembly.add(body, limit: limit) }
        if reassembly.isActive { throw .interrupted }
        return body
    }

    // MARK: Acknowledgements

    private mutating func acknowledgeSingly(_ wire: UInt16) {
        // Those that find no room are asked for again.
        guard singles.count < Self.maxSingles else { return }
        singles.append(wire)
    }

    /// Whether something must be acknowledged now.
    public func mustAcknowledge(at now: Instant) -> Bool {
        !singles.isEmpty || (acknowledgementDue.map { $0 <= now } ?? false)
    }

    /// Takes the sequence up to which all has arrived, if that is to be said, now or with the rest that is sent now.
    public mutating func takeAcknowledgeAll(at now: Instant) -> UInt16? {
        guard acknowledgementDue != nil else { return nil }
        acknowledgementDue = nil
        unacknowledged = 0
        lastAcknowledged = now
        statistics.acknowledgements &+= 1
        return UInt16(truncatingIfNeeded: expected - 1)
    }

    /// Takes a sequence that is to be acknowledged alone.
    public mutating func takeSingle() -> UInt16? {
        guard let sequence = singles.popLast() else { return nil }
        statistics.acknowledgements &+= 1
        return sequence
    }
}
