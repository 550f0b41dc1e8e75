import LANBridge
import NIOCore
import RelayCore

/// A relay, ends of the tunnel and a LAN with a switch, in virtual time. Connections are as QUIC's: a handshake, one reliable
/// stream, datagrams that may be lost, an end after 30 seconds of silence, and a reset from a relay that was started anew.
final class LANWorld {
    /// Who is plugged into the LAN's switch.
    enum Port: Hashable {
        case end(Int)
        case station(MACAddress)
    }

    struct End {
        var engine: any LANEndpoint
        var mac: MACAddress
        var address: IPAddress
        var isUp = true
        var isAlive = true
        /// The card leads to the LAN: always a gateway's, of a client's that is a second bridge.
        var isOnLAN: Bool
        var received: [[UInt8]] = []
        var events: [LANEndpointEvent] = []
        var finish: CloseReason?
        var opened = 0
    }

    struct Connection {
        var end: Int
        var generation: Int
        var relayGeneration: Int
        var relayPeer: PeerID?
        var heardByEnd: Instant
        var heardByRelay: Instant
        var isOpenAtEnd = true
        var stands = false
    }

    enum Message {
        case hello
        case accepted
        case control(ByteBuffer)
        case datagram([UInt8])
        case close
        case reset
    }

    enum Event {
        case toRelay(UInt32, Message)
        case toEnd(UInt32, Message)
        case handshakeTimeout(UInt32)
        case lanFrame([UInt8], to: Port)
    }

    private struct Scheduled {
        var at: Instant
        var serial: Int
        var event: Event
    }

    var now = Instant.zero
    var relay: LANRelayEngine?
    var delay = Duration.milliseconds(10)
    var maxDatagram = 1412
    private let configuration: LANBridgeConfiguration
    private(set) var ends: [End] = []
    private(set) var relayEvents: [LANRelayEvent] = []
    private(set) var stationFrames: [MACAddress: [[UInt8]]] = [:]
    /// Frames that the gateway's switch has passed: storms show here.
    private(set) var lanFrameCount = 0
    private var stations: Set<MACAddress> = []
    private var switchTable: [MACAddress: Port] = [:]
    private var connections: [UInt32: Connection] = [:]
    private var relayPeers: [PeerID: UInt32] = [:]
    private var relayTable = PeerTable<Void>()
    private var relayGeneration = 0
    private var queue: [Scheduled] = []
    private var serial = 0
    private var nextConnection: UInt32 = 0
    private var out = LANOutbox()

    init(_ configuration: LANBridgeConfiguration = .init()) {
        self.configuration = configuration
        relay = LANRelayEngine(configuration: configuration)
    }

    // MARK: Who is there

    static func configuration(_ mac: UInt64, room: String = "lan", key: String? = nil) -> LANEndpointConfiguration {
        LANEndpointConfiguration(room: room, mac: MACAddress(bits: mac), key: key ?? "key of \(mac)")
    }

    @discardableResult
    func addClient(_ configuration: LANEndpointConfiguration, from address: String = "192.0.2.1") -> Int {
        let engine = LANClientEngine(configuration: configuration, random: .seeded(UInt64(ends.count)), at: now)
        return add(engine, configuration, address, isOnLAN: false)
    }

    @discardableResult
    func addGateway(_ configuration: LANEndpointConfiguration, from address: String = "198.51.100.1") -> Int {
        let engine = LANGatewayEngine(configuration: configuration, random: .seeded(UInt64(ends.count)), at: now)
        return add(engine, configuration, address, isOnLAN: true)
    }

    private func add(
        _ engine: any LANEndpoint, _ configuration: LANEndpointConfiguration, _ address: String, isOnLAN: Bool
    ) -> Int {
        ends.append(
            End(
                engine: engine, mac: configuration.mac, address: IPAddress(address) ?? .anyIPv6, isOnLAN: isOnLAN))
        let end = ends.count - 1
        withEnd(end) { engine, now, out in engine.start(at: now, into: &out) }
        return end
    }

    func addStation(_ mac: UInt64) { stations.insert(MACAddress(bits: mac)) }

    /// A client's machine bridges its virtual card with a card on the LAN.
    func bridge(_ end: Int, _ isOnLAN: Bool) { ends[end].isOnLAN = isOnLAN }

    // MARK: What befalls them

    func killRelay() {
        relay = nil
        relayPeers = [:]
        for id in connections.keys { connections[id]?.relayPeer = nil }
    }

    func startRelay() {
        relayGeneration += 1
        relayTable = PeerTable<Void>()
        relay = LANRelayEngine(configuration: configuration)
    }

