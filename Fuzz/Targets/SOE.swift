import NIOCore
import RelayCore
import RelayTesting
import SOE

/// Whatever is opened is a part of what came, and whatever it says can be read to its end.
func fuzzSOEWire(_ bytes: [UInt8]) {
    guard let choice = bytes.first else { return }
    let dialect = SOEDialect.all[Int(choice) % SOEDialect.all.count]
    let response = SessionResponse(
        sessionID: 1, crcSeed: 2, crcLength: choice >> 2 & 3, firstPass: choice >> 4 & 1, secondPass: choice >> 3 & 4,
        udpLength: 512)
    guard let coding = try? PacketCoding(response: response, dialect: dialect) else { return }
    var datagram = ByteBuffer(bytes: bytes.dropFirst())
    coding.crc.append(to: &datagram, from: 0)
    precondition(coding.crc.verifies(datagram))
    switch try? coding.open(datagram, zlib: ZlibCodec()) {
    case .packet(let code, let body)?: readSOEPacket(code, body)
    case .raw(let data)?: precondition(data.readableBytes <= 1 << 15)
    case nil: break
    }
    for read in [readSOERequest, readSOEResponse] { read(ByteBuffer(bytes: bytes)) }
}

private func readSOERequest(_ bytes: ByteBuffer) {
    var body = bytes
    guard let request = try? SessionRequest.decode(from: &body) else { return }
    var again = ByteBuffer()
    request.encode(into: &again)
    precondition(bytes.readableBytesView.starts(with: again.readableBytesView))
}

private func readSOEResponse(_ bytes: ByteBuffer) {
    var body = bytes
    guard let response = try? SessionResponse.decode(from: &body) else { return }
    var again = ByteBuffer()
    response.encode(into: &again)
    precondition(bytes.readableBytesView.starts(with: again.readableBytesView))
}

private func readSOEPacket(_ code: OpCode, _ body: ByteBuffer) {
    var rest = body
    switch code {
    case .multiPacket:
        var reader = MultiPacketReader(body: body)
        var total = 0
        while let part = try? reader.next() { total += part.readableBytes + 1 }
        precondition(total <= body.readableBytes)
    case .dataBundle:
        var reader = DataBundleReader(body: body)
        var total = 0
        while let message = reader.next() { total += message.readableBytes + 1 }
        precondition(total <= body.readableBytes)
    case .disconnect: _ = try? Disconnect.decode(from: &rest)
    case .remapConnection: _ = try? RemapConnection.decode(from: &rest)
    case .netStatusRequest: _ = try? NetStatusRequest.decode(from: &rest)
    case .netStatusResponse: _ = try? NetStatusResponse.decode(from: &rest)
    default: break
    }
}

/// The bytes are a script: what three peers, who know the CRCs of their sessions, do to an engine that also asks one of
/// them for a session.
func fuzzSOEEngine(_ bytes: [UInt8]) {
    var script = SOEScript(bytes)
    script.run()
}

