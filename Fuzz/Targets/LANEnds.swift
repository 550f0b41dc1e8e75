import LANBridge
import NIOCore
import RelayCore

/// The bytes are a script: what a relay, honest or not, and a card do to a player's end.
func fuzzLANClient(_ bytes: [UInt8]) {
    let end = LANClientEngine(configuration: .fuzzed, random: .seeded(1), at: .zero)
    var script = LANEndScript(end, isGateway: false, bytes)
    script.run()
}

/// The same to a gateway's end.
func fuzzLANGateway(_ bytes: [UInt8]) {
    let end = LANGatewayEngine(configuration: .fuzzed, random: .seeded(1), at: .zero)
    var script = LANEndScript(end, isGateway: true, bytes)
    script.run()
}

extension LANEndpointConfiguration {
    fileprivate static var fuzzed: LANEndpointConfiguration {
        LANEndpointConfiguration(room: "a", mac: MACAddress(bits: 0x024C_414E_0101), key: "key")
    }
}

private struct LANEndScript<End: LANEndpoint> {
    private var script: LANScriptBytes
    private var end: End
    private let isGateway: Bool
    private var table = PeerTable<Void>()
    /// Connections that stand.
    private var relays: [PeerID] = []
    /// Connections that were asked for and of which nothing has come.
    private var opening = 0
    private var isOver = false
    private var out = LANOutbox()
    private var now = Instant.zero
    /// The last datagrams and frames that it sent, for relays and LANs that send them back.
    private var echoes: [[UInt8]] = []

    init(_ end: End, isGateway: Bool, _ bytes: [UInt8]) {
        self.end = end
        self.isGateway = isGateway
        script = LANScriptBytes(bytes)
    }

    mutating func run() {
        end.start(at: now, into: &out)
        drain([])
        for _ in 0..<2000 {
            guard let operation = script.operation() else { break }
            step(operation)
        }
        end.leave(at: now, into: &out)
        drain([])
        precondition(isOver && end.status.phase == .ended, "leaving does not end it")
        precondition(end.nextDeadline == nil)
    }

    private mutating func step(_ operation: UInt8) {
        let pick = script.next()
        switch operation % 16 {
        case 0: connect(pick)
        case 1: disconnect(pick)
        case 2:
            now = now + .milliseconds(Int(pick) * Int(script.next()))
            settle()
        case 3: welcome(pick)
        case 4, 5: say(pick)
        case 6: control(ByteBuffer(bytes: script.take(Int(pick))), pick)
        case 7: datagram(script.take(script.length(atMost: 2047)), pick)
        case 8: wrapped(frame(pick), pick)
        case 9: parts(frame(pick), pick)
        case 10, 11: card(frame(pick))
        case 12: card(script.take(script.length(atMost: 2047)))
        case 13: echo(pick)
        case 14: datagram(header(pick), pick)
        default:
            if pick % 4 == 0 { end.networkChanged(at: now, into: &out) }
            if pick % 4 == 1 { end.askForStats(into: &out) }
            if pick % 4 > 1, let relay = relay(pick) { end.setDatagram(script.length(atMost: 1600), of: relay) }
            drain([])
        }
    }

    private func relay(_ pick: UInt8) -> PeerID? {
        relays.isEmpty ? nil : relays[Int(pick) % relays.count]
    }

    // MARK: Connections

    private mutating func connect(_ pick: UInt8) {
        guard opening > 0 else { return }
        opening -= 1
        let relay = table.insert { _ in }
        relays.append(relay)
        end.connect(relay, datagram: 1000 + Int(pick) * 2, at: now, into: &out)
        drain([])
    }

    private mutating func disconnect(_ pick: UInt8) {
        let losses: [RelayLoss] = [.unreachable("silence"), .forgotten, .untrusted("another")]
        let loss = losses[Int(pick >> 4) % losses.count]
        if pick & 1 == 0, let relay = relay(pick >> 1) {
            forget(relay)
            end.disconnect(relay, loss, at: now, into: &out)
        } else if opening > 0 {
            opening -= 1
            end.disconnect(nil, loss, at: now, into: &out)
        }
        drain([])
    }

    private mutating func forget(_ relay: PeerID) {
        relays.removeAll { $0 == relay }
        table.remove(relay)
    }

    private mutating func settle() {
        var rounds = 0
        while let due = end.nextDeadline, due <= now {
            end.advance(to: now, into: &out)
            drain([])
            rounds += 1
            precondition(rounds < 100, "the engine is never done")
        }
    }

    // MARK: What the relay says

    private mutating func control(_ bytes: ByteBuffer, _ pick: UInt8) {
        guard let relay = relay(pick) else { return }
        end.receiveControl(bytes, from: relay, at: now, into: &out)
        drain([])
    }

    private mutating func welcome(_ pick: UInt8) {
        let welcome = ControlMessage.Welcome(
            peer: Int(pick), mtu: pick & 0xF0 == 0xF0 ? Int(pick) * 8 : 1500, tapMTU: 1280 + Int(pick & 127),
            hasGateway: pick & 2 == 0, isIsolated: pick & 4 == 0)
        control(ControlMessage.welcome(welcome).frame(), pick)
    }

