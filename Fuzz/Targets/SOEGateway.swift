import NIOCore
import RelayCore
import SOE
import SOEGateway

/// Frames are the same however their bytes were cut, and each says the same when it is written again.
func fuzzSOEGatewayWire(_ bytes: [UInt8]) {
    guard let step = bytes.first.map({ Int($0 % 61) + 1 }) else { return }
    let stream = bytes.dropFirst()
    let longest = 2000
    let (whole, error) = readFrames([ByteBuffer(bytes: stream)], longest: longest)
    let pieces = stride(from: stream.startIndex, to: stream.endIndex, by: step).map {
        ByteBuffer(bytes: stream[$0..<min($0 + step, stream.endIndex)])
    }
    let (cut, otherError) = readFrames(pieces, longest: longest)
    precondition(whole == cut && error == otherError)
    var again = ByteBuffer()
    for frame in whole { frame.encode(into: &again) }
    let (second, secondError) = readFrames([again], longest: longest)
    precondition(second == whole && secondError == nil)
}

private func readFrames(
    _ pieces: [ByteBuffer], longest: Int
) -> (frames: [BackendFrame], error: BackendFrameError?) {
    var reader = BackendFrameReader(longestBody: longest)
    var frames: [BackendFrame] = []
    for piece in pieces {
        reader.append(piece)
        do throws(BackendFrameError) {
            while let frame = try reader.next() { frames.append(frame) }
        } catch {
            return (frames, error)
        }
        precondition(reader.heldBytes < longest + BackendFrame.headSize + 4)
    }
    return (frames, nil)
}

/// The bytes are a script: what three clients, who know the CRCs of their sessions, and a backend do to a gateway.
func fuzzSOEGatewayEngine(_ bytes: [UInt8]) {
    var script = SOEGatewayScript(bytes)
    script.run()
}

