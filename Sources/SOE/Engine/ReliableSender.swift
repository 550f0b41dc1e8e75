import DequeModule
public import NIOCore
public import RelayCore

/// The sending half of a reliable channel: puts messages into packets, numbers them, and sends each until it is
/// acknowledged.
///
/// Small messages that wait together travel together. What is lost is known from acknowledgements of packets sent after it
/// (three of them), else from silence.
public struct ReliableSender {
    /// A packet to be sent now.
    public struct Transmission: Sendable {
        public var isFragment: Bool
        public var sequence: UInt16
        /// Where its data is in the store.
        var start: Int
        /// How many bytes of data it has.
        public var count: Int
    }

    /// How many acknowledged transmissions behind it make a packet lost.
    private static let lossThreshold: Int64 = 3

    /// How far the newest packet in flight may be ahead of the oldest: peers drop silently what is further.
    public let maxSpan: Int

    private var queue: UnitQueue
    /// How many units of the queue were sent; the others wait.
    private var sentCount = 0
    /// The sequence of the first unit.
    private var base: Int64 = 0
    private var order: Int64 = 0
    private var highestAcknowledgedOrder: Int64 = -1
    /// Losses among transmissions up to this one have been answered by a smaller window.
    private var recoveryOrder: Int64 = -1
    private var lostCount = 0
    private var acknowledgedCount = 0
    /// How many waiting units may go whatever the windows say, for a receiver that answers only what is new to it.
    private var rescues = 0
    private var backoff = 0
    private var timerStart = Instant.zero
    /// When an acknowledgement last helped, or what waits for one was first sent.
    private(set) var progressAt = Instant.zero
    /// How many messages have been taken and not all acknowledged.
    public private(set) var outstandingMessages = 0

    public private(set) var statistics = Statistics()

    public struct Statistics: Hashable, Sendable {
        public var messages: UInt64 = 0
        public var packetsSent: UInt64 = 0
        /// Of those, the ones that had been sent before.
        public var packetsResent: UInt64 = 0
        public var acknowledgements: UInt64 = 0
        /// Acknowledgements of nothing new.
        public var repeatedAcknowledgements: UInt64 = 0
        /// Acknowledgements of packets that were never sent.
        public var falseAcknowledgements: UInt64 = 0
        /// How often nothing came back in time.
        public var timeouts: UInt64 = 0
        /// Packets sent to make a silent receiver speak.
        public var rescues: UInt64 = 0
    }

    /// - Parameter dataSize: the most bytes of a packet's data.
    public init(dataSize: Int, maxSpan: Int) {
        queue = UnitQueue(dataSize: dataSize)
        self.maxSpan = maxSpan
    }

    /// Bytes that wait or are not acknowledged.
    public var queuedBytes: Int { queue.bytes }
    /// Whether all that was taken is acknowledged.
    public var isIdle: Bool { queue.units.isEmpty }
    /// How many packets wait to be sent for the first time and have no room for one more message.
    public var fullPackets: Int { queue.units.count - sentCount - (queue.hasOpenUnit ? 1 : 0) }
    /// From the oldest packet not acknowledged to the newest sent.
    public var span: Int { sentCount }

    /// Takes a message. There is no bound here: ask `queuedBytes` first.
    ///
    /// - Parameters:
    ///   - escapesLeadingZero: whether a message that begins with 0 gets one 0 more. Encrypted ones always do.
    ///   - cipher: encrypts the message, if given.
    public mutating func enqueue(_ message: ByteBuffer, escapesLeadingZero: Bool, cipher: inout RC4?) {
        statistics.messages &+= 1
        outstandingMessages += 1
        queue.append(message, escapesLeadingZero: escapesLeadingZero, cipher: &cipher)
    }

    /// Gives memory back that is kept for nothing.
    mutating func trim() { queue.trim() }
}

// MARK: Sending

