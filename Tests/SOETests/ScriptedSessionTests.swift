import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import SOE

/// Step scripts that were run on another implementation, played on ours: what is fixed by the protocol must be the same
/// to the byte.
@Suite("SOE scripted sessions")
struct ScriptedSessionTests {
    struct Script: Decodable, Sendable, CustomTestStringConvertible {
        struct Step: Decodable, Sendable {
            var who: String?
            var op: String?
            var options: Options?
            var mode: String?
            var hex: String?
            var hexRule: String?
            var channel: String?
            var us: Int64?
            var reason: UInt16?
            var results: [Outcome]?
        }

        struct Options: Decodable, Sendable {
            var key: String?
            var comp: Int?
            var ackeach: Int?
        }

        struct Outcome: Decodable, Sendable {
            var out: String?
            var outPrefix: String?
            var data: String?
            var channel: String?
            var event: String?
        }

        var name: String
        var `class`: String
        var steps: [Step]

        var testDescription: String { name }
        var isFixed: Bool { !self.class.hasPrefix("policy") }
    }

    private struct File: Decodable { var vectors: [Script] }

    static let scripts =
        (try? Fixtures.load(File.self, from: "soe/scripted_sessions.json", snakeCase: true).vectors) ?? []

    @Test func allAreThere() {
        #expect(Self.scripts.count == 54)
    }

    /// Scripts of which one step is our own decision, and what we do there.
    static let ownDecisions: [String: String] = [
        "wrong application protocol": "the engine's matter: see EngineTests",
        "wrong protocol version": "the engine's matter: see EngineTests",
        "protocol string without terminator": "the engine's matter: see EngineTests",
        "unknown sender": "never ends a session at once: see EndingTests",
    ]

    @Test(arguments: scripts.filter { $0.isFixed && ownDecisions[$0.name] == nil })
    func fixedBehaviourIsTheSame(_ script: Script) throws {
        var player = Player()
        for (index, step) in script.steps.enumerated() {
            guard let results = step.results else {
                player.deliverSequencesBeforeWrap()
                continue
            }
            let expected = results.compactMap(player.expectation)
            // How often to say that all has arrived is everybody's own choice; ours may say so earlier as well.
            let happened = try player.play(step).filter { !$0.hasPrefix("out 0015") || expected.contains($0) }
            // Whether a message is delivered before or after a datagram is sent is nobody's concern.
            for isOut in [true, false] {
                #expect(
                    happened.filter { $0.hasPrefix("out") == isOut }
                        == expected.filter { $0.hasPrefix("out") == isOut },
                    "step \(index): \(step.op ?? "")")
            }
        }
    }

    /// What that implementation does as it pleases: we survive it all and take the same messages, unless it is said here
    /// why not.
    @Test(arguments: scripts.filter { !$0.isFixed })
    func quirksAreSurvived(_ script: Script) throws {
        // Fragments that say too little, or have something between them, are corrupt.
        let refused = ["fragment total smaller than data", "fragment total zero", "reliable data between fragments"]
        // Ours accept what those refuse: damage ends nothing.
        let tolerated = [
            "bad crc", "unknown op code 0x19 at top level", "duplicate session request", "duplicate session response",
            "disconnect with foreign session id", "heartbeat without crc", "acknowledge without crc",
        ]
        var player = Player()
        var data: [String] = []
        for step in script.steps where step.results != nil {
            data += try player.play(step).filter { $0.hasPrefix("data") }
        }
        let expected = script.steps.flatMap { $0.results ?? [] }.filter { $0.data != nil }.compactMap(
            player.expectation)
        if refused.contains(script.name) {
            #expect(player.sessions["s"]?.endReason == .corruptPacket)
        } else if script.name == "data starting 0019 unencrypted" {
            #expect(data == expected)
        } else {
            #expect(data == (script.name == "unknown op code 0x19 at top level" ? ["data 61 on 4"] : expected))
        }
        if tolerated.contains(script.name) {
            for (side, session) in player.sessions { #expect(session.state == .running, "\(side)") }
        }
    }
}

/// Plays both sides of a script with our sessions, which take ids and seeds from the script.
private struct Player {
    var sessions: [String: SOESession] = [:]
    private var options: [String: ScriptedSessionTests.Script.Options] = [:]
    private var clocks: [String: Instant] = [:]
    /// What was sent when it was enqueued, though the other implementation waits for the next tick.
    private var early: [String: [String]] = [:]
    private var out = DatagramOutbox()

