import LANBridge
import NIOCore
import RelayCore

/// Plays the transport for a relay: who hears what.
struct RelayDesk {
    var engine: LANRelayEngine
    var now = Instant.zero
    private(set) var heard: [PeerID: [ControlMessage]] = [:]
    private(set) var frames: [PeerID: [[UInt8]]] = [:]
    /// Datagrams that hold a part.
    private(set) var parts = 0
    private(set) var closed: [PeerID: CloseReason] = [:]
    private(set) var events: [any EngineEvent] = []
    private var readers: [PeerID: ControlReader] = [:]
    private var halves: [PeerID: [UInt16: [UInt8]]] = [:]
    private var table = PeerTable<Void>()
    private var out = LANOutbox()

    init(_ configuration: LANBridgeConfiguration = .init()) {
        engine = LANRelayEngine(configuration: configuration)
    }

    mutating func connect(from address: String = "192.0.2.1", datagram: Int = 1412) -> PeerID {
        let peer = table.insert { _ in }
        let endpoint = Endpoint(address: IPAddress(address) ?? .anyIPv6, port: 40_000)
        engine.connect(peer, from: endpoint, datagram: datagram, at: now, into: &out)
        drain([])
        return peer
    }

    /// Connects and says hello.
    mutating func join(
        _ mac: UInt64, room: String = "lan", role: FrameSender = .client, password: String? = nil,
        from address: String = "192.0.2.1", datagram: Int = 1412
    ) -> PeerID {
        let peer = connect(from: address, datagram: datagram)
        var hello = ControlMessage.Hello(role: role, room: room, mac: MACAddress(bits: mac), datagram: datagram)
        hello.password = password
        say(.hello(hello), from: peer)
        return peer
    }

    mutating func hello(_ mac: UInt64, from peer: PeerID) {
        say(.hello(.init(role: .client, room: "lan", mac: MACAddress(bits: mac), datagram: 1412)), from: peer)
    }

    mutating func say(_ message: ControlMessage, from peer: PeerID) { say(message.frame(), from: peer) }

    mutating func say(_ bytes: ByteBuffer, from peer: PeerID) {
        engine.receiveControl(bytes, from: peer, at: now, into: &out)
        drain([])
    }

    mutating func send(_ datagram: [UInt8], from peer: PeerID) {
        engine.receiveDatagram(datagram.span.bytes, from: peer, at: now, into: &out)
        drain(datagram)
    }

    /// Sends a frame, in two datagrams if it must be.
    mutating func send(frame: [UInt8], from peer: PeerID, cut: Int? = nil) {
        guard let cut else { return send(Self.bytes(OverlayHeader(whole: frame.count)) + frame, from: peer) }
        for range in [0..<cut, cut..<frame.count] {
            send(Self.bytes(OverlayHeader(part: 5, of: frame.count, at: range.lowerBound)) + frame[range], from: peer)
        }
    }

    mutating func disconnect(_ peer: PeerID) {
        engine.disconnect(peer, at: now, into: &out)
        table.remove(peer)
        drain([])
    }

    mutating func kick(_ peer: PeerID) -> Bool {
        let found = engine.kick(peer, for: .kicked, at: now, into: &out)
        drain([])
        return found
    }

    mutating func advance(by duration: Duration) {
        let end = now + duration
        while let next = engine.nextDeadline, next <= end {
            now = max(now, next)
            engine.advance(to: now, into: &out)
            drain([])
        }
        now = end
    }

    mutating func stop() {
        engine.stop(at: now, into: &out)
        drain([])
    }

    mutating func take(_ peer: PeerID) -> [ControlMessage] { heard.removeValue(forKey: peer) ?? [] }
    mutating func takeFrames(_ peer: PeerID) -> [[UInt8]] { frames.removeValue(forKey: peer) ?? [] }

    static func bytes(_ header: OverlayHeader) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: header.bits >> UInt64(56 - 8 * $0)) }
    }

    private mutating func drain(_ input: [UInt8]) {
        for effect in out.effects {
            switch effect {
            case .datagram(let header, let bytes, let peer, _):
                precondition(closed[peer] == nil, "a datagram to \(peer), which is gone")
                let payload: ArraySlice<UInt8> =
                    switch bytes {
                    case .input(let range): input[range]
                    case .scratch(let range): out.scratch[range]
                    }
                let datagram = Self.bytes(header) + payload
                precondition(OverlayHeader(datagram.span.bytes) == header)
                if header.isWhole {
                    frames[peer, default: []].append(Array(payload))
                } else if header.offset == 0 {
                    parts += 1
                    halves[peer, default: [:]][header.number] = Array(payload)
                } else {
                    parts += 1
                    let first = halves[peer]?.removeValue(forKey: header.number) ?? []
                    frames[peer, default: []].append(first + payload)
                }
            case .deliver, .open, .join, .finish: preconditionFailure("a relay is no end of the tunnel")
            case .control(let bytes, let peer):
                precondition(closed[peer] == nil, "a message to \(peer), which is gone")
                readers[peer, default: ControlReader()].append(bytes)
                while let message = try? readers[peer]?.next() { heard[peer, default: []].append(message) }
            case .close(let peer, let reason):
                precondition(closed.updateValue(reason, forKey: peer) == nil, "\(peer) was closed twice")
                table.remove(peer)
            case .emit(let event): events.append(event)
            }
        }
        out.removeAll()
    }
}