extension ReliableSender {
    /// Whether a packet would go now.
    public func isReady(at now: Instant, over path: SendPath) -> Bool {
        guard lostCount > 0 || sentCount < queue.units.count else { return false }
        if rescues > 0, sentCount < queue.units.count { return true }
        return (lostCount > 0 || sentCount < maxSpan) && path.hasRoom && path.opensAt <= now
    }

    /// When only pacing holds a packet back: until when.
    public func pacedUntil(over path: SendPath) -> Instant? {
        guard path.hasRoom, lostCount > 0 || sentCount < min(queue.units.count, maxSpan) else { return nil }
        return path.opensAt
    }

    /// The next packet to send, lost ones first; `nil` if none may go now.
    public mutating func next(at now: Instant, over path: inout SendPath) -> Transmission? {
        guard isReady(at: now, over: path) else { return nil }
        if lostCount > 0, path.hasRoom, path.opensAt <= now {
            // What is lost is usually the oldest.
            for index in 0..<sentCount where queue.units[index].state == .lost {
                lostCount -= 1
                queue.units[index].isResent = true
                statistics.packetsResent &+= 1
                return transmit(index, at: now, over: &path)
            }
        }
        guard sentCount < queue.units.count else { return nil }
        if rescues > 0 {
            rescues -= 1
            statistics.rescues &+= 1
        }
        if sentCount == queue.units.count - 1 { queue.closeOpenUnit() }
        sentCount += 1
        return transmit(sentCount - 1, at: now, over: &path)
    }

    /// Writes the data of a packet that `next` has returned.
    @inline(__always)
    public func write(_ packet: Transmission, into datagram: inout ByteBuffer) {
        queue.write(packet.start, packet.count, into: &datagram)
    }

    private mutating func transmit(_ index: Int, at now: Instant, over path: inout SendPath) -> Transmission {
        if sentCount - acknowledgedCount - lostCount == 1 {
            // Nothing else is on its way.
            timerStart = now
            if sentCount == 1, !queue.units[index].isResent { progressAt = now }
        }
        queue.units[index].state = .inFlight
        queue.units[index].sentAt = now
        queue.units[index].order = order
        order += 1
        path.sent(at: now)
        statistics.packetsSent &+= 1
        let unit = queue.units[index]
        return Transmission(
            isFragment: unit.isFragment, sequence: UInt16(truncatingIfNeeded: base + Int64(index)), start: unit.start,
            count: Int(unit.count))
    }

    /// When to give up waiting for an acknowledgement; `nil` if nothing is on its way.
    public func timeoutAt(over path: SendPath) -> Instant? {
        guard sentCount > acknowledgedCount + lostCount else { return nil }
        return timerStart.after(path.roundTrip.timeout(backoff: backoff))
    }

    /// Whether something waits for an acknowledgement.
    public var awaitsAcknowledgement: Bool { sentCount > 0 }

    /// Nothing came back in time: everything on its way is taken for lost.
    ///
    /// - Parameter peerMayNotRepeat: whether the peer may acknowledge new packets only. It is then sent one, and if there
    ///   is none, one that says nothing. Peers that repeat themselves need no such thing.
    public mutating func timedOut(at now: Instant, over path: inout SendPath, peerMayNotRepeat: Bool) {
        statistics.timeouts &+= 1
        backoff += 1
        timerStart = now
        for index in 0..<sentCount where queue.units[index].state == .inFlight {
            queue.units[index].state = .lost
            lostCount += 1
            path.gone(1)
        }
        path.collapse()
        recoveryOrder = order - 1
        // A peer takes no sequence half the number space ahead.
        guard backoff >= 2, sentCount < 30_000 else { return }
        if sentCount == queue.units.count, peerMayNotRepeat { queue.appendEmptyUnit() }
        rescues = sentCount < queue.units.count ? 1 : 0
    }
}

// MARK: Acknowledgements

