import NIOCore
import RelayCore
import Testing

@testable import SOE

/// An engine in virtual time, and peers whose datagrams are written by hand.
struct Desk {
    var engine: SOEEngine
    private(set) var now = Instant.zero
    private(set) var events: [SOEEvent] = []
    private(set) var messages: [(peer: PeerID, channel: UInt8, bytes: [UInt8])] = []
    private var sent: [Endpoint: [[UInt8]]] = [:]
    private var out = DatagramOutbox()

    init(_ configuration: SOEConfiguration = Desk.configuration, seed: UInt64 = 1) {
        engine = SOEEngine(configuration: configuration, random: .seeded(seed))
    }

    static var configuration: SOEConfiguration {
        var configuration = SOEConfiguration()
        configuration.parameters.protocolName = "Test"
        return configuration
    }

    mutating func receive(_ bytes: [UInt8], from endpoint: Endpoint) {
        engine.receive(ByteBuffer(bytes: bytes), from: endpoint, at: now, into: &out)
        drain()
        settle()
    }

    mutating func enqueue(_ bytes: [UInt8], on channel: SOEChannel = .reliable0, to peer: PeerID) -> EnqueueResult {
        engine.enqueue(ByteBuffer(bytes: bytes), on: channel, to: peer, at: now)
    }

    mutating func sendFull(to peer: PeerID, fewest: Int = 1) -> Bool {
        defer { drain() }
        return engine.sendFull(to: peer, fewest: fewest, at: now, into: &out)
    }

    mutating func connect(to endpoint: Endpoint, _ parameters: SOEParameters? = nil) throws -> PeerID {
        let peer = try engine.connect(to: endpoint, parameters: parameters, at: now, into: &out)
        settle()
        return peer
    }

    mutating func disconnect(_ peer: PeerID, _ reason: DisconnectReason = .application) {
        engine.disconnect(peer, reason: reason, at: now, into: &out)
        settle()
    }

    mutating func stop() {
        engine.stop(at: now, into: &out)
        settle()
    }

    /// Ends a turn: what is due is done.
    mutating func settle() {
        repeat {
            engine.advance(to: now, into: &out)
            drain()
        } while engine.nextDeadline.map { $0 <= now } ?? false
    }

    /// Lets time pass, stopping at each deadline on the way.
    mutating func advance(by duration: Duration) {
        let end = now + duration
        settle()
        while let deadline = engine.nextDeadline, deadline <= end {
            now = max(now, deadline)
            settle()
        }
        now = end
    }

    /// Takes what was sent to somebody since the last call.
    mutating func take(_ endpoint: Endpoint) -> [[UInt8]] {
        sent.removeValue(forKey: endpoint) ?? []
    }

    /// How the sessions ended, in order.
    var closed: [DisconnectReason] {
        events.compactMap { if case .closed(_, let reason, _, _) = $0 { reason } else { nil } }
    }

    var opened: [PeerID] { events.compactMap { if case .opened(let peer, _) = $0 { peer } else { nil } } }

    private mutating func drain() {
        for index in 0..<out.datagramCount {
            let (bytes, endpoint) = out.datagram(at: index)
            sent[endpoint, default: []].append(Array(bytes.readableBytesView))
        }
        for index in 0..<out.effectCount {
            switch out.effect(at: index) {
            case .deliver(let bytes, let peer, let channel):
                messages.append((peer, channel, Array(bytes.readableBytesView)))
            case .emit(let event):
                if let event = event as? SOEEvent { events.append(event) }
            }
        }
        out.removeAll()
    }
}

/// The other end of a session, written by hand: it knows how packets are sealed, and nothing else.
struct HandPeer {
    let endpoint: Endpoint
    var sessionID: UInt32 = 0x0BAD_CAFE
    var coding = PacketCoding(crc: .none)
    var zlib = ZlibCodec()

    init(_ endpoint: Endpoint = Place.client()) {
        self.endpoint = endpoint
    }

