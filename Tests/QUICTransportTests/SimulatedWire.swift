import QUICTransport
import RelayCore

/// Endpoints joined by a network that delays, loses, doubles and reorders datagrams, in virtual time, from a seed.
final class SimulatedWire {
    struct Conditions {
        var delay = Duration.milliseconds(10)
        /// Added at random, so that datagrams overtake each other.
        var jitter = Duration.zero
        /// Of a thousand.
        var lost: UInt64 = 0
        var doubled: UInt64 = 0
        /// Larger UDP payloads vanish, as on a path that does not fragment.
        var maxPayload = 1472
    }

    private struct InFlight {
        var at: Instant
        var number: Int
        var from: Endpoint
        var to: Endpoint
        var bytes: [UInt8]
    }

    var conditions = Conditions()
    private(set) var now = Instant(nanoseconds: 1_000_000_000)
    private(set) var carried = 0
    private var random: RandomSource
    private var flying: [InFlight] = []
    private var nodes: [Endpoint: Node] = [:]
    /// What a router shows instead of a node's own address.
    private var translations: [Endpoint: Endpoint] = [:]
    private var number = 0

    init(seed: UInt64 = 1) { random = .seeded(seed) }

    func attach(_ node: Node) { nodes[node.address] = node }

    /// The machine at this address is gone, with all it knew.
    func detach(_ address: Endpoint) { nodes[address] = nil }

    /// From now on a router shows the node under another address; what is sent to the old one is lost.
    func translate(_ node: Node, to outside: Endpoint) { translations[node.address] = outside }

    func send(_ bytes: [UInt8], from inside: Endpoint, to: Endpoint) {
        carried += 1
        guard bytes.count <= conditions.maxPayload, random.next() % 1000 >= conditions.lost else { return }
        let copies = random.next() % 1000 < conditions.doubled ? 2 : 1
        for _ in 0..<copies {
            let jitter = conditions.jitter.wholeNanoseconds
            let extra = jitter > 0 ? Int64(random.next() % UInt64(jitter)) : 0
            let at = now + conditions.delay + .nanoseconds(extra)
            flying.append(
                InFlight(at: at, number: number, from: translations[inside] ?? inside, to: to, bytes: bytes))
            number += 1
        }
    }

    /// Lets time pass until nothing is left to do before `end`, or `condition` holds.
    @discardableResult
    func run(for duration: Duration = .seconds(20), until condition: () -> Bool = { false }) -> Bool {
        let end = now + duration
        for node in nodes.values { node.endpoint.flush(at: now) }
        while !condition() {
            let arrival = flying.map(\.at).min()
            let deadline = nodes.values.compactMap(\.endpoint.nextDeadline).min()
            guard let next = [arrival, deadline].compactMap({ $0 }).min(), next <= end else {
                now = end
                return condition()
            }
            now = max(now, next)
            deliver()
            for node in nodes.values {
                node.endpoint.advance(to: now)
                node.endpoint.flush(at: now)
            }
        }
        return true
    }

    private func deliver() {
        let due = flying.filter { $0.at <= now }.sorted { ($0.at, $0.number) < ($1.at, $1.number) }
        flying.removeAll { $0.at <= now }
        for var datagram in due {
            let inside = translations.first { $0.value == datagram.to }?.key ?? datagram.to
            // Behind a translation the old outside address leads nowhere.
            if inside == datagram.to, translations[inside] != nil { continue }
            guard let node = nodes[inside] else { continue }
            datagram.bytes.withUnsafeMutableBytes { node.endpoint.receive($0, from: datagram.from, at: now) }
        }
    }
}

/// An endpoint on the wire that writes down what it hears.
final class Node: QUICDelegate {
    let address: Endpoint
    let endpoint: QUICEndpoint
    private let wire: SimulatedWire

    var admits = true
    var connected: [PeerID] = []
    var closed: [PeerID: QUICCloseReason] = [:]
    var datagrams: [PeerID: [[UInt8]]] = [:]
    var streams: [Int64: [UInt8]] = [:]
    var endedStreams: Set<Int64> = []
    var resetStreams: [Int64: UInt64] = [:]
    var maxDatagram: [PeerID: Int] = [:]
    var remotes: [PeerID: Endpoint] = [:]
    /// What to do with a datagram, beside writing it down.
    var onDatagram: ((PeerID, UnsafeRawBufferPointer) -> Void)?
    var onConnected: ((PeerID) -> Void)?

    init(
        _ address: Endpoint, on wire: SimulatedWire, configuration: QUICConfiguration = .forTests,
        certificate: TLSCertificate? = nil
    ) throws {
        self.address = address
        self.wire = wire
        endpoint = try QUICEndpoint(configuration, local: address, certificate: certificate, at: wire.now)
        endpoint.delegate = self
        wire.attach(self)
    }

    func connect(_ server: Node, trust: ServerTrust, name: String = "relay.test") throws -> PeerID {
        try endpoint.connect(to: server.address, name: name, trust: trust, at: wire.now)
    }

    @discardableResult
    func send(_ bytes: [UInt8], priority: DatagramPriority = .bulk, to peer: PeerID) -> DatagramOutcome {
        bytes.withUnsafeBytes { endpoint.send(datagram: $0, priority: priority, to: peer, at: wire.now) }
    }

    @discardableResult
    func send(_ bytes: [UInt8], stream: Int64, end: Bool = false, to peer: PeerID) -> Bool {
        bytes.withUnsafeBytes { endpoint.send($0, stream: stream, end: end, to: peer) }
    }

    func transmit(_ packets: borrowing PacketBatch) {
        for group in packets.groups {
            var offset = 0
            while offset < group.count {
                let count = min(group.packetBytes, group.count - offset)
                let bytes = packets.bytes[(group.start + offset)..<(group.start + offset + count)]
                wire.send(Array(bytes), from: address, to: group.remote)
                offset += count
            }
        }
    }

    func admits(_ remote: Endpoint) -> Bool { admits }

    func connected(_ connection: PeerID, remote: Endpoint) {
        connected.append(connection)
        onConnected?(connection)
    }

    func received(_ bytes: UnsafeRawBufferPointer, stream: Int64, ended: Bool, from connection: PeerID) {
        streams[stream, default: []] += Array(bytes)
        if ended { endedStreams.insert(stream) }
    }

    func reset(stream: Int64, code: UInt64, from connection: PeerID) { resetStreams[stream] = code }

    func received(datagram: UnsafeRawBufferPointer, from connection: PeerID) {
        datagrams[connection, default: []].append(Array(datagram))
        onDatagram?(connection, datagram)
    }

    func pathChanged(_ connection: PeerID, maxDatagram: Int, remote: Endpoint) {
        self.maxDatagram[connection] = maxDatagram
        remotes[connection] = remote
    }

    func closed(_ connection: PeerID, remote: Endpoint, reason: QUICCloseReason) { closed[connection] = reason }
}

extension QUICConfiguration {
    static var forTests: QUICConfiguration { QUICConfiguration(applicationProtocol: "test/1") }
}

extension Endpoint {
    static func test(_ number: UInt8, port: UInt16 = 4443) -> Endpoint {
        Endpoint(address: IPAddress(ipv4: 0xCB00_7100 | UInt32(number)), port: port)
    }
}

/// Made once: signing is slow in debug builds.
let certificate = Result { try TLSCertificate.selfSigned(name: "relay.test", at: 1_700_000_000, days: 36_500) }
