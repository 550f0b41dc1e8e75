import RelayCore
import RelayTesting
import Testing

@testable import JSONRelay

/// A golden conversation between named connections and the relay.
struct Scenario: Decodable, Sendable, CustomTestStringConvertible {
    struct Step: Decodable {
        var conn: String?
        var send: String?
        var sendHex: String?
        var recv: String?
        var recvHex: String?
        var recvType: String?
        var recvPayload: String?
        var recvNothingMs: Int?
        var recvEof: Bool?
        var close: String?
        var waitMs: Int?

        enum CodingKeys: String, CodingKey {
            case conn, send, recv, close
            case sendHex = "send_hex"
            case recvHex = "recv_hex"
            case recvType = "recv_type"
            case recvPayload = "recv_payload"
            case recvNothingMs = "recv_nothing_ms"
            case recvEof = "recv_eof"
            case waitMs = "wait_ms"
        }
    }

    var name: String
    var profile: String?
    var steps: [Step]

    var testDescription: String { name }

    private struct File: Decodable { var scenarios: [Scenario] }

    static func all() throws -> [Scenario] {
        try Fixtures.load(File.self, from: "json/scenarios.json").scenarios
    }
}

@Suite("Golden conversations")
struct ScenarioTests {
    @Test("a golden conversation goes as written", arguments: try Scenario.all(), Conversation.Profile.allCases)
    func conversation(scenario: Scenario, profile: Conversation.Profile) throws {
        // Some are written for one profile, and say in it what the other does otherwise.
        guard scenario.profile ?? profile.rawValue == profile.rawValue else { return }
        let stage = Stage(profile.configuration, vectors: try Vector.all())
        for step in scenario.steps { try stage.play(step) }
        #expect(stage.unread.isEmpty)
    }
}

private final class Stage {
    private let relay: Conversation
    private let octets: [String: [UInt8]]
    private var peers: [String: PeerID] = [:]
    private var received: [String: [UInt8]] = [:]

    init(_ configuration: JSONRelayConfiguration, vectors: [Vector]) {
        relay = Conversation(configuration)
        octets = Dictionary(uniqueKeysWithValues: vectors.map { ($0.name, $0.octets) })
    }

    /// Connections that received more than the conversation says.
    var unread: [String] {
        peers.keys.filter { connection in
            read(connection)
            return received[connection] != []
        }
    }

    func play(_ step: Scenario.Step) throws {
        if let wait = step.waitMs { relay.pass(.milliseconds(wait)) }
        guard let connection = step.conn else { return }
        let peer = peers[connection] ?? relay.connect()
        peers[connection] = peer
        if let name = step.send { relay.send(try #require(octets[name]), from: peer) }
        if let hex = step.sendHex { relay.send(try #require(bytes(hex: hex)), from: peer) }
        if step.close == "fin" { relay.end(peer) }
        read(connection)
        if let name = step.recv { try expect(try #require(octets[name]), at: connection) }
        if let hex = step.recvHex { try expect(try #require(bytes(hex: hex)), at: connection) }
        if let type = step.recvType { try expect(type: type, payload: step.recvPayload, at: connection) }
        if let wait = step.recvNothingMs {
            relay.pass(.milliseconds(wait))
            read(connection)
            #expect(received[connection] == [])
        }
        if step.recvEof == true {
            // An ERROR may go before.
            received[connection] = []
            #expect(relay.closed(peer) != nil)
        }
    }

    private func read(_ connection: String) {
        guard let peer = peers[connection] else { return }
        received[connection, default: []] += relay.heardBytes(peer)
    }

    private func expect(_ octets: [UInt8], at connection: String) throws {
        let waiting = try #require(received[connection])
        #expect(bodies(Array(waiting.prefix(octets.count))) == bodies(octets))
        received[connection] = Array(waiting.dropFirst(octets.count))
    }

    private func expect(type: String, payload: String?, at connection: String) throws {
        let waiting = try #require(received[connection])
        let body = try #require(bodies(waiting).first)
        #expect(body.hasPrefix(#"{"payloadType":"\#(type)""#))
        if let payload { #expect(body.hasSuffix(#""payload":"\#(payload)"}"#)) }
        received[connection] = Array(waiting.dropFirst(frame(body).count))
    }
}
