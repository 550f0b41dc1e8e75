import DequeModule
public import NIOCore

/// The sending half of a reliable channel: puts messages into units, numbers them, and sends each until it is
/// acknowledged.
///
/// A unit is the body of one packet: a message, several of them as a bundle, or a fragment. Small messages that wait
/// together travel together. What is lost is known from acknowledgements of packets sent after it (three of them), else
/// from silence.
public struct ReliableSender {
    struct Unit {
        enum State: UInt8 { case waiting, inFlight, lost, acknowledged }

        /// Where its bytes are in the store.
        var start: Int
        var count: Int32
        /// How many messages end in it.
        var messages: UInt16
        var isFragment: Bool
        var state = State.waiting
        /// Whether it went more than once: then nobody knows which time an acknowledgement is for.
        var isResent = false
        var sentAt: Int64 = 0
        /// Counts transmissions of the channel: its own is the last one's number.
        var order: Int64 = 0
    }

    /// A packet to be sent now.
    struct Transmission {
        var isFragment: Bool
        var sequence: UInt16
        var start: Int
        var count: Int
    }

    /// How many acknowledged transmissions behind it make a packet lost.
    private static let lossThreshold: Int64 = 3

    /// The most bytes of a unit.
    public let dataSize: Int
    /// How far the newest packet in flight may be ahead of the oldest: peers drop silently what is further.
    public let maxSpan: Int

    var store = UnitStore()
    /// From the oldest not acknowledged: first `sentCount` units that were sent, then those that wait.
    private var units = Deque<Unit>()
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
    private var timerStart: Int64 = 0
    /// When an acknowledgement last helped, or what waits for one was first sent.
    private(set) var progressAt: Int64 = 0
    /// How many messages the last waiting unit holds, if more may join it; else 0.
    private var openMessages = 0
    /// The bytes in front of an open unit's first message, which only a bundle needs; 0 if it must be one.
    private var openPrefix = 0
    /// How many messages have been taken and not all acknowledged.
    private(set) var outstandingMessages = 0

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

    public init(dataSize: Int, maxSpan: Int) {
        self.dataSize = dataSize
        self.maxSpan = maxSpan
    }

    /// Bytes that wait or are not acknowledged.
    public var queuedBytes: Int { store.count }
    /// Whether all that was taken is acknowledged.
    public var isIdle: Bool { units.isEmpty }
    /// How many packets wait to be sent for the first time.
    public var waitingPackets: Int { units.count - sentCount }
    /// From the oldest packet not acknowledged to the newest sent.
    public var span: Int { sentCount }

    /// Gives memory back that is kept for nothing.
    mutating func trim() {
        guard units.isEmpty else { return }
        store.trim(keeping: 1024)
        units = Deque()
    }
}

// MARK: Messages into units

extension ReliableSender {
    /// Takes a message. There is no bound here: ask `queuedBytes` first.
    ///
    /// - Parameters:
    ///   - escapesLeadingZero: whether a message that begins with 0 gets one 0 more. Encrypted ones always do.
    ///   - cipher: encrypts the message, if given.
    public mutating func enqueue(_ message: ByteBuffer, escapesLeadingZero: Bool, cipher: inout RC4?) {
        statistics.messages &+= 1
        outstandingMessages += 1
        var rest = message
        let encrypted = cipher == nil ? nil : rest.readInteger(as: UInt8.self).flatMap { cipher?.apply(to: $0) }
        let begin = encrypted ?? message.getInteger(at: message.readerIndex, as: UInt8.self)
        let isEscaped = begin == 0 && (encrypted != nil || escapesLeadingZero)
        let length = message.readableBytes + (isEscaped ? 1 : 0)
        // What would be read as a bundle must be one, and nothing at all cannot be a unit.
        let mustBundle =
            begin == nil
            || begin == 0 && !isEscaped
                && message.getInteger(at: message.readerIndex, as: UInt16.self) == DataBundleReader.mark

        let begun = beginMessage(length: length, mustBundle: mustBundle)
        if isEscaped { store.append(UInt8(0)) }
        if let encrypted { store.append(encrypted) }
        let start = store.end
        store.append(rest)
        if encrypted != nil { store.encrypt(from: start, with: &cipher) }
        endMessage(begun)
    }

    /// Takes a unit that says nothing: the length of its only message is cut off.
    private mutating func enqueueEmptyUnit() {
        closeOpenUnit()
        store.reserve(3)
        units.append(Unit(start: store.end, count: 3, messages: 0, isFragment: false))
        store.append(DataBundleReader.mark)
        store.append(UInt8.max)
    }