private struct SOEGatewayScript {
    private var rest: ArraySlice<UInt8>
    private var engine: GatewayEngine
    private var now = Instant.zero
    private var out = GatewayOutbox()
    /// What the backend reads, and which sessions it was told of and not told the end of.
    private var reader = BackendFrameReader()
    private var known: Set<SessionNumber> = []
    private var hasGreeted = false
    private var isConnecting = false
    private var isConnected = false
    private var codings: [Endpoint: PacketCoding] = [:]
    private static let maxQueued = 30_000

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
        let choice = rest.popFirst() ?? 0
        var configuration = GatewayConfiguration()
        configuration.dialect = choice & 1 == 0 ? .v3 : .everQuest
        configuration.dialect.chainsXor = false
        configuration.crcLength = Int(choice >> 1 & 3)
        configuration.key = choice & 8 != 0 ? RC4Key([choice]) : nil
        configuration.opensAtRequest = choice & 16 != 0
        configuration.backendGrace = choice & 32 != 0 ? .zero : .seconds(20)
        configuration.statsInterval = choice & 64 != 0 ? .seconds(3) : .zero
        configuration.maxSessions = choice & 128 != 0 ? 2 : 0
        configuration.maxMessage = 20_000
        configuration.maxQueued = Self.maxQueued
        configuration.maxHeldBytes = 60_000
        engine = GatewayEngine(configuration: configuration, random: .seeded(1))
    }

    mutating func run() {
        settle()
        for _ in 0..<2000 {
            guard let operation = rest.popFirst(), let pick = rest.popFirst() else { break }
            act(operation, pick)
            drain()
            settle()
        }
        engine.stop(at: now, into: &out)
        drain()
        for _ in 0..<100 {
            now = now + .seconds(2)
            settle()
        }
        precondition(engine.sessionCount == 0 && engine.clientCount == 0 && known.isEmpty)
    }

    private mutating func act(_ operation: UInt8, _ pick: UInt8) {
        let client = Endpoint(address: IPAddress(ipv4: 0xC000_0200), port: UInt16(pick % 3))
        switch operation % 16 {
        case 0: request(pick, from: client)
        case 1...4: packet(pick, from: client)
        case 5: engine.receive(ByteBuffer(bytes: take(Int(pick))), from: client, at: now, into: &out)
        case 6: now = now + .milliseconds(Int(pick) * Int(pick))
        case 7: answerConnect(pick & 3 != 0)
        case 8: if isConnected { disconnected() }
        case 9: engine.backendWritability(is: pick & 1 == 0, at: now, into: &out)
        case 10: hear(ByteBuffer(bytes: take(Int(pick))))
        case 11: say(.hello(version: pick < 250 ? BackendFrame.version : UInt16(pick)))
        case 12:
            guard let channel = SOEChannel(rawValue: pick % 7) else { return }
            let count = Int(pick) * Int(rest.popFirst() ?? 0)
            say(.data(number(pick), channel, ByteBuffer(repeating: pick, count: count)))
        case 13: say(frame(pick))
        case 14: kick(pick)
        default: reconfigure(pick)
        }
    }

    /// A frame that is not frequent.
    private func frame(_ pick: UInt8) -> BackendFrame {
        let number = number(pick / 8)
        return switch pick % 8 {
        case 0: .closed(number, ClosedSession(reason: DisconnectReason(wire: UInt16(pick))))
        case 1: .stats(number, nil)
        case 2: .encrypt(number, EncryptionChange(toClient: true, fromClient: pick & 16 != 0, key: RC4Key([pick])))
        case 3: .encrypt(number, EncryptionChange(toClient: true, fromClient: true, key: nil))
        case 4, 5: .pause(number)
        case 6: .resume(number)
        default: .moved(number, address: "")
        }
    }

    private func number(_ pick: UInt8) -> SessionNumber {
        SessionNumber(UInt64(pick / 7 % 8) + 1)
    }

    private mutating func kick(_ pick: UInt8) {
        let rooms = engine.rooms(at: now)
        precondition(rooms.count <= 3 && engine.clientCount <= 3)
        guard !rooms.isEmpty, let peer = rooms[Int(pick) % rooms.count].peers.first.flatMap({ PeerID($0.peer) })
        else { return }
        _ = engine.kick(peer, at: now, into: &out)
    }

    private mutating func reconfigure(_ pick: UInt8) {
        var configuration = GatewayConfiguration()
        configuration.maxMessage = 10_000 + Int(pick) * 100
        configuration.maxQueued = Self.maxQueued
        configuration.maxHeldBytes = 60_000
        configuration.opensAtRequest = pick & 1 == 0
        engine.reconfigure(configuration)
    }

    // MARK: The backend

    private mutating func answerConnect(_ succeeds: Bool) {
        guard isConnecting else { return }
        isConnecting = false
        guard succeeds else {
            engine.backendDisconnected("refused", at: now, into: &out)
            return
        }
        isConnected = true
        (hasGreeted, known, reader) = (false, [], BackendFrameReader())
        engine.backendConnected(at: now, into: &out)
    }

    private mutating func disconnected() {
        (isConnected, known) = (false, [])
        engine.backendDisconnected("gone", at: now, into: &out)
    }

    private mutating func say(_ frame: BackendFrame) {
        var bytes = ByteBuffer()
        frame.encode(into: &bytes)
        hear(bytes)
    }

    private mutating func hear(_ bytes: ByteBuffer) {
        guard isConnected else { return }
        engine.receiveFromBackend(bytes, at: now, into: &out)
    }

    /// The gateway tells of each session before it speaks of it, and of none after its end.
    private mutating func read(_ bytes: ByteBuffer) {
        reader.append(bytes)
        do throws(BackendFrameError) {
            while let frame = try reader.next() { note(frame) }
        } catch {
            preconditionFailure("the gateway has sent what is no frame: \(error)")
        }
        precondition(reader.heldBytes == 0)
    }

    private mutating func note(_ frame: BackendFrame) {
        switch frame {
        case .hello(let version):
            precondition(!hasGreeted && version == BackendFrame.version)
            hasGreeted = true
            return
        case .opened(let number, _):
            precondition(known.insert(number).inserted)
        case .closed(let number, _):
            precondition(known.remove(number) != nil)
        case .data(let number, _, _), .stats(let number, _), .pause(let number), .resume(let number),
            .moved(let number, _):
            precondition(known.contains(number))
        case .encrypt:
            preconditionFailure("a frame of the backend's")
        }
        precondition(hasGreeted)
    }

    // MARK: Clients

    private mutating func request(_ pick: UInt8, from client: Endpoint) {
        var bytes = ByteBuffer(bytes: [0, 1])
        SessionRequest(
            version: pick & 16 == 0 ? 3 : 2, sessionID: UInt32(pick / 32), udpLength: UInt32(pick) << 3,
            protocolName: pick & 16 == 0 ? "p" : nil
        ).encode(into: &bytes)
        engine.receive(bytes, from: client, at: now, into: &out)
    }

    /// A packet with a CRC that fits.
    private mutating func packet(_ pick: UInt8, from client: Endpoint) {
        let count = Int(rest.popFirst() ?? 0)
        var bytes = ByteBuffer(bytes: [0, pick / 3 % 0x21])
        bytes.writeBytes(take(count))
        codings[client]?.crc.append(to: &bytes, from: 0)
        engine.receive(bytes, from: client, at: now, into: &out)
    }

    private mutating func take(_ count: Int) -> [UInt8] {
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    // MARK: What the gateway wants

    private mutating func settle() {
        var rounds = 0
        repeat {
            engine.advance(to: now, into: &out)
            drain()
            rounds += 1
            precondition(rounds < 1000, "the gateway is never done")
        } while engine.nextDeadline.map { $0 <= now } ?? false
        precondition(engine.totals.queuedBytes <= 3 * 2 * Self.maxQueued)
    }

    private mutating func drain() {
        for index in 0..<out.datagrams.datagramCount {
            let (bytes, endpoint) = out.datagrams.datagram(at: index)
            precondition(bytes.readableBytes <= 8192)
            var body = bytes
            guard body.readInteger(as: UInt16.self) == 2, let response = try? SessionResponse.decode(from: &body)
            else { continue }
            codings[endpoint] = try? PacketCoding(response: response, dialect: .v3)
        }
        for index in 0..<out.datagrams.effectCount {
            if case .deliver = out.datagrams.effect(at: index) { preconditionFailure("a message among the events") }
        }
        if out.backendBytes.readableBytes > 0, isConnected { read(out.backendBytes) }
        switch out.command {
        case .connect:
            precondition(!isConnecting && !isConnected)
            isConnecting = true
        case .close:
            precondition(isConnected)
            (isConnected, known) = (false, [])
        case nil: break
        }
        out.removeAll()
    }
}
