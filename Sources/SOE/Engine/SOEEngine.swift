public import NIOCore
public import RelayCore

/// All sessions of one UDP port, on both sides: it asks others for sessions and is asked.
///
/// Each input may append to the outbox. Call `advance` at the end of each turn of input, and when `nextDeadline` comes,
/// until that is later than now: it does what is due, a bounded piece at a time, and sends what the turn has made ready.
///
/// A stranger's request costs a few bytes that give way to the next one's. A session is made when the client's first
/// packet proves that it has read the answer.
public struct SOEEngine: DatagramEngine {
    /// What a server says to a request.
    public enum Acceptance: Sendable {
        case accept
        /// Accept, but not with the engine's own parameters.
        case acceptWith(SOEParameters)
        case refuse(DisconnectReason)
        /// Say nothing.
        case ignore
    }

    /// Why there is no session to an address.
    public enum ConnectFailure: Error, Sendable {
        /// There is one already.
        case addressInUse
        case tooManySessions
    }

    /// What becomes of a request, for one that the engine's own bounds would allow; without it, requests for the
    /// configured protocol are accepted. It may be asked again about a request that is repeated.
    public var acceptance: ((SessionRequest, Endpoint) -> Acceptance)?

    /// While true, reliable messages stay with their senders, unacknowledged, until there is room for them; unreliable
    /// ones are dropped, and nobody gets a new session. For an application that cannot take more. Sessions live on, but
    /// no longer than their peers' patience: a minute or so.
    public var holdsMessages = false

    var configuration: SOEConfiguration
    var random: RandomSource
    let zlib = ZlibCodec()
    var table = PeerTable<Slot>()
    var slots: [Endpoint: Slot] = [:]
    /// The last sender, for datagrams come in runs.
    private var recent: Slot?
    var pending = PendingRequests()
    var remapKeys: [RemapKey: Slot] = [:]
    var admission: Admission
    var strangerReplies: TokenBucket
    var isDraining = false
    /// Bytes held by all sessions for messages that are not complete.
    var heldBytes = 0
    /// Sessions that had input since they were last advanced.
    private var turn: [Slot] = []
    private var deadlines = DeadlineHeap()
    public internal(set) var statistics = Statistics()
    /// What sessions had counted that are gone.
    private var goneStatistics = SOEStatistics()

    /// What an engine has counted, beside its sessions.
    public struct Statistics: Sendable {
        public var datagramsReceived: UInt64 = 0
        public var requests: UInt64 = 0
        public var opened: UInt64 = 0
        public var remapped: UInt64 = 0
        /// Datagrams of nobody known, or that nobody could understand.
        public var strangers: UInt64 = 0
        /// Requests that gave way to newer ones.
        public var requestsEvicted: UInt64 = 0
        /// Sessions that ended, by the word of the reason.
        public var closed = Tally()
        /// Requests refused, by the word of the reason.
        public var refused = Tally()
    }

    /// A session where it stays, and what the engine notes of it.
    final class Slot {
        var session: SOESession
        var isInTurn = false
        /// When the heap calls it: not after its next deadline.
        var scheduledAt = Instant.never
        /// Whether `admission` counted it.
        let isAdmitted: Bool
        var heldBytes = 0
        var isClosed = false

        init(session: SOESession, isAdmitted: Bool) {
            self.session = session
            self.isAdmitted = isAdmitted
        }
    }

    /// What somebody must know to move a session to another port of the same address.
    struct RemapKey: Hashable {
        var address: IPAddress
        var sessionID: UInt32
        var crcSeed: UInt32
    }

    /// `advance` goes on when so many bytes have been drained.
    private static let outputAtOnce = 512 << 10

    /// - Parameter random: where session ids and CRC seeds come from; seeded in tests alone.
    public init(configuration: SOEConfiguration, random: RandomSource = .system) {
        self.configuration = configuration
        self.random = random
        admission = Admission(limits: configuration.limits)
        strangerReplies = TokenBucket(at: .zero)
    }

    /// How many sessions there are, those that are just ending included.
    public var sessionCount: Int { table.count }
    /// How many requests wait for their client's first packet.
    public var pendingCount: Int { pending.count }