    /// The most bytes of a bundle; some peers leave so much free.
    private var bundleLimit: Int { dataSize - 5 }

    /// What a message is appended to.
    private enum Begun {
        case openUnit(start: Int)
        /// A unit of its own that may grow, and how much of its beginning only a bundle needs.
        case growing(start: Int, prefix: Int)
        case alone(start: Int)
    }

    /// Appends what precedes a message.
    private mutating func beginMessage(length: Int, mustBundle: Bool) -> Begun {
        let lengthSize = VariableLength.dataBundle.size(of: length)
        store.reserve(length + lengthSize + 8)
        let start = store.end
        if openMessages > 0, let last = units.last, Int(last.count) + lengthSize + length <= bundleLimit {
            store.append(length, as: .dataBundle)
            return .openUnit(start: start)
        }
        closeOpenUnit()
        let prefix = 2 + lengthSize
        let grows = prefix + length <= bundleLimit
        let total = length + (grows || mustBundle ? prefix : 0)
        if total > dataSize { store.append(UInt32(total)) }
        if grows || mustBundle {
            store.append(DataBundleReader.mark)
            store.append(length, as: .dataBundle)
        }
        return grows ? .growing(start: start, prefix: mustBundle ? 0 : prefix) : .alone(start: start)
    }

    private mutating func endMessage(_ begun: Begun) {
        switch begun {
        case .openUnit(let start):
            units[units.count - 1].count += Int32(store.end - start)
            units[units.count - 1].messages += 1
            openMessages += 1
        case .growing(let start, let prefix):
            units.append(Unit(start: start, count: Int32(store.end - start), messages: 1, isFragment: false))
            openMessages = 1
            openPrefix = prefix
        case .alone(var start):
            let isFragment = store.end - start > dataSize
            while start < store.end {
                let count = min(dataSize, store.end - start)
                let messages: UInt16 = start + count == store.end ? 1 : 0
                units.append(Unit(start: start, count: Int32(count), messages: messages, isFragment: isFragment))
                start += count
            }
        }
    }

    /// From now on nothing joins the last unit. A message that stayed alone needs nothing in front of it.
    private mutating func closeOpenUnit() {
        if openMessages == 1, openPrefix > 0 {
            units[units.count - 1].start += openPrefix
            units[units.count - 1].count -= Int32(openPrefix)
        }
        openMessages = 0
    }
}

// MARK: Sending

extension ReliableSender {
    /// Whether a packet would go now.
    func isReady(at now: Int64, over path: SendPath) -> Bool {
        guard lostCount > 0 || sentCount < units.count else { return false }
        if rescues > 0, sentCount < units.count { return true }
        return (lostCount > 0 || sentCount < maxSpan) && path.hasRoom && path.opensAt <= now
    }

    /// When only pacing holds a packet back: until when.
    func pacedUntil(over path: SendPath) -> Int64? {
        guard path.hasRoom, lostCount > 0 || sentCount < min(units.count, maxSpan) else { return nil }
        return path.opensAt
    }

    /// The next packet to send, lost ones first; `nil` if none may go now.
    mutating func next(at now: Int64, over path: inout SendPath) -> Transmission? {
        guard isReady(at: now, over: path) else { return nil }
        if lostCount > 0, path.hasRoom, path.opensAt <= now {
            // What is lost is usually the oldest.
            for index in 0..<sentCount where units[index].state == .lost {
                lostCount -= 1
                units[index].isResent = true
                statistics.packetsResent &+= 1
                return transmit(index, at: now, over: &path)
            }
        }
        guard sentCount < units.count else { return nil }
        if rescues > 0 {
            rescues -= 1
            statistics.rescues &+= 1
        }
        if sentCount == units.count - 1 { closeOpenUnit() }
        sentCount += 1
        return transmit(sentCount - 1, at: now, over: &path)
    }

    private mutating func transmit(_ index: Int, at now: Int64, over path: inout SendPath) -> Transmission {
        if sentCount - acknowledgedCount - lostCount == 1 {
            // Nothing else is on its way.
            timerStart = now
            if sentCount == 1, !units[index].isResent { progressAt = now }
        }
        units[index].state = .inFlight
        units[index].sentAt = now
        units[index].order = order
        order += 1
        path.sent(at: now)
        statistics.packetsSent &+= 1
        let unit = units[index]
        return Transmission(
            isFragment: unit.isFragment, sequence: UInt16(truncatingIfNeeded: base + Int64(index)), start: unit.start,
            count: Int(unit.count))
    }