    /// The process is gone at once; its relay does not know.
    func kill(_ end: Int) {
        ends[end].isAlive = false
        ends[end].isOnLAN = false
        for id in connections.keys where connections[id]?.end == end { connections[id]?.isOpenAtEnd = false }
    }

    func setLink(_ end: Int, isUp: Bool, isTold: Bool = true) {
        ends[end].isUp = isUp
        if isUp, isTold { withEnd(end) { engine, now, out in engine.networkChanged(at: now, into: &out) } }
    }

    func askForStats(_ end: Int) { withEnd(end) { engine, _, out in engine.askForStats(into: &out) } }

    func leave(_ end: Int) { withEnd(end) { engine, now, out in engine.leave(at: now, into: &out) } }

    /// The end's connections do not survive: its NAT forgot them, say.
    func cutConnections(of end: Int) {
        for id in connections.keys where connections[id]?.end == end { connections[id]?.generation = -1 }
    }

    // MARK: Frames

    func send(_ frame: [UInt8], from end: Int) {
        withEnd(end, input: frame) { engine, now, out in
            engine.receiveFrame(frame.span.bytes, at: now, into: &out)
        }
    }

    func sendOnLAN(_ frame: [UInt8], from station: UInt64) { onLAN(frame, from: .station(MACAddress(bits: station))) }

    /// What a card was handed since the last time, but for frames of the tunnel's own.
    func take(_ end: Int) -> [[UInt8]] {
        defer { ends[end].received = [] }
        return ends[end].received.filter { !Self.isOwn($0) }
    }

    func take(station: UInt64) -> [[UInt8]] {
        (stationFrames.removeValue(forKey: MACAddress(bits: station)) ?? []).filter { !Self.isOwn($0) }
    }

    /// How many connections the ends or the relay still know.
    var connectionCount: Int { connections.count }

    func status(_ end: Int) -> TunnelStatus { ends[end].engine.status }

    func events(_ end: Int) -> [String] { ends[end].events.map(\.name) }

    private func onLAN(_ frame: [UInt8], from port: Port) {
        lanFrameCount += 1
        let (destination, source) = (Self.mac(frame, 0), Self.mac(frame, 6))
        switchTable[source] = port
        if !destination.isGroup, let known = switchTable[destination] {
            if known != port { schedule(.lanFrame(frame, to: known), after: .microseconds(50)) }
            return
        }
        for end in ends.indices where ends[end].isOnLAN && port != .end(end) {
            schedule(.lanFrame(frame, to: .end(end)), after: .microseconds(50))
        }
        for station in stations where port != .station(station) {
            schedule(.lanFrame(frame, to: .station(station)), after: .microseconds(50))
        }
    }

    private static func isOwn(_ frame: [UInt8]) -> Bool { frame[12] == 0x88 && frame[13] == 0xB5 }

