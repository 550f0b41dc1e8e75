import NIOCore
import RelayCore
import RelayTesting
import SOE

/// An engine on a simulated network, which remembers what it delivered and told.
final class EngineNode: SimulatedNode {
    struct Message: Equatable {
        var peer: PeerID
        var channel: SOEChannel
        var bytes: [UInt8]
    }

    let endpoint: Endpoint
    var engine: SOEEngine
    var messages: [Message] = []
    var events: [SOEEvent] = []
    /// Answers each message with itself.
    var echoes = false
    /// Called with each message instead of keeping it.
    var onMessage: ((Message) -> Void)?
    private var out = DatagramOutbox()
    /// Messages that were refused and are tried again.
    private var backlog: [(ByteBuffer, SOEChannel, PeerID)] = []

    init(_ endpoint: Endpoint, _ configuration: SOEConfiguration = SOEConfiguration(), seed: UInt64 = 1) {
        self.endpoint = endpoint
        engine = SOEEngine(configuration: configuration, random: .seeded(seed))
    }

    var opened: [PeerID] {
        events.compactMap { if case .opened(let peer, _) = $0 { peer } else { nil } }
    }

    /// The ends of sessions, in order.
    var closed: [(peer: PeerID, reason: DisconnectReason, byPeer: Bool, undelivered: Int)] {
        events.compactMap {
            if case .closed(let peer, let reason, let byPeer, let undelivered) = $0 {
                (peer, reason, byPeer, undelivered)
            } else {
                nil
            }
        }
    }

    func connect(
        to server: Endpoint, _ parameters: SOEParameters? = nil, at now: Instant
    ) throws -> PeerID {
        let peer = try engine.connect(to: server, parameters: parameters, at: now, into: &out)
        // What was appended is drained by the first `advance`.
        return peer
    }

    func enqueue(_ bytes: [UInt8], on channel: SOEChannel = .reliable0, to peer: PeerID, at now: Instant)
        -> EnqueueResult
    {
        engine.enqueue(ByteBuffer(bytes: bytes), on: channel, to: peer, at: now)
    }

    /// As `enqueue`, but tries again later what is refused for want of room.
    func send(_ bytes: [UInt8], on channel: SOEChannel = .reliable0, to peer: PeerID, at now: Instant) {
        guard backlog.isEmpty, enqueue(bytes, on: channel, to: peer, at: now) == .accepted else {
            backlog.append((ByteBuffer(bytes: bytes), channel, peer))
            return
        }
    }

    func disconnect(_ peer: PeerID, _ reason: DisconnectReason = .application, at now: Instant) {
        engine.disconnect(peer, reason: reason, at: now, into: &out)
    }

    var nextDeadline: Instant? { out.isEmpty ? engine.nextDeadline : .zero }

    func receive(_ datagram: ByteBuffer, from: Endpoint, at now: Instant, send: (ByteBuffer, Endpoint) -> Void) {
        engine.receive(datagram, from: from, at: now, into: &out)
        drain(at: now, send)
    }

    func advance(to now: Instant, send: (ByteBuffer, Endpoint) -> Void) {
        retry(at: now)
        engine.advance(to: now, into: &out)
        drain(at: now, send)
    }

    private func retry(at now: Instant) {
        var taken = 0
        for (message, channel, peer) in backlog {
            guard engine.enqueue(message, on: channel, to: peer, at: now) == .accepted else { break }
            taken += 1
        }
        backlog.removeFirst(taken)
    }

    private func drain(at now: Instant, _ send: (ByteBuffer, Endpoint) -> Void) {
        for index in 0..<out.datagramCount {
            let (bytes, endpoint) = out.datagram(at: index)
            // A copy, as a socket makes: the engine's buffer is used again.
            send(ByteBuffer(bytes: Array(bytes.readableBytesView)), endpoint)
        }
        var heard: [Message] = []
        for index in 0..<out.effectCount {
            switch out.effect(at: index) {
            case .deliver(let bytes, let peer, let channel):
                let channel = SOEChannel(rawValue: channel) ?? .unreliable
                heard.append(Message(peer: peer, channel: channel, bytes: Array(bytes.readableBytesView)))
            case .emit(let event):
                if let event = event as? SOEEvent { events.append(event) }
            }
        }
        out.removeAll()
        for message in heard {
            if let onMessage { onMessage(message) } else { messages.append(message) }
            if echoes { self.send(message.bytes, on: message.channel, to: message.peer, at: now) }
        }
    }
}

/// Endpoints for tests, and messages whose every byte says where it belongs.
enum Place {
    static let server = Endpoint(address: IPAddress(ipv4: 0xC000_0201), port: 20_260)
    static func client(_ number: Int = 0, port: UInt16 = 40_000) -> Endpoint {
        Endpoint(address: IPAddress(ipv4: 0xC633_6401 + UInt32(number)), port: port)
    }
}

func pattern(_ number: Int, _ size: Int) -> [UInt8] {
    (0..<size).map { UInt8(truncatingIfNeeded: 131 * number + 7 * $0 + 13 * ($0 >> 8)) }
}
