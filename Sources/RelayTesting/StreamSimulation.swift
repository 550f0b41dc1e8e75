import NIOCore
public import RelayCore

/// Clients of one stream engine on a network that cuts, delays, stalls and loses connections, in virtual time.
///
/// What happens next is drawn from a seeded source: a failure is repeated by its seed.
public struct StreamSimulation<Engine: StreamEngine> {
    /// The client's side of a connection.
    public struct Client {
        /// Written by the client, not yet arrived at the engine.
        var outgoing = ByteBuffer()
        var hasEnded = false
        /// It does not read: what is sent to it waits.
        var isStalled = false
        /// Everything it has read.
        public fileprivate(set) var received: [UInt8] = []
        /// The relay ended its direction or closed.
        public fileprivate(set) var sawEnd = false
    }

    public private(set) var harness: EngineHarness<Engine>
    public private(set) var clients: [PeerID: Client] = [:]
    private var random: RandomSource
    private let waterMark = 4096

    public init(_ engine: Engine, seed: UInt64) {
        harness = EngineHarness(engine)
        random = .seeded(seed)
    }

    public mutating func open(from address: String = "127.0.0.1") -> PeerID {
        let peer = harness.connect(from: address)
        clients[peer] = Client()
        collect()
        return peer
    }

    /// The client writes; the bytes arrive later, in pieces.
    public mutating func write(_ bytes: some Sequence<UInt8>, from peer: PeerID) {
        clients[peer]?.outgoing.writeBytes(bytes)
    }

    /// The client ends its direction behind what it has written.
    public mutating func end(_ peer: PeerID) {
        clients[peer]?.hasEnded = true
    }

    /// The connection is lost, with all that is on its way.
    public mutating func lose(_ peer: PeerID) {
        clients[peer]?.outgoing.clear()
        harness.disconnect(peer)
        collect()
    }

    public mutating func stall(_ peer: PeerID, _ isStalled: Bool) {
        clients[peer]?.isStalled = isStalled
        collect()
    }

    /// Lets one thing happen: a piece arrives, a client stalls or reads on, time passes.
    public mutating func step() {
        switch Int.random(in: 0..<12, using: &random) {
        case 0:
            harness.advance(by: .milliseconds(Int.random(in: 0...200, using: &random)))
        case 1:
            if let peer = randomPeer({ _ in true }) { stall(peer, Bool.random(using: &random)) }
        default:
            deliverPiece()
        }
        collect()
    }

    /// Lets everything written arrive and everything sent be read.
    public mutating func settle() {
        for peer in clients.keys { clients[peer]?.isStalled = false }
        collect()
        while deliverPiece() || doPostponedWork() { collect() }
    }

    /// Lets the engine go on with what it left until others had had their turn.
    private mutating func doPostponedWork() -> Bool {
        guard let deadline = harness.engine.nextDeadline, deadline - harness.now <= .nanoseconds(1) else {
            return false
        }
        harness.advance(by: .nanoseconds(1))
        return true
    }

    @discardableResult
    private mutating func deliverPiece() -> Bool {
        let ready = randomPeer { client in client.outgoing.readableBytes > 0 || client.hasEnded }
        guard let peer = ready, var client = clients[peer] else { return false }
        if client.outgoing.readableBytes > 0 {
            let length = Int.random(in: 1...min(client.outgoing.readableBytes, 3000), using: &random)
            if let piece = client.outgoing.readSlice(length: length) {
                clients[peer] = client
                harness.receive(piece, from: peer)
            }
        } else {
            client.hasEnded = false
            clients[peer] = client
            harness.end(peer)
        }
        return true
    }

    /// A peer that is connected, read from, and of which `condition` is true.
    private mutating func randomPeer(_ condition: (Client) -> Bool) -> PeerID? {
        clients.filter { peer, client in
            harness.connected.contains(peer) && !harness.paused.contains(peer) && condition(client)
        }.map(\.key).sorted { ($0.slot, $0.generation) < ($1.slot, $1.generation) }.randomElement(using: &random)
    }

    /// Hands to clients what was sent to them, and tells the engine who does not keep up.
    private mutating func collect() {
        for peer in clients.keys.sorted(by: { $0.slot < $1.slot }) {
            guard var client = clients[peer] else { continue }
            if !client.isStalled {
                client.received += harness.take(peer)
                if harness.finished.contains(peer) || !harness.connected.contains(peer) { client.sawEnd = true }
            }
            clients[peer] = client
            let isWritable = client.isStalled ? harness.pendingBytes(of: peer) < waterMark : true
            if harness.connected.contains(peer), isWritable != harness.isWritable(peer) {
                harness.writability(of: peer, is: isWritable)
            }
        }
    }
}
