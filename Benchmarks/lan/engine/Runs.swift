import LANBridge
import RelayCore

/// The filter of a room with one client, which judges frames of both sides in turn.
struct FilterRun {
    private var filter = FrameFilter(mtu: FrameBudget.fullMTU, at: .zero)
    private let port: ClientPort
    private var now = Instant.zero

    init() {
        filter.clientLimits = .ample
        guard let port = filter.addClient(Frames.client, at: now) else { preconditionFailure("no place for a client") }
        self.port = port
    }

    /// Returns how many passed.
    mutating func judge(_ count: Int) -> Int {
        let (outward, inward) = (Frames.fromClient, Frames.fromLAN)
        var passed = 0
        for number in 0..<count {
            now = now.after(20_000)
            let frame = number % 2 == 0 ? outward[number / 2 % outward.count] : inward[number / 2 % inward.count]
            let verdict =
                number % 2 == 0
                ? filter.judge(frame.span.bytes, from: port, at: now)
                : filter.judgeFromGateway(frame.span.bytes, at: now)
            if case .forward = verdict { passed += 1 }
        }
        return passed
    }
}

/// A relay with a room of a gateway and a client, which send in turn.
struct RelayRun {
    private var engine: LANRelayEngine
    private var out = LANOutbox()
    private var now = Instant.zero
    private let gateway = PeerID(slot: 0, generation: 0)
    private let client = PeerID(slot: 1, generation: 0)
    private let outward = Frames.fromClient.map(Frames.datagram)
    private let inward = Frames.fromLAN.map(Frames.datagram)

    init() {
        var configuration = LANBridgeConfiguration()
        configuration.limits = .ample
        engine = LANRelayEngine(configuration: configuration)
        join(gateway, .gateway, Frames.gateway)
        join(client, .client, Frames.client)
    }

    private mutating func join(_ peer: PeerID, _ role: FrameSender, _ mac: MACAddress) {
        let from = Endpoint(address: IPAddress(ipv4: 0x0A00_0001), port: 40_000)
        engine.connect(peer, from: from, datagram: 1412, at: now, into: &out)
        let hello = ControlMessage.Hello(role: role, room: "party", mac: mac, datagram: 1522)
        engine.receiveControl(ControlMessage.hello(hello).frame(), from: peer, at: now, into: &out)
        out.removeAll()
    }

    /// Returns how many frames went on.
    mutating func forward(_ count: Int) -> Int {
        var forwarded = 0
        for number in 0..<count {
            now = now.after(20_000)
            let isOutward = number % 2 == 0
            let datagram = isOutward ? outward[number / 2 % outward.count] : inward[number / 2 % inward.count]
            engine.receiveDatagram(datagram.span.bytes, from: isOutward ? client : gateway, at: now, into: &out)
            for index in out.effects.indices {
                if case .datagram = out.effects[index] { forwarded += 1 }
            }
            out.removeAll()
        }
        return forwarded
    }
}