    private mutating func say(_ pick: UInt8) {
        let number = Int(script.next())
        let codes = HelloRefusal.allCases.map(\.rawValue) + ["replaced", "kicked", "banned", "server_stopping", "x"]
        let code = codes[number % codes.count]
        let message: ControlMessage =
            switch pick >> 4 {
            case 0: .reject(code: code, sentence: "no")
            case 1: .disconnect(code: code, sentence: "bye")
            case 2...9: .peerJoined(notice(number))
            case 10, 11: .peerLeft(peer: number, reason: "left")
            case 12: .stats(TunnelStats(), drops: [.macSpoof: number])
            case 13: .unknown("later")
            case 14: .getStats
            default: .hello(.init(role: .client, room: "a", mac: .zero, datagram: number))
            }
        control(message.frame(), pick)
    }

    private func notice(_ number: Int) -> ControlMessage.PeerNotice {
        ControlMessage.PeerNotice(
            peer: number, role: number == 1 ? .gateway : .client,
            mac: MACAddress(bits: 0x024C_414E_0100 + UInt64(number & 15)), name: "somebody")
    }

    // MARK: Datagrams and frames

    private mutating func datagram(_ bytes: [UInt8], _ pick: UInt8) {
        guard let relay = relay(pick) else { return }
        end.receiveDatagram(bytes.span.bytes, from: relay, at: now, into: &out)
        drain(bytes)
    }

    private mutating func header(_ pick: UInt8) -> [UInt8] {
        let number = UInt16(script.next())
        return (pick & 1 == 0 ? OverlayHeader(ping: number) : OverlayHeader(pong: number)).octets
    }

    private mutating func wrapped(_ frame: [UInt8], _ pick: UInt8) {
        datagram(OverlayHeader(whole: frame.count).octets + frame, pick)
    }

    private mutating func parts(_ frame: [UInt8], _ pick: UInt8) {
        let choice = script.next()
        let cut = max(1, frame.count * Int(choice) / 256)
        let halves = [0..<cut, cut..<frame.count]
        for range in choice & 1 == 0 ? halves : halves.reversed() {
            let header = OverlayHeader(part: UInt16(choice >> 4), of: frame.count, at: range.lowerBound)
            datagram(header.octets + frame[range], pick)
        }
    }

    private mutating func frame(_ pick: UInt8) -> [UInt8] {
        let (to, from) = (script.next(), script.next())
        let destination = to & 3 == 0 ? MACAddress.broadcast : MACAddress(bits: 0x024C_414E_0100 + UInt64(to >> 2 & 15))
        let source = MACAddress(bits: 0x024C_414E_0100 + UInt64(from & 15))
        let body = script.take(script.length(atMost: 600))
        let padding = pick & 64 == 0 ? 0 : max(0, 1500 - body.count)
        return destination.octets + source.octets + body + [UInt8](repeating: pick, count: padding)
    }

    private mutating func card(_ frame: [UInt8]) {
        end.receiveFrame(frame.span.bytes, at: now, into: &out)
        drain(frame)
    }

    /// What it sent comes back, from the LAN or from the relay: its own probes, above all.
    private mutating func echo(_ pick: UInt8) {
        guard !echoes.isEmpty else { return }
        let frame = echoes[Int(pick >> 1) % echoes.count]
        if pick & 1 == 0 { card(frame) } else { wrapped(frame, pick) }
    }

    // MARK: What it wants

    private mutating func drain(_ input: [UInt8]) {
        for effect in out.effects {
            if isOver {
                // A connection that comes too late is closed.
                guard case .close(let relay, _) = effect else { preconditionFailure("something follows the end") }
                forget(relay)
                continue
            }
            switch effect {
            case .datagram(let header, let bytes, let relay, _):
                precondition(relays.contains(relay), "a datagram on a connection that has gone")
                let payload = out.octets(of: bytes, input: input)
                let datagram = header.octets + payload
                precondition(OverlayHeader(datagram.span.bytes) == header)
                if header.kind == .whole { remember(payload) }
            case .control(let message, let relay):
                precondition(relays.contains(relay), "a message on a connection that has gone")
                precondition(message.readableBytes <= 4 + ControlReader.maxLength)
            case .deliver(let bytes): check(delivered: out.octets(of: bytes, input: input))
            case .close(let relay, _): forget(relay)
            case .open:
                opening += 1
                precondition(opening <= 12, "connections are opened without a bound")
            case .join(let welcome): precondition((1280...1500).contains(welcome.mtu))
            case .finish: isOver = true
            case .emit: break
            }
        }
        out.removeAll()
    }

    private mutating func remember(_ frame: [UInt8]) {
        if echoes.count == 8 { echoes.removeFirst() }
        echoes.append(frame)
    }

    /// Nothing reaches a card that is no frame, and nothing a LAN that a switch would not pass.
    private mutating func check(delivered frame: [UInt8]) {
        precondition((14...1514).contains(frame.count) && MACAddress(frame, at: 6).isStation)
        if isGateway { precondition(FrameFilter.linkReason(against: frame.span.bytes, maxFrame: 1514) == nil) }
        remember(frame)
    }
}
