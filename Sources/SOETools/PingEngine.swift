public import NIOCore
public import RelayCore
public import SOE

/// A client that asks a server for a session, sends messages, and checks that each comes back as it was sent, in order.
public struct PingEngine: DatagramEngine {
    public struct Plan: Sendable {
        public var count = 100
        /// The messages' sizes in bytes, over and over.
        public var sizes = [64]
        /// How many messages may be on their way at the same time.
        public var inflight = 1
        /// How long no echo may come before the session is given up.
        public var patience = Duration.seconds(30)
        public var parameters = SOEParameters()

        public init() {}
    }

    public struct Result: Hashable, Sendable {
        public var sent = 0
        public var received = 0
        /// Echoes that were not what was sent.
        public var bad = 0
        /// From the first request to the server's answer; `nil` if there was none.
        public var handshake: Duration?
        /// From the first request to the last echo, or to the end of the session.
        public var elapsed = Duration.zero
        /// Of each message, in the order they came back.
        public var roundTrips: [Duration] = []
        /// Why the session ended before its time.
        public var failure: DisconnectReason?
        public var packetsSent: UInt64 = 0
        public var packetsResent: UInt64 = 0

        /// Whether every message was sent and has come back as it was.
        public func isOK(for plan: Plan) -> Bool {
            failure == nil && bad == 0 && sent == plan.count && received == plan.count
        }
    }

    private let plan: Plan
    private var sessions: SOEEngine
    private var hasBegun = false
    private var peer: PeerID?
    private var start = Instant.zero
    /// When the session opened, or the last echo came.
    private var heardAt = Instant.never
    /// When the messages on their way were sent, the oldest first.
    private var sentAt: [Instant] = []
    private var oldest = 0
    private var isFull = false
    public private(set) var result = Result()

    public init(plan: Plan, random: RandomSource = .system) {
        self.plan = plan
        var configuration = SOEConfiguration()
        configuration.acceptsSessions = false
        sessions = SOEEngine(configuration: configuration, random: random)
    }

    /// Whether nothing is left to be done.
    public var isFinished: Bool { hasBegun && sessions.sessionCount == 0 }

    public mutating func connect(to endpoint: Endpoint, at now: Instant, into out: inout DatagramOutbox) {
        start = now
        hasBegun = true
        peer = try? sessions.connect(to: endpoint, parameters: plan.parameters, at: now, into: &out)
    }

    public mutating func receive(
        _ datagram: ByteBuffer, from endpoint: Endpoint, at now: Instant, into out: inout DatagramOutbox
    ) {
        let first = out.effectCount
        sessions.receive(datagram, from: endpoint, at: now, into: &out)
        note(out, from: first, at: now)
        proceed(at: now, into: &out)
    }

    public mutating func advance(to now: Instant, into out: inout DatagramOutbox) {
        let first = out.effectCount
        sessions.advance(to: now, into: &out)
        note(out, from: first, at: now)
        proceed(at: now, into: &out)
    }

    public var nextDeadline: Instant? {
        let next = min(sessions.nextDeadline ?? .never, heardAt + plan.patience)
        return next == .never ? nil : next
    }

    /// Ends the session before its time.
    public mutating func stop(at now: Instant, into out: inout DatagramOutbox) {
        result.failure = result.failure ?? .applicationReleased
        result.elapsed = now - start
        sessions.stop(at: now, into: &out)
    }

    private mutating func note(_ out: DatagramOutbox, from first: Int, at now: Instant) {
        for index in first..<out.effectCount {
            switch out.effect(at: index) {
            case .deliver(let message, from: _, channel: let channel):
                take(message, channel, at: now)
            case .emit(let event):
                switch event as? SOEEvent {
                case .opened:
                    result.handshake = now - start
                    heardAt = now
                case .writable: isFull = false
                case .closed(_, let reason, byPeer: _, undelivered: _): noteEnd(reason, at: now)
                case .remapped, nil: break
                }
            }
        }
    }

    private mutating func take(_ message: ByteBuffer, _ channel: UInt8, at now: Instant) {
        guard oldest < sentAt.count else {
            result.bad += 1
            return
        }
        let isRight = channel == 0 && message == Self.message(result.received, size: size(of: result.received))
        if !isRight { result.bad += 1 }
        result.roundTrips.append(now - sentAt[oldest])
        result.received += 1
        result.elapsed = now - start
        heardAt = now
        oldest += 1
    }

    private mutating func noteEnd(_ reason: DisconnectReason, at now: Instant) {
        heardAt = .never
        guard result.received < plan.count else { return }
        result.failure = result.failure ?? reason
        result.elapsed = now - start
    }

    /// Sends what may be on its way, and ends the session when all has come back.
    private mutating func proceed(at now: Instant, into out: inout DatagramOutbox) {
        guard let peer, let session = sessions.session(peer) else { return }
        if result.received >= plan.count {
            guard session.state == .running else { return }
            (result.packetsSent, result.packetsResent) = (
                session.statistics.packetsSent, session.statistics.packetsResent
            )
            let first = out.effectCount
            sessions.disconnect(peer, reason: .application, at: now, into: &out)
            note(out, from: first, at: now)
            return
        }
        guard session.state == .running else { return }
        guard now < heardAt + plan.patience else {
            result.failure = .timeout
            result.elapsed = now - start
            let first = out.effectCount
            sessions.abort(peer, at: now, into: &out)
            note(out, from: first, at: now)
            return
        }
        while !isFull, result.sent < plan.count, result.sent - result.received < plan.inflight {
            let message = Self.message(result.sent, size: size(of: result.sent))
            switch sessions.enqueue(message, on: .reliable0, to: peer, at: now) {
            case .accepted:
                sentAt.append(now)
                result.sent += 1
            case .full:
                isFull = true
            case .tooLong, .closed:
                result.failure = result.failure ?? .reliableOverflow
                result.elapsed = now - start
                sessions.disconnect(peer, reason: .application, at: now, into: &out)
                return
            }
        }
    }

    private func size(of number: Int) -> Int { plan.sizes[number % plan.sizes.count] }

    /// The bytes of a message: different from its neighbours', and sometimes with zeros in front.
    static func message(_ number: Int, size: Int) -> ByteBuffer {
        var message = ByteBuffer()
        message.reserveCapacity(size)
        message.writeRepeatingByte(0, count: size)
        message.withUnsafeMutableReadableBytes { bytes in
            for index in bytes.indices {
                bytes[index] = UInt8(truncatingIfNeeded: 131 &* number &+ 7 &* index &+ 13 &* (index >> 8))
            }
            if number % 16 == 5 { for index in bytes.indices.prefix(2) { bytes[index] = 0 } }
        }
        return message
    }
}