    /// When to give up waiting for an acknowledgement; `nil` if nothing is on its way.
    func timeoutAt(over path: SendPath) -> Int64? {
        guard sentCount > acknowledgedCount + lostCount else { return nil }
        return timerStart + path.roundTrip.timeout(backoff: backoff)
    }

    /// Whether something waits for an acknowledgement.
    var awaitsAcknowledgement: Bool { sentCount > 0 }

    /// Nothing came back in time: everything on its way is taken for lost.
    ///
    /// - Parameter peerMayNotRepeat: whether the peer may acknowledge new packets only. It is then sent one, and if there
    ///   is none, one that says nothing. Peers that repeat themselves need no such thing.
    mutating func timedOut(at now: Int64, over path: inout SendPath, peerMayNotRepeat: Bool) {
        statistics.timeouts &+= 1
        backoff += 1
        timerStart = now
        for index in 0..<sentCount where units[index].state == .inFlight {
            units[index].state = .lost
            lostCount += 1
            path.gone(1)
        }
        path.collapse()
        recoveryOrder = order - 1
        // A peer takes no sequence half the number space ahead.
        guard backoff >= 2, sentCount < 30_000 else { return }
        if sentCount == units.count, peerMayNotRepeat { enqueueEmptyUnit() }
        rescues = sentCount < units.count ? 1 : 0
    }
}

// MARK: Acknowledgements

extension ReliableSender {
    /// This packet and all before it have arrived.
    mutating func acknowledgeAll(_ wire: UInt16, at now: Int64, over path: inout SendPath) {
        let sequence = SequenceNumber.widen(wire, near: base + Int64(sentCount) - 1)
        guard let count = newlyNamed(sequence) else { return }
        var helped = 0
        var newest: Unit?
        for index in 0..<count where take(index, over: &path) {
            helped += 1
            newest = units[index]
        }
        drop(count)
        acknowledged(helped, newest: newest, at: now, over: &path)
    }

    /// This packet has arrived; those before it may not have.
    mutating func acknowledge(_ wire: UInt16, at now: Int64, over path: inout SendPath) {
        let sequence = SequenceNumber.widen(wire, near: base + Int64(sentCount) - 1)
        guard let count = newlyNamed(sequence) else { return }
        guard take(count - 1, over: &path) else {
            statistics.repeatedAcknowledgements &+= 1
            return
        }
        let unit = units[count - 1]
        var front = 0
        while front < sentCount, units[front].state == .acknowledged { front += 1 }
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
        switch units[index].state {
        case .acknowledged: return false
        case .lost:
            // It was not lost, only late.
            lostCount -= 1
            path.late(1)
        case .inFlight, .waiting: break
        }
        units[index].state = .acknowledged
        acknowledgedCount += 1
        return true
    }

    /// Forgets units at the front, all acknowledged.
    private mutating func drop(_ count: Int) {
        guard count > 0 else { return }
        for index in 0..<count { outstandingMessages -= Int(units[index].messages) }
        units.removeFirst(count)
        sentCount -= count
        acknowledgedCount -= count
        base += Int64(count)
        store.release(upTo: units.first?.start ?? store.end)
    }

    private mutating func acknowledged(_ count: Int, newest: Unit?, at now: Int64, over path: inout SendPath) {
        guard count > 0, let newest else { return }
        timerStart = now
        progressAt = now
        backoff = 0
        rescues = 0
        path.acknowledged(count, sample: newest.isResent ? nil : now - newest.sentAt)
        // An acknowledgement that comes sooner than any answer can is for an earlier transmission.
        guard !newest.isResent || now - newest.sentAt >= path.roundTrip.lowest else { return }
        guard newest.order > highestAcknowledgedOrder else { return }
        highestAcknowledgedOrder = newest.order
        findLosses(over: &path)
    }

    /// Packets that went three transmissions before one that has arrived will not come any more.
    private mutating func findLosses(over path: inout SendPath) {
        guard let first = units.first, sentCount > 0 else { return }
        guard acknowledgedCount > 0 || first.order < highestAcknowledgedOrder else { return }
        var newest: Int64 = -1
        for index in 0..<sentCount where units[index].state == .inFlight {
            guard units[index].order + Self.lossThreshold <= highestAcknowledgedOrder else { continue }
            units[index].state = .lost
            newest = max(newest, units[index].order)
            lostCount += 1
            path.gone(1)
        }
        // One answer for all losses of a round trip.
        guard newest > recoveryOrder else { return }
        recoveryOrder = order - 1
        path.shrink()
    }
}