    private func parameters(_ side: String) throws -> SOEParameters {
        var parameters = SOEParameters()
        parameters.protocolName = "SoePingPong"
        // The other implementation never compresses.
        parameters.dialect.compression.threshold = .max
        parameters.compression = options[side]?.comp == 1
        parameters.acknowledgesEach = options[side]?.ackeach == 1
        if let key = options[side]?.key { parameters.key = RC4Key(try #require(bytes(hex: key))) }
        return parameters
    }

    func expectation(_ result: ScriptedSessionTests.Script.Outcome) -> String? {
        if let out = result.out { return "out \(out)" }
        if let data = result.data { return "data \(data) on \(result.channel == "u" ? "4" : result.channel ?? "0")" }
        if let event = result.event, event != "opened" { return event }
        return nil
    }

    mutating func play(_ step: ScriptedSessionTests.Script.Step) throws -> [String] {
        let side = try #require(step.who)
        let now = clocks[side] ?? .zero
        switch step.op {
        case "new":
            options[side] = step.options
            clocks[side] = .zero
            guard step.mode == "client" else {
                sessions[side] = nil
                return []
            }
            let request = try #require(step.results?.first?.out)
            return try connect(side, request: request)
        case "receive":
            return try receive(ByteBuffer(bytes: #require(bytes(hex: step.hex ?? ""))), side, step, at: now)
        case "advance":
            clocks[side] = now + .microseconds(step.us ?? 0)
            return []
        case "advance_and_tick":
            clocks[side] = now + .microseconds(step.us ?? 0)
            return (early.removeValue(forKey: side) ?? []) + advance(side)
        case "send":
            let message = try step.hex.map { try #require(bytes(hex: $0)) } ?? (0..<150_000).map { UInt8(7 * $0 & 255) }
            let channel: SOEChannel =
                step.channel == "u" ? .unreliable : SOEChannel(rawValue: UInt8(step.channel ?? "0") ?? 0) ?? .reliable0
            let result = sessions[side]?.enqueue(ByteBuffer(bytes: message), on: channel, at: now)
            #expect(result == .accepted)
            let sent = advance(side)
            // Unreliable messages leave at once there, too, unless they have become reliable.
            if channel == .unreliable, message.count < 500 { return sent }
            early[side, default: []] += sent
            return []
        default:
            sessions[side]?.abort(DisconnectReason(wire: step.reason ?? 0), at: now, into: &out)
            return drain(side)
        }
    }

    /// What a script notes instead of saying it: the first 65530 packets, with a tick after every 16th.
    mutating func deliverSequencesBeforeWrap() {
        guard let coding = sessions["s"]?.coding else { return }
        for sequence in UInt16(0)..<65_530 {
            var datagram = ByteBuffer()
            datagram.writeMultipleIntegers(
                UInt16(OpCode.reliableData0.rawValue), sequence, UInt8(truncatingIfNeeded: sequence))
            coding.crc.append(to: &datagram, from: 0)
            _ = sessions["s"]?.receive(datagram, at: clocks["s"] ?? .zero, into: &out)
            guard sequence % 16 == 15 || sequence == 65_529 else { continue }
            clocks["s"] = (clocks["s"] ?? .zero) + .milliseconds(3)
            sessions["s"]?.advance(to: clocks["s"] ?? .zero, into: &out)
            out.removeAll()
        }
    }

    private mutating func connect(_ side: String, request: String) throws -> [String] {
        var golden = ByteBuffer(bytes: try #require(bytes(hex: request)))
        golden.moveReaderIndex(forwardBy: 2)
        let wireID = try SessionRequest.decode(from: &golden).sessionID
        var random = RandomSource.seeded(1)
        var session = SOESession(
            connecting: PeerID(slot: 0, generation: 0), to: Place.server, parameters: try parameters(side),
            random: &random, at: .zero)
        session.wireID = wireID
        sessions[side] = session
        return advance(side)
    }

    private mutating func receive(
        _ datagram: ByteBuffer, _ side: String, _ step: ScriptedSessionTests.Script.Step, at now: Instant
    ) throws -> [String] {
        if sessions[side] == nil {
            var body = datagram
            body.moveReaderIndex(forwardBy: 2)
            let request = try SessionRequest.decode(from: &body)
            var golden = ByteBuffer(bytes: try #require(step.results?.first?.out.flatMap { bytes(hex: $0) }))
            golden.moveReaderIndex(forwardBy: 2)
            let seed = try SessionResponse.decode(from: &golden).crcSeed
            let parameters = try parameters(side)
            let response = parameters.response(to: request, crcSeed: seed)
            sessions[side] = try SOESession(
                accepting: PeerID(slot: 1, generation: 0), from: Place.client(), request: request,
                response: response, parameters: parameters, at: now, into: &out)
            sessions[side]?.respond(into: &out)
            return drain(side)
        }
        if sessions[side]?.state == .negotiating {
            // Some scripts answer with a made-up session id, which ours would not take.
            var body = datagram
            body.moveReaderIndex(forwardBy: 2)
            sessions[side]?.wireID = try SessionResponse.decode(from: &body).sessionID
        }
        _ = sessions[side]?.receive(datagram, at: now, into: &out)
        return drain(side) + advance(side)
    }

    private mutating func advance(_ side: String) -> [String] {
        sessions[side]?.advance(to: clocks[side] ?? .zero, into: &out)
        return drain(side)
    }

    private mutating func drain(_ side: String) -> [String] {
        var happened: [String] = []
        for index in 0..<out.datagramCount {
            let bytes = Array(out.datagram(at: index).bytes.readableBytesView)
            // A client of ours greets the server, so that it can speak.
            if side == "c", bytes.starts(with: [0, 6]) { continue }
            happened += parts(of: bytes, side).map { "out \($0)" }
        }
        for index in 0..<out.effectCount {
            switch out.effect(at: index) {
            case .deliver(let message, _, let channel):
                happened.append("data \(hex(message.readableBytesView)) on \(channel)")
            case .emit(let event):
                if case .closed(_, let reason, let byPeer, _) = event as? SOEEvent {
                    happened.append("closed \(reason.rawValue) remote=\(byPeer)")
                }
            }
        }
        out.removeAll()
        return happened
    }

    /// The datagrams that another implementation would have sent one by one.
    private func parts(of datagram: [UInt8], _ side: String) -> [String] {
        guard let coding = sessions[side]?.coding, datagram.starts(with: [0, 3]),
            case .packet(.multiPacket, let body)? = try? coding.open(ByteBuffer(bytes: datagram), zlib: ZlibCodec())
        else { return [hex(datagram)] }
        var reader = MultiPacketReader(body: body)
        var parts: [String] = []
        while var part = try? reader.next() {
            coding.crc.append(to: &part, from: part.readerIndex)
            parts.append(hex(part.readableBytesView))
        }
        return parts
    }

    private func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