    /// A copy of a session, to look at.
    public func session(_ peer: PeerID) -> SOESession? { table[peer]?.session }

    /// The session with an address.
    public func session(at endpoint: Endpoint) -> SOESession? { slots[endpoint]?.session }

    /// What all sessions have counted together, those that are gone included.
    public var totals: SOEStatistics {
        table.all.reduce(into: goneStatistics) { $0.add($1.session.statistics) }
    }

    /// Asks a server for a session. `SOEEvent.opened` or `.closed` follows; messages on reliable channels are taken at
    /// once.
    public mutating func connect(
        to endpoint: Endpoint, parameters: SOEParameters? = nil, at now: Instant, into out: inout DatagramOutbox
    ) throws(ConnectFailure) -> PeerID {
        if let slot = slots[endpoint] {
            guard slot.isClosed else { throw .addressInUse }
            remove(slot, at: now)
        }
        let limit = configuration.limits.connections
        guard limit == 0 || table.count < limit else { throw .tooManySessions }
        let parameters = parameters ?? configuration.parameters
        let peer = table.insert { peer in
            let session = SOESession(
                connecting: peer, to: endpoint, parameters: parameters, random: &random, zlib: zlib, at: now)
            let slot = Slot(session: session, isAdmitted: false)
            slots[endpoint] = slot
            return slot
        }
        if let slot = slots[endpoint] { settle(slot, at: now) }
        return peer
    }

    /// Takes a datagram, whoever sent it.
    public mutating func receive(
        _ datagram: ByteBuffer, from endpoint: Endpoint, at now: Instant, into out: inout DatagramOutbox
    ) {
        statistics.datagramsReceived &+= 1
        guard let slot = slot(at: endpoint) else {
            receiveFromStranger(datagram, from: endpoint, known: nil, at: now, into: &out)
            return
        }
        slot.session.holdsMessages = holdsMessages
        switch slot.session.receive(datagram, at: now, into: &out) {
        case .accepted:
            settle(slot, at: now)
            limitHeldBytes(of: slot, at: now, into: &out)
        case .badCRC, .dropped:
            settle(slot, at: now)
            receiveFromStranger(datagram, from: endpoint, known: slot, at: now, into: &out)
        }
    }

    @inline(__always)
    private mutating func slot(at endpoint: Endpoint) -> Slot? {
        if let recent, recent.session.remote == endpoint { return recent }
        guard let slot = slots[endpoint] else { return nil }
        recent = slot
        return slot
    }

    /// Takes a message for a peer; the next `advance` sends it, together with others.
    public mutating func enqueue(
        _ message: ByteBuffer, on channel: SOEChannel, to peer: PeerID, at now: Instant
    ) -> EnqueueResult {
        guard let slot = table[peer] else { return .closed }
        let result = slot.session.enqueue(message, on: channel, at: now)
        settle(slot, at: now)
        return result
    }

    /// Sends packets that are full ahead of the next `advance`, so that the peer can work on them while this side works on:
    /// no further message would travel with them.
    ///
    /// - Parameter fewest: does nothing unless there are so many.
    /// - Returns: whether there were.
    public mutating func sendFull(
        to peer: PeerID, fewest: Int = 1, at now: Instant, into out: inout DatagramOutbox
    ) -> Bool {
        // Asked for each message: a look that does not mutate would copy the engine.
        guard let slot = table[peer], slot.session.fullPackets >= fewest else { return false }
        slot.session.sendFull(at: now, into: &out)
        return true
    }

    /// Ends a session when what was taken for it has arrived, or after its `flushTimeout`.
    public mutating func disconnect(
        _ peer: PeerID, reason: DisconnectReason = .application, at now: Instant, into out: inout DatagramOutbox
    ) {
        guard let slot = table[peer] else { return }
        slot.session.disconnect(reason, at: now, into: &out)
        settle(slot, at: now)
    }

    /// Ends a session at once, whatever still waits; the peer is told.
    public mutating func abort(
        _ peer: PeerID, reason: DisconnectReason = .application, at now: Instant, into out: inout DatagramOutbox
    ) {
        guard let slot = table[peer] else { return }
        slot.session.abort(reason, at: now, into: &out)
        settle(slot, at: now)
    }