    func request(name: String? = "Test", version: UInt32 = 3, udpLength: UInt32 = 512) -> [UInt8] {
        var bytes = ByteBuffer()
        bytes.writeOpCode(.sessionRequest)
        SessionRequest(
            version: version, sessionID: sessionID, udpLength: udpLength, protocolName: name.map { ProtocolName($0) }
        ).encode(into: &bytes)
        return Array(bytes.readableBytesView)
    }

    /// Asks an engine for a session and learns from its answer.
    @discardableResult
    mutating func shakeHands(
        with desk: inout Desk, dialect: SOEDialect = .v3, name: String? = "Test", version: UInt32 = 3
    ) throws -> SessionResponse {
        desk.receive(request(name: name, version: version), from: endpoint)
        let answer = try #require(desk.take(endpoint).last)
        #expect(answer.starts(with: [0, 2]))
        var body = ByteBuffer(bytes: answer.dropFirst(2))
        let response = try SessionResponse.decode(from: &body)
        coding = try PacketCoding(response: response, dialect: dialect)
        return response
    }

    /// Opens a session with an engine, and its first packet.
    mutating func open(
        with desk: inout Desk, dialect: SOEDialect = .v3, name: String? = "Test", version: UInt32 = 3
    ) throws -> PeerID {
        try shakeHands(with: &desk, dialect: dialect, name: name, version: version)
        desk.receive(packet(.heartbeat), from: endpoint)
        _ = desk.take(endpoint)
        return try #require(desk.opened.last)
    }

    /// Answers the request of an engine's client.
    mutating func accept(
        from desk: inout Desk, at client: Endpoint? = nil, crcLength: UInt8 = 2, dialect: SOEDialect = .v3
    ) throws {
        let request = try #require(desk.take(endpoint).first)
        var body = ByteBuffer(bytes: request.dropFirst(2))
        sessionID = try SessionRequest.decode(from: &body).sessionID
        let response = SessionResponse(
            sessionID: sessionID, crcSeed: 77, crcLength: crcLength, udpLength: 512, version: 3)
        coding = try PacketCoding(response: response, dialect: dialect)
        desk.receive(answer(response), from: endpoint)
    }

    func answer(_ response: SessionResponse) -> [UInt8] {
        var bytes = ByteBuffer()
        bytes.writeOpCode(.sessionResponse)
        response.encode(into: &bytes)
        return Array(bytes.readableBytesView)
    }

    /// A sealed packet.
    func packet(_ code: OpCode, _ body: [UInt8] = []) -> [UInt8] {
        var bytes = ByteBuffer()
        bytes.writeOpCode(code)
        bytes.writeRepeatingByte(0, count: coding.gap)
        bytes.writeBytes(body)
        coding.seal(&bytes, from: 0, isRaw: false, zlib: zlib)
        return Array(bytes.readableBytesView)
    }

    func reliable(_ sequence: UInt16, _ data: [UInt8], _ code: OpCode = .reliableData0) -> [UInt8] {
        packet(code, be(sequence) + data)
    }

    /// The packets in a datagram of the engine's, those of MultiPackets one by one.
    func read(_ datagram: [UInt8]) -> [(code: OpCode, body: [UInt8])] {
        guard case .packet(let code, let body)? = try? coding.open(ByteBuffer(bytes: datagram), zlib: zlib) else {
            return []
        }
        guard code == .multiPacket else { return [(code, Array(body.readableBytesView))] }
        var reader = MultiPacketReader(body: body)
        var packets: [(code: OpCode, body: [UInt8])] = []
        while let part = try? reader.next() {
            let bytes = Array(part.readableBytesView)
            packets.append((OpCode(rawValue: bytes[1]) ?? .big, Array(bytes.dropFirst(2))))
        }
        return packets
    }

    /// All packets that the engine has sent since the last call.
    func takePackets(_ desk: inout Desk) -> [(code: OpCode, body: [UInt8])] {
        desk.take(endpoint).flatMap { read($0) }
    }
}

func be(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
}