extension ReliableSender {
    /// This packet and all before it have arrived.
    public mutating func acknowledgeAll(_ wire: UInt16, at now: Instant, over path: inout SendPath) {
        let sequence = SequenceNumber.widen(wire, near: base + Int64(sentCount) - 1)
        guard let count = newlyNamed(sequence) else { return }
        var helped = 0
        var newest: UnitQueue.Unit?
        for index in 0..<count where take(index, over: &path) {
            helped += 1
            newest = queue.units[index]
        }
        drop(count)
        acknowledged(helped, newest: newest, at: now, over: &path)
    }

    /// This packet has arrived; those before it may not have.
    public mutating func acknowledge(_ wire: UInt16, at now: Instant, over path: inout SendPath) {
        let sequence = SequenceNumber.widen(wire, near: base + Int64(sentCount) - 1)
        guard let count = newlyNamed(sequence) else { return }
        guard take(count - 1, over: &path) else {
            statistics.repeatedAcknowledgements &+= 1
            return
        }
        let unit = queue.units[count - 1]
        var front = 0
        while front < sentCount, queue.units[front].state == .acknowledged { front += 1 }
        drop(front)
        acknowledged(1, newest: unit, at: now, over: &path)
    }

    /// How many units there are up to the one with this sequence; `nil`, and counted, if it names none of them.
    private mutating func newlyNamed(_ sequence: Int64) -> Int? {
        statistics.acknowledgements &+= 1
        let count = sequence - base + 1
        if count > Int64(sentCount) {
            statistics.falseAcknowledgements &+= 1
            return nil
        }
        if count < 1 {
            statistics.repeatedAcknowledgements &+= 1
            return nil
        }
        return Int(count)
    }

    /// Marks a unit as arrived; false if it was before.
    private mutating func take(_ index: Int, over path: inout SendPath) -> Bool {
        switch queue.units[index].state {
        case .acknowledged: return false
        case .lost:
            // It was not lost, only late.
            lostCount -= 1
            path.late(1)
        case .inFlight, .waiting: break
        }
        queue.units[index].state = .acknowledged
        acknowledgedCount += 1
        return true
    }

    /// Forgets units at the front, all acknowledged.
    private mutating func drop(_ count: Int) {
        guard count > 0 else { return }
        for index in 0..<count { outstandingMessages -= Int(queue.units[index].messages) }
        queue.drop(count)
        sentCount -= count
        acknowledgedCount -= count
        base += Int64(count)
    }

    private mutating func acknowledged(
        _ count: Int, newest: UnitQueue.Unit?, at now: Instant, over path: inout SendPath
    ) {
        guard count > 0, let newest else { return }
        timerStart = now
        progressAt = now
        backoff = 0
        rescues = 0
        path.acknowledged(count, sample: newest.isResent ? nil : now.since(newest.sentAt))
        // An acknowledgement that comes sooner than any answer can is for an earlier transmission.
        guard !newest.isResent || now.since(newest.sentAt) >= path.roundTrip.lowest else { return }
        guard newest.order > highestAcknowledgedOrder else { return }
        highestAcknowledgedOrder = newest.order
        findLosses(over: &path)
    }

    /// Packets that went three transmissions before one that has arrived will not come any more.
    private mutating func findLosses(over path: inout SendPath) {
        guard let first = queue.units.first, sentCount > 0 else { return }
        guard acknowledgedCount > 0 || first.order < highestAcknowledgedOrder else { return }
        var newest: Int64 = -1
        for index in 0..<sentCount where queue.units[index].state == .inFlight {
            guard queue.units[index].order + Self.lossThreshold <= highestAcknowledgedOrder else { continue }
            queue.units[index].state = .lost
            newest = max(newest, queue.units[index].order)
            lostCount += 1
            path.gone(1)
        }
        // One answer for all losses of a round trip.
        guard newest > recoveryOrder else { return }
        recoveryOrder = order - 1
        path.shrink()
    }
}
