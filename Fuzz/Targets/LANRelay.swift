import LANBridge
import NIOCore
import RelayCore

/// The bytes are a script: what strangers, players and gateways do to a relay, and its operator.
func fuzzLANRelay(_ bytes: [UInt8]) {
    var script = LANRelayScript(bytes)
    script.run()
}

private struct LANRelayScript {
    private var script: LANScriptBytes
    private var engine: LANRelayEngine
    private var table = PeerTable<MACAddress>()
    /// Who is connected, as the engine has not parted from him.
    private var peers: [PeerID] = []
    private var out = LANOutbox()
    private var now = Instant.zero

    private static let maxPeers = 12

    init(_ bytes: [UInt8]) {
        script = LANScriptBytes(bytes)
        engine = LANRelayEngine(configuration: Self.configuration(script.next()))
    }

    private static func configuration(_ choice: UInt8) -> LANBridgeConfiguration {
        var configuration = LANBridgeConfiguration()
        configuration.maxRooms = 3
        configuration.maxClientsPerRoom = 4
        configuration.maxFailures = 3
        configuration.requiresRegistration = choice & 1 != 0
        var room = LANBridgeConfiguration.RegisteredRoom()
        room.secrets = choice & 2 != 0 ? ["swordfish", "token"] : []
        room.isIsolated = choice & 4 != 0
        room.protected = [IPAddress(ipv4: 0x0A4D_0001)]
        configuration.rooms["a"] = room
        return configuration
    }

    mutating func run() {
        for _ in 0..<2000 {
            guard let operation = script.operation() else { break }
            step(operation)
            precondition(engine.memberCount == peers.count && engine.roomCount <= 3)
        }
        finish()
    }

    private mutating func step(_ operation: UInt8) {
        if operation % 16 < 2 { return connect() }
        if operation % 16 == 2 {
            now = now + .milliseconds(Int(script.next()) * Int(script.next()))
            return settle()
        }
        guard !peers.isEmpty else { return }
        let peer = peers[Int(script.next()) % peers.count]
        switch operation % 16 {
        case 3, 4: hello(peer)
        case 5: control(ByteBuffer(bytes: script.take(Int(script.next()))), peer)
        case 6: say(peer)
        case 7: datagram(script.take(script.length(atMost: 2047)), peer)
        case 8...10: whole(frame(of: peer), peer)
        case 11: parts(frame(of: peer), peer)
        case 12: datagram(OverlayHeader(ping: UInt16(script.next())).octets, peer)
        case 13:
            engine.disconnect(peer, at: now, into: &out)
            left(peer)
            drain([])
        case 14: engine.setDatagram(script.length(atMost: 1600), of: peer)
        default: operate(peer)
        }
    }

    private mutating func connect() {
        let pick = script.next()
        guard peers.count < Self.maxPeers else { return }
        let mac = MACAddress(bits: 0x024C_414E_0100 + UInt64(pick % 6))
        let peer = table.insert { _ in mac }
        peers.append(peer)
        let endpoint = Endpoint(address: IPAddress(ipv4: 0xC000_0200 + UInt32(pick >> 6)), port: UInt16(pick))
        engine.connect(peer, from: endpoint, datagram: 1000 + Int(pick) * 2, at: now, into: &out)
        drain([])
    }

    private mutating func hello(_ peer: PeerID) {
        let (choice, pick) = (script.next(), script.next())
        var hello = ControlMessage.Hello(
            role: choice & 3 == 0 ? .gateway : .client, room: ["a", "b", "c", "d"][Int(choice >> 2 & 3)],
            mac: table[peer] ?? .zero, datagram: choice & 16 == 0 ? 1522 : Int(pick) * 8)
        hello.password = [nil, "swordfish", "token", "wrong"][Int(choice >> 5 & 3)]
        hello.splits = choice & 128 == 0
        hello.key = pick & 1 == 0 ? "" : "key\(pick >> 1 & 1)"
        hello.version = pick & 252 == 252 ? 2 : 1
        hello.name = String(decoding: script.take(Int(pick >> 5)), as: UTF8.self)
        control(ControlMessage.hello(hello).frame(), peer)
    }