    static func mac(_ frame: [UInt8], _ offset: Int) -> MACAddress {
        MACAddress(bits: frame[offset..<offset + 6].reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// The port of the switch behind which an address is.
    func port(of mac: UInt64) -> Port? { switchTable[MACAddress(bits: mac)] }

    // MARK: Time

    func run(for duration: Duration) {
        let end = now + duration
        while let next = nextInstant, next <= end {
            now = max(now, next)
            step()
        }
        now = end
    }

    /// Runs until something holds; `false` if it does not within a time.
    func run(until condition: (LANWorld) -> Bool, within limit: Duration) -> Bool {
        let end = now + limit
        while !condition(self) {
            guard let next = nextInstant, next <= end else {
                now = end
                return condition(self)
            }
            now = max(now, next)
            step()
        }
        return true
    }

    private var nextInstant: Instant? {
        var next = queue.first?.at
        for end in ends where end.isAlive {
            if let due = end.engine.nextDeadline { next = min(next ?? due, due) }
        }
        if let due = relay?.nextDeadline { next = min(next ?? due, due) }
        for connection in connections.values {
            if connection.isOpenAtEnd { next = min(next ?? .never, connection.heardByEnd + .seconds(30)) }
            if connection.relayPeer != nil { next = min(next ?? .never, connection.heardByRelay + .seconds(30)) }
        }
        return next
    }

    private func step() {
        while let first = queue.first, first.at <= now {
            let due = queue.prefix { $0.at <= now }
            queue.removeFirst(due.count)
            for entry in due { handle(entry.event) }
        }
        for end in ends.indices where ends[end].isAlive {
            if let due = ends[end].engine.nextDeadline, due <= now {
                withEnd(end) { engine, now, out in engine.advance(to: now, into: &out) }
            }
        }
        if let due = relay?.nextDeadline, due <= now { withRelay { $0.advance(to: now, into: &out) } }
        for (id, connection) in connections { expire(id, connection) }
    }

    private func schedule(_ event: Event, after delay: Duration) {
        serial += 1
        let entry = Scheduled(at: now + delay, serial: serial, event: event)
        let index = queue.lastIndex { ($0.at, $0.serial) < (entry.at, entry.serial) }.map { $0 + 1 } ?? 0
        queue.insert(entry, at: index)
    }

    private func expire(_ id: UInt32, _ connection: Connection) {
        if connection.isOpenAtEnd, now - connection.heardByEnd >= .seconds(30) {
            endLost(id, .unreachable("idle"))
        }
        if let peer = connection.relayPeer, now - connection.heardByRelay >= .seconds(30) { relayLost(peer) }
        if let rest = connections[id], !rest.isOpenAtEnd, rest.relayPeer == nil { connections.removeValue(forKey: id) }
    }

    // MARK: The transport

    private func name(_ id: UInt32) -> PeerID { PeerID(slot: id, generation: 1) }

    private func transmit(_ id: UInt32, _ message: Message, toRelay: Bool) {
        schedule(toRelay ? .toRelay(id, message) : .toEnd(id, message), after: delay)
    }

    /// Whether a packet passes; what is reliable is sent again later.
    private func passes(_ id: UInt32, _ message: Message, toRelay: Bool) -> Bool {
        guard let connection = connections[id] else { return false }
        let isLost = !ends[connection.end].isUp || connection.generation < 0
        guard isLost else { return true }
        switch message {
        case .control, .hello, .accepted, .close:
            if now - connection.heardByEnd < .seconds(30) || now - connection.heardByRelay < .seconds(30) {
                schedule(toRelay ? .toRelay(id, message) : .toEnd(id, message), after: .milliseconds(300))
            }
        case .datagram, .reset: break
        }
        return false
    }

    private func handle(_ event: Event) {
        switch event {
        case .toRelay(let id, let message):
            if passes(id, message, toRelay: true) { relayReceives(id, message) }
        case .toEnd(let id, let message):
            if passes(id, message, toRelay: false) { endReceives(id, message) }
        case .handshakeTimeout(let id):
            guard let connection = connections[id], !connection.stands else { return }
            connections.removeValue(forKey: id)
            guard connection.isOpenAtEnd else { return }
            withEnd(connection.end) { engine, now, out in
                engine.disconnect(nil, .unreachable("no answer"), at: now, into: &out)
            }
        case .lanFrame(let frame, let port):
            switch port {
            case .station(let mac): stationFrames[mac, default: []].append(frame)
            case .end(let end): if ends[end].isAlive, ends[end].isOnLAN { send(frame, from: end) }
            }
        }
    }

    private func relayReceives(_ id: UInt32, _ message: Message) {
        guard let connection = connections[id], relay != nil else { return }
        if case .hello = message {
            guard connection.relayPeer == nil else { return }
            let peer = relayTable.insert { _ in }
            connections[id]?.relayPeer = peer
            connections[id]?.relayGeneration = relayGeneration
            connections[id]?.heardByRelay = now
            relayPeers[peer] = id
            let endpoint = Endpoint(address: ends[connection.end].address, port: 40_000)
            withRelay { $0.connect(peer, from: endpoint, datagram: maxDatagram, at: now, into: &out) }
            return transmit(id, .accepted, toRelay: false)
        }
        guard let peer = connection.relayPeer, connection.relayGeneration == relayGeneration, relayPeers[peer] == id
        else { return transmit(id, .reset, toRelay: false) }
        connections[id]?.heardByRelay = now
        switch message {
        case .control(let bytes): withRelay { $0.receiveControl(bytes, from: peer, at: now, into: &out) }
        case .datagram(let bytes):
            withRelay(input: bytes) { $0.receiveDatagram(bytes.span.bytes, from: peer, at: now, into: &out) }
        case .close: relayLost(peer)
        case .hello, .accepted, .reset: break
        }
    }

    private func endReceives(_ id: UInt32, _ message: Message) {
        guard let connection = connections[id], connection.isOpenAtEnd, ends[connection.end].isAlive else { return }
        let name = name(id)
        connections[id]?.heardByEnd = now
        switch message {
        case .accepted:
            connections[id]?.stands = true
            let size = maxDatagram
            withEnd(connection.end) { engine, now, out in
                engine.connect(name, datagram: size, at: now, into: &out)
            }
        case .control(let bytes):
            withEnd(connection.end) { engine, now, out in
                engine.receiveControl(bytes, from: name, at: now, into: &out)
            }
        case .datagram(let bytes):
            withEnd(connection.end, input: bytes) { engine, now, out in
                engine.receiveDatagram(bytes.span.bytes, from: name, at: now, into: &out)
            }
        case .close: endLost(id, .unreachable("closed"))
        case .reset: endLost(id, .forgotten)
        case .hello: break
        }
    }

    private func endLost(_ id: UInt32, _ loss: RelayLoss) {
        guard let connection = connections[id], connection.isOpenAtEnd else { return }
        connections[id]?.isOpenAtEnd = false
        let name = name(id)
        withEnd(connection.end) { engine, now, out in
            engine.disconnect(connection.stands ? name : nil, loss, at: now, into: &out)
        }
    }

    private func relayLost(_ peer: PeerID) {
        guard let id = relayPeers.removeValue(forKey: peer) else { return }
        connections[id]?.relayPeer = nil
        relayTable.remove(peer)
        withRelay { $0.disconnect(peer, at: now, into: &out) }
    }

    // MARK: Effects

    private func withRelay(input: [UInt8] = [], _ body: (inout LANRelayEngine) -> Void) {
        guard var engine = relay else { return }
        relay = nil
        body(&engine)
        relay = engine
        let effects = out.effects
        let scratch = out.scratch
        out.removeAll()
        for effect in effects {
            switch effect {
            case .datagram(let header, let bytes, let peer, _):
                guard let id = relayPeers[peer] else { preconditionFailure("a datagram to \(peer), which is gone") }
                let datagram = RelayDesk.bytes(header) + bytes.octets(input, scratch)
                precondition(datagram.count <= maxDatagram)
                transmit(id, .datagram(datagram), toRelay: false)
            case .control(let bytes, let peer):
                guard let id = relayPeers[peer] else { preconditionFailure("a message to \(peer), which is gone") }
                transmit(id, .control(bytes), toRelay: false)
            case .close(let peer, _):
                guard let id = relayPeers.removeValue(forKey: peer) else {
                    preconditionFailure("\(peer) was closed twice")
                }
                relayTable.remove(peer)
                transmit(id, .close, toRelay: false)
                connections[id]?.relayPeer = nil
            case .emit(let event): if let event = event as? LANRelayEvent { relayEvents.append(event) }
            case .deliver, .open, .join, .finish: preconditionFailure("a relay is no end of the tunnel")
            }
        }
    }

    private func withEnd(
        _ end: Int, input: [UInt8] = [], _ body: (inout any LANEndpoint, Instant, inout LANOutbox) -> Void
    ) {
        guard ends[end].isAlive else { return }
        body(&ends[end].engine, now, &out)
        let effects = out.effects
        let scratch = out.scratch
        out.removeAll()
        for effect in effects {
            switch effect {
            case .datagram(let header, let bytes, let peer, _):
                guard connections[peer.slot]?.isOpenAtEnd ?? false else {
                    preconditionFailure("a datagram on \(peer), which is gone")
                }
                let datagram = RelayDesk.bytes(header) + bytes.octets(input, scratch)
                precondition(datagram.count <= maxDatagram)
                transmit(peer.slot, .datagram(datagram), toRelay: true)
            case .control(let bytes, let peer):
                guard connections[peer.slot]?.isOpenAtEnd ?? false else {
                    preconditionFailure("a message on \(peer), which is gone")
                }
                transmit(peer.slot, .control(bytes), toRelay: true)
            case .close(let peer, _):
                precondition(connections[peer.slot]?.isOpenAtEnd ?? false, "\(peer) was closed twice")
                connections[peer.slot]?.isOpenAtEnd = false
                transmit(peer.slot, .close, toRelay: true)
            case .open:
                nextConnection += 1
                connections[nextConnection] = Connection(
                    end: end, generation: 0, relayGeneration: -1, heardByEnd: now, heardByRelay: now)
                ends[end].opened += 1
                transmit(nextConnection, .hello, toRelay: true)
                schedule(.handshakeTimeout(nextConnection), after: .seconds(2))
            case .deliver(let bytes):
                let frame = bytes.octets(input, scratch)
                ends[end].received.append(frame)
                if ends[end].isOnLAN { onLAN(frame, from: .end(end)) }
            case .join: break
            case .finish(let reason):
                precondition(ends[end].finish == nil)
                ends[end].finish = reason
            case .emit(let event): if let event = event as? LANEndpointEvent { ends[end].events.append(event) }
            }
        }
    }
}

extension FrameBytes {
    /// The bytes, from the input or from the outbox's memory.
    func octets(_ input: [UInt8], _ scratch: [UInt8]) -> [UInt8] {
        switch self {
        case .input(let range): Array(input[range])
        case .scratch(let range): Array(scratch[range])
        }
    }
}