private struct SOEScript {
    private var rest: ArraySlice<UInt8>
    private var engine: SOEEngine
    private var now = Instant.zero
    private var out = DatagramOutbox()
    private var codings: [Endpoint: PacketCoding] = [:]
    /// The last session id that a peer or the engine chose.
    private var ids: [Endpoint: UInt32] = [:]
    private var sessions: [PeerID] = []
    private let isCompressed: Bool

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
        let choice = rest.popFirst() ?? 0
        var configuration = SOEConfiguration()
        configuration.parameters.dialect = SOEDialect.all[Int(choice) % SOEDialect.all.count]
        configuration.parameters.dialect.chainsXor = false
        configuration.parameters.crcLength = Int(choice >> 2 & 3)
        configuration.parameters.compression = choice & 16 != 0
        configuration.parameters.key = choice & 32 != 0 ? RC4Key([choice]) : nil
        configuration.parameters.maxMessage = 20_000
        configuration.parameters.maxQueued = 30_000
        configuration.opensAtRequest = choice & 64 != 0
        configuration.parameters.acknowledgesEach = choice & 128 != 0
        configuration.maxHeldBytes = 60_000
        isCompressed = configuration.parameters.compression
        engine = SOEEngine(configuration: configuration, random: .seeded(1))
    }

    private func endpoint(_ pick: UInt8) -> Endpoint {
        Endpoint(address: IPAddress(ipv4: 0xC000_0200), port: UInt16(pick % 3))
    }

    mutating func run() {
        for _ in 0..<2000 {
            guard let operation = rest.popFirst(), let pick = rest.popFirst() else { break }
            let peer = endpoint(pick)
            switch operation % 12 {
            case 0: request(pick, from: peer)
            case 1...4: packet(pick, from: peer)
            case 5: receive(take(Int(pick)), from: peer)
            case 6: enqueue(pick)
            case 7: now = now + .milliseconds(Int(pick) * Int(pick))
            case 8: answer(pick, from: peer)
            case 9: if let id = sessions.last { engine.disconnect(id, at: now, into: &out) }
            case 10:
                if let id = sessions.last { engine.encrypt(id, with: pick & 1 == 0 ? nil : RC4Key([pick])) }
            default:
                if let id = try? engine.connect(to: peer, at: now, into: &out) { sessions.append(id) }
            }
            drain()
            settle()
        }
        engine.stop(at: now, into: &out)
        drain()
        for _ in 0..<100 {
            now = now + .seconds(2)
            settle()
        }
        precondition(engine.sessionCount == 0 && engine.nextDeadline == nil)
    }

    private mutating func settle() {
        var rounds = 0
        repeat {
            engine.advance(to: now, into: &out)
            drain()
            rounds += 1
            precondition(rounds < 1000, "the engine is never done")
        } while engine.nextDeadline.map { $0 <= now } ?? false
    }

    private mutating func drain() {
        for index in 0..<out.datagramCount {
            let (bytes, endpoint) = out.datagram(at: index)
            var body = bytes
            switch body.readInteger(as: UInt16.self) {
            case 1: ids[endpoint] = (try? SessionRequest.decode(from: &body))?.sessionID
            case 2:
                guard let response = try? SessionResponse.decode(from: &body) else { continue }
                codings[endpoint] = try? PacketCoding(response: response, dialect: .v3)
            default: precondition(bytes.readableBytes <= 8192)
            }
        }
        for index in 0..<out.effectCount {
            if case .emit(let event) = out.effect(at: index), case .opened(let id, _)? = event as? SOEEvent {
                sessions.append(id)
            }
        }
        out.removeAll()
    }

    private mutating func request(_ pick: UInt8, from peer: Endpoint) {
        var bytes = ByteBuffer(bytes: [0, 1])
        SessionRequest(
            version: pick & 16 == 0 ? 3 : 2, sessionID: UInt32(pick / 32), udpLength: UInt32(pick) << 3,
            protocolName: ""
        ).encode(into: &bytes)
        engine.receive(bytes, from: peer, at: now, into: &out)
    }

    /// A client's session is answered as a server might.
    private mutating func answer(_ pick: UInt8, from peer: Endpoint) {
        guard let id = ids[peer] else { return }
        let response = SessionResponse(
            sessionID: id, crcSeed: UInt32(pick), crcLength: pick & 7, firstPass: isCompressed ? 1 : 0,
            udpLength: UInt32(pick) << 2)
        codings[peer] = try? PacketCoding(response: response, dialect: .v3)
        var bytes = ByteBuffer(bytes: [0, 2])
        response.encode(into: &bytes)
        engine.receive(bytes, from: peer, at: now, into: &out)
    }

    /// A packet with a CRC that fits.
    private mutating func packet(_ pick: UInt8, from peer: Endpoint) {
        let count = Int(rest.popFirst() ?? 0)
        var bytes = ByteBuffer(bytes: [0, pick / 3 % 0x21])
        if isCompressed { bytes.writeInteger(rest.popFirst() ?? 0) }
        bytes.writeBytes(take(count))
        codings[peer]?.crc.append(to: &bytes, from: 0)
        engine.receive(bytes, from: peer, at: now, into: &out)
    }

    private mutating func receive(_ bytes: [UInt8], from peer: Endpoint) {
        engine.receive(ByteBuffer(bytes: bytes), from: peer, at: now, into: &out)
    }

    private mutating func enqueue(_ pick: UInt8) {
        guard let id = sessions.last, let channel = SOEChannel(rawValue: pick % 7) else { return }
        let message = ByteBuffer(repeating: pick, count: Int(pick) * Int(rest.popFirst() ?? 0))
        _ = engine.enqueue(message, on: channel, to: id, at: now)
    }

    private mutating func take(_ count: Int) -> [UInt8] {
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }
}