    /// Begins to encrypt a session's messages, or stops: see `SOESession.encrypt`.
    public mutating func encrypt(_ peer: PeerID, with key: RC4Key?, sending: Bool = true, receiving: Bool = true) {
        table[peer]?.session.encrypt(with: key, sending: sending, receiving: receiving)
    }

    /// Does what is due and sends what is ready.
    public mutating func advance(to now: Instant, into out: inout DatagramOutbox) {
        pending.expire(at: now)
        statistics.requestsEvicted = pending.evicted
        let limit = out.bytes.writerIndex + Self.outputAtOnce
        var done = 0
        while done < turn.count, out.bytes.writerIndex < limit {
            turn[done].isInTurn = false
            advance(turn[done], to: now, into: &out)
            done += 1
        }
        turn.removeFirst(done)
        while turn.isEmpty, out.bytes.writerIndex < limit, let peer = deadlines.popDue(at: now) {
            guard let slot = table[peer] else { continue }
            slot.scheduledAt = .never
            advance(slot, to: now, into: &out)
        }
    }

    /// When `advance` should be called next. It may come early, never late. O(1).
    public var nextDeadline: Instant? {
        if let first = turn.first { return first.session.nextDeadline ?? deadlines.next }
        guard let expiry = pending.nextExpiry else { return deadlines.next }
        return deadlines.next.map { min($0, expiry) } ?? expiry
    }

    private mutating func advance(_ slot: Slot, to now: Instant, into out: inout DatagramOutbox) {
        // It may have been removed since its turn was noted.
        guard table[slot.session.id] === slot else { return }
        slot.session.advance(to: now, into: &out)
        noteEnd(of: slot)
        if slot.session.isFinished {
            remove(slot, at: now)
        } else {
            schedule(slot)
        }
    }

    /// After any input to a session.
    @inline(__always)
    mutating func settle(_ slot: Slot, at now: Instant) {
        if slot.session.inputAt != nil {
            guard !slot.isInTurn else { return }
            slot.isInTurn = true
            turn.append(slot)
        } else {
            noteEnd(of: slot)
            if slot.session.isFinished { remove(slot, at: now) } else { schedule(slot) }
        }
    }

    private mutating func schedule(_ slot: Slot) {
        guard let deadline = slot.session.nextDeadline, deadline < slot.scheduledAt else { return }
        slot.scheduledAt = deadline
        deadlines.schedule(slot.session.id, at: deadline)
    }

    private mutating func noteEnd(of slot: Slot) {
        guard !slot.isClosed, slot.session.state == .closed else { return }
        slot.isClosed = true
        statistics.closed.count(slot.session.endReason.word)
    }

    /// Forgets a session that has ended.
    mutating func remove(_ slot: Slot, at now: Instant) {
        guard table.remove(slot.session.id) != nil else { return }
        let endpoint = slot.session.remote
        if slots[endpoint] === slot { slots[endpoint] = nil }
        if recent === slot { recent = nil }
        if let key = remapKey(of: slot), remapKeys[key] === slot { remapKeys[key] = nil }
        deadlines.cancel(slot.session.id)
        heldBytes -= slot.heldBytes
        goneStatistics.add(slot.session.statistics)
        if slot.isAdmitted { admission.release(endpoint.address, at: now) }
    }

    func remapKey(of slot: Slot) -> RemapKey? {
        guard slot.session.role == .server else { return nil }
        return RemapKey(
            address: slot.session.remote.address, sessionID: slot.session.wireID, crcSeed: slot.session.crcSeed)
    }

    /// Ends a session if all together hold more than they may for messages that are not complete.
    @inline(__always)
    private mutating func limitHeldBytes(of slot: Slot, at now: Instant, into out: inout DatagramOutbox) {
        let held = slot.session.heldBytes
        guard held != slot.heldBytes else { return }
        heldBytes += held - slot.heldBytes
        slot.heldBytes = held
        guard configuration.maxHeldBytes > 0, heldBytes > configuration.maxHeldBytes else { return }
        slot.session.abort(.reliableOverflow, at: now, into: &out)
        heldBytes -= slot.heldBytes
        slot.heldBytes = 0
        settle(slot, at: now)
    }
}
