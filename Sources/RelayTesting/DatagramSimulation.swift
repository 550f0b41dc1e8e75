public import NIOCore
public import RelayCore

/// Somebody on a `SimulatedNetwork`.
public protocol SimulatedNode: AnyObject {
    var endpoint: Endpoint { get }
    /// When `advance` should be called next.
    var nextDeadline: Instant? { get }
    /// A datagram has come. What the node sends goes to `send`.
    func receive(_ datagram: ByteBuffer, from: Endpoint, at now: Instant, send: (ByteBuffer, Endpoint) -> Void)
    /// Does what is due: called after each batch of datagrams, and at `nextDeadline`.
    func advance(to now: Instant, send: (ByteBuffer, Endpoint) -> Void)
}

/// Nodes on a network, in virtual time.
public struct DatagramSimulation {
    public var network: SimulatedNetwork
    public private(set) var now = Instant.zero
    private var nodes: [any SimulatedNode]

    public init(_ network: SimulatedNetwork, nodes: [any SimulatedNode]) {
        self.network = network
        self.nodes = nodes
    }

    /// Lets time pass until `isDone` says so, which is asked after everything that happens; false if it never did within
    /// `limit`.
    public mutating func run(for limit: Duration, until isDone: () -> Bool = { false }) -> Bool {
        let end = now + limit
        advanceAll()
        while !isDone() {
            let times = [network.nextArrival].compactMap { $0 } + nodes.compactMap(\.nextDeadline)
            guard let next = times.min(), next <= end else {
                now = end
                return false
            }
            now = max(now, next)
            while let arrival = network.popDue(at: now) {
                let now = now
                for node in nodes where node.endpoint == arrival.to {
                    node.receive(arrival.bytes, from: arrival.from, at: now) { bytes, endpoint in
                        network.send(bytes, from: node.endpoint, to: endpoint, at: now)
                    }
                }
            }
            advanceAll()
        }
        return true
    }

    private mutating func advanceAll() {
        let now = now
        for node in nodes {
            var rounds = 0
            repeat {
                node.advance(to: now) { bytes, endpoint in
                    network.send(bytes, from: node.endpoint, to: endpoint, at: now)
                }
                rounds += 1
                precondition(rounds < 10_000, "a node is never done at one instant")
            } while node.nextDeadline.map { $0 <= now } ?? false
        }
    }
}