    private mutating func say(_ peer: PeerID) {
        let messages: [ControlMessage] = [
            .getStats, .unknown("later"), .disconnect(code: "left", sentence: ""), .reject(code: "x", sentence: ""),
            .peerLeft(peer: 1, reason: ""), .stats(TunnelStats(), drops: [:]),
        ]
        control(messages[Int(script.next()) % messages.count].frame(), peer)
    }

    private mutating func operate(_ peer: PeerID) {
        let choice = script.next()
        switch choice % 8 {
        case 0: _ = engine.kick(peer, for: choice < 128 ? .kicked : .banned(reason: "floods"), at: now, into: &out)
        case 1: engine.drain()
        case 2: engine.stop(at: now, into: &out)
        default: engine.reconfigure(Self.configuration(choice >> 3))
        }
        drain([])
    }

    /// A frame that a client's card, or a LAN, could make of these bytes.
    private mutating func frame(of peer: PeerID) -> [UInt8] {
        let pick = script.next()
        let destination: MACAddress =
            switch pick % 4 {
            case 0: .broadcast
            case 1: MACAddress(bits: 0x024C_414E_0100 + UInt64(pick >> 2 & 7))
            case 2: MACAddress(bits: 0x024C_414E_0001)
            default: MACAddress(bits: 0x0100_5E00_00FB)
            }
        let source = pick & 128 == 0 ? table[peer] ?? .zero : MACAddress(bits: 0x024C_414E_00FE)
        let body = script.take(script.length(atMost: 600))
        let padding = pick & 64 == 0 ? 0 : max(0, 1500 - body.count)
        return destination.octets + source.octets + body + [UInt8](repeating: pick, count: padding)
    }

    private mutating func whole(_ frame: [UInt8], _ peer: PeerID) {
        datagram(OverlayHeader(whole: frame.count).octets + frame, peer)
    }

    private mutating func parts(_ frame: [UInt8], _ peer: PeerID) {
        let pick = script.next()
        let cut = max(1, frame.count * Int(pick) / 256)
        let halves = [0..<cut, cut..<frame.count]
        for range in pick & 1 == 0 ? halves : halves.reversed() {
            let header = OverlayHeader(part: UInt16(pick >> 4), of: frame.count, at: range.lowerBound)
            datagram(header.octets + frame[range], peer)
        }
    }

    private mutating func control(_ bytes: ByteBuffer, _ peer: PeerID) {
        engine.receiveControl(bytes, from: peer, at: now, into: &out)
        drain([])
    }

    private mutating func datagram(_ bytes: [UInt8], _ peer: PeerID) {
        engine.receiveDatagram(bytes.span.bytes, from: peer, at: now, into: &out)
        drain(bytes, sender: peer)
    }

    private mutating func settle() {
        var rounds = 0
        while let due = engine.nextDeadline, due <= now {
            engine.advance(to: now, into: &out)
            drain([])
            rounds += 1
            precondition(rounds < 100, "the engine is never done")
        }
    }

    private mutating func left(_ peer: PeerID) {
        peers.removeAll { $0 == peer }
        table.remove(peer)
    }

    /// Effects are for those who are there, and nobody gets his own frame.
    private mutating func drain(_ input: [UInt8], sender: PeerID? = nil) {
        for effect in out.effects {
            switch effect {
            case .datagram(let header, let bytes, let peer, _):
                precondition(peers.contains(peer), "a datagram to somebody who has gone")
                precondition(peer != sender || header.kind == .pong, "a frame came back")
                let datagram = header.octets + out.octets(of: bytes, input: input)
                precondition(OverlayHeader(datagram.span.bytes) == header)
            case .control(let message, let peer):
                precondition(peers.contains(peer), "a message to somebody who has gone")
                precondition(message.readableBytes <= 4 + ControlReader.maxLength)
            case .close(let peer, _): left(peer)
            case .emit: break
            case .deliver, .open, .join, .finish: preconditionFailure("a relay is no end of the tunnel")
            }
        }
        out.removeAll()
    }

    private mutating func finish() {
        for peer in peers {
            engine.disconnect(peer, at: now, into: &out)
            left(peer)
            drain([])
        }
        now = now + .seconds(60)
        settle()
        precondition(engine.memberCount == 0 && engine.roomCount == 0 && engine.nextDeadline == nil)
        precondition(engine.snapshots(at: now).isEmpty)
    }
}
