public import NIOCore
public import RelayCore

/// Plays the driver for one engine in virtual time and remembers what it did, so that a test reads as a conversation.
public struct EngineHarness<Engine: StreamEngine> {
    public var engine: Engine
    public private(set) var now = Instant.zero
    /// Everything the engine told of, in order.
    public private(set) var events: [any EngineEvent] = []
    /// Why the engine parted from a peer.
    public private(set) var closed: [PeerID: CloseReason] = [:]
    /// Peers that will be sent nothing more.
    public private(set) var finished: Set<PeerID> = []
    /// Peers that are not read from.
    public private(set) var paused: Set<PeerID> = []
    /// Connections that exist.
    public private(set) var connected: Set<PeerID> = []
    /// Peers that have sent FIN.
    public private(set) var ended: Set<PeerID> = []
    /// What the engine wants to know of addresses: answered by `answerProbe`.
    public private(set) var probes: [PeerID: Endpoint] = [:]
    /// What ended here, of whom, in order.
    public private(set) var deliveredHere: [(bytes: ByteBuffer, peer: PeerID)] = []
    private var unwritable: Set<PeerID> = []
    private var addresses: [PeerID: IPAddress] = [:]
    private var table = PeerTable<Void>()
    private var delivered: [PeerID: ByteBuffer] = [:]
    private var outbox = Outbox()

    public init(_ engine: Engine) {
        self.engine = engine
    }

    /// Accepts a connection, by default from a loopback address.
    public mutating func connect(from address: String = "127.0.0.1", port: UInt16 = 40_000) -> PeerID {
        let peer = table.insert { _ in }
        connected.insert(peer)
        let from = Endpoint(address: IPAddress(address) ?? IPAddress(ipv4: 0), port: port)
        addresses[peer] = from.address
        engine.connect(peer, from: from, at: now, into: &outbox)
        drain()
        return peer
    }

    public mutating func receive(_ bytes: some Sequence<UInt8>, from peer: PeerID) {
        receive(ByteBuffer(bytes: bytes), from: peer)
    }

    public mutating func receive(_ bytes: ByteBuffer, from peer: PeerID) {
        precondition(!ended.contains(peer), "\(peer) said something after its end")
        engine.receive(bytes, from: peer, at: now, into: &outbox)
        drain()
    }

    /// The peer sends FIN.
    public mutating func end(_ peer: PeerID) {
        ended.insert(peer)
        engine.receiveEnd(from: peer, at: now, into: &outbox)
        drain()
    }

    /// The connection is lost.
    public mutating func disconnect(_ peer: PeerID, reason: CloseReason = .peerClosed) {
        guard connected.contains(peer) else { return }
        engine.disconnect(peer, reason: reason, at: now, into: &outbox)
        forget(peer)
        drain()
    }

    public mutating func writability(of peer: PeerID, is writable: Bool) {
        if writable { unwritable.remove(peer) } else { unwritable.insert(peer) }
        engine.writability(of: peer, is: writable, at: now, into: &outbox)
        drain()
    }

    /// Tells the engine whether the address it asked after for a peer can be reached. The peer may have gone since.
    public mutating func answerProbe(of peer: PeerID, isReachable: Bool) {
        guard probes.removeValue(forKey: peer) != nil else { return }
        engine.probed(peer, isReachable: isReachable, at: now, into: &outbox)
        drain()
    }

    /// Lets time pass, stopping at each deadline the engine names on the way.
    public mutating func advance(by duration: Duration) {
        let end = now + duration
        while let deadline = engine.nextDeadline, deadline <= end {
            now = max(now, deadline)
            engine.advance(to: now, into: &outbox)
            drain()
            precondition(engine.nextDeadline.map { $0 > now } ?? true, "the engine left something due undone")
        }
        now = end
    }

    public mutating func beginDrain() {
        engine.drain(at: now, into: &outbox)
        drain()
    }

    public mutating func stop() {
        engine.stop(at: now, into: &outbox)
        drain()
    }

    public mutating func kick(_ peer: PeerID, for removal: Removal = .kicked) {
        engine.kick(peer, for: removal, at: now, into: &outbox)
        drain()
    }

    /// An input that only this kind of engine has.
    public mutating func update<Failure: Error, Result>(
        _ input: (inout Engine, Instant, inout Outbox) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { drain() }
        return try input(&engine, now, &outbox)
    }

    /// Takes what was sent to a peer since the last call.
    public mutating func take(_ peer: PeerID) -> [UInt8] {
        guard let bytes = delivered.removeValue(forKey: peer) else { return [] }
        return Array(bytes.readableBytesView)
    }

    /// How much was sent to a peer that nobody has taken.
    public func pendingBytes(of peer: PeerID) -> Int { delivered[peer]?.readableBytes ?? 0 }

    /// What the engine was last told of the peer's queue.
    public func isWritable(_ peer: PeerID) -> Bool { !unwritable.contains(peer) }

    private mutating func forget(_ peer: PeerID) {
        unwritable.remove(peer)
        connected.remove(peer)
        paused.remove(peer)
        addresses.removeValue(forKey: peer)
        table.remove(peer)
    }

    private mutating func drain() {
        for index in 0..<outbox.count {
            switch outbox[index] {
            case .forward(var bytes, to: let peer), .send(var bytes, to: let peer):
                precondition(connected.contains(peer), "sent to \(peer), which is gone")
                precondition(!finished.contains(peer), "sent to \(peer) after its end")
                delivered[peer, default: ByteBuffer()].writeBuffer(&bytes)
            case .pause(let peer):
                precondition(connected.contains(peer), "paused \(peer), which is gone")
                paused.insert(peer)
            case .resume(let peer):
                paused.remove(peer)
            case .finish(let peer):
                precondition(connected.contains(peer), "finished \(peer), which is gone")
                finished.insert(peer)
            case .close(let peer, let reason):
                precondition(connected.contains(peer), "closed \(peer), which is gone")
                closed[peer] = reason
                forget(peer)
            case .probe(let endpoint, for: let peer):
                precondition(connected.contains(peer), "probed for \(peer), which is gone")
                precondition(probes[peer] == nil, "probed twice at once for \(peer)")
                precondition(endpoint.address == addresses[peer], "probed an address that is not \(peer)'s own")
                probes[peer] = endpoint
            case .deliver(let bytes, from: let peer):
                deliveredHere.append((bytes, peer))
            case .emit(let event):
                events.append(event)
            }
        }
        outbox.removeAll()
    }
}
