import Foundation
import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import SOE

/// Whole sessions that two ends of another implementation held, through a proxy that lost, doubled and delayed.
@Suite("SOE recorded sessions")
struct RecordedSessionTests {
    struct Recording: Decodable {
        struct Datagram: Decodable {
            var dir: String
            var fate: String
            var hex: String
            var type: String
        }

        var rc4KeyHex: String?
        var sizes: [Int]
        var datagrams: [Datagram]

        var messages: [[UInt8]] { sizes.enumerated().map { pattern($0, $1) } }
    }

    static let names = [
        "plain_crc0", "plain_crc2", "plain_crc3", "plain_crc4", "flag_crc2", "rc4_crc2", "rc4_flag_crc2",
        "plain_crc2_loss",
    ]

    private func load(_ name: String) throws -> Recording {
        try Fixtures.load(Recording.self, from: "soe/session_\(name).json", snakeCase: true)
    }

    /// Our server takes what the client sent, our client what the server sent: every message, once and in order.
    @Test(arguments: names)
    func eachDirectionIsUnderstood(_ name: String) throws {
        let recording = try load(name)
        for (side, direction) in [(SOESession.Role.server, "c2s"), (.client, "s2c")] {
            var ends = try Ends(recording)
            var messages: [[UInt8]] = []
            for datagram in recording.datagrams where datagram.dir == direction && datagram.fate != "drop" {
                guard !datagram.type.hasPrefix("Session") else { continue }
                let octets = try #require(bytes(hex: datagram.hex))
                for _ in 0..<(datagram.fate == "dup" ? 2 : 1) {
                    messages += ends.receive(ByteBuffer(bytes: octets), at: side)
                }
            }
            #expect(messages == recording.messages, "\(direction)")
            if side == .server { #expect(ends.server.endReason == .application) }
        }
    }

    /// The same messages become the same datagrams.
    @Test(arguments: names)
    func theSameBytesAreSent(_ name: String) throws {
        let recording = try load(name)
        for (side, direction) in [(SOESession.Role.client, "c2s"), (.server, "s2c")] {
            var ends = try Ends(recording)
            var recorded = Set(
                recording.datagrams.filter { $0.dir == direction && $0.type.hasPrefix("ReliableData") }.map(\.hex))
            for message in recording.messages {
                for datagram in ends.send(message, from: side) {
                    #expect(recorded.remove(datagram) != nil, "\(direction): \(datagram)")
                }
            }
            #expect(recorded.isEmpty, "\(direction)")
        }
    }
}

/// A client and a server of ours as the recording's handshake made them.
private struct Ends {
    var client: SOESession
    var server: SOESession
    private var out = DatagramOutbox()
    private var now = Instant.zero

    init(_ recording: RecordedSessionTests.Recording) throws {
        var parameters = SOEParameters()
        parameters.protocolName = "SoePingPong"
        parameters.dialect.compression.threshold = .max
        if let key = recording.rc4KeyHex { parameters.key = RC4Key(try #require(bytes(hex: key))) }
        func first(_ type: String) throws -> ByteBuffer {
            let hex = try #require(recording.datagrams.first { $0.type == type }?.hex)
            return ByteBuffer(bytes: try #require(bytes(hex: hex)))
        }
        let golden = try first("SessionResponse")
        var requestBody = try first("SessionRequest")
        requestBody.moveReaderIndex(forwardBy: 2)
        var responseBody = golden
        responseBody.moveReaderIndex(forwardBy: 2)
        let request = try SessionRequest.decode(from: &requestBody)
        let response = try SessionResponse.decode(from: &responseBody)
        var random = RandomSource.seeded(1)
        client = SOESession(
            connecting: PeerID(slot: 0, generation: 0), to: Place.server, parameters: parameters, random: &random,
            at: now)
        client.wireID = request.sessionID
        client.advance(to: now, into: &out)
        #expect(out.datagram(at: 0).bytes == (try first("SessionRequest")))
        out.removeAll()
        _ = client.receive(golden, at: now, into: &out)
        server = try SOESession(
            accepting: PeerID(slot: 1, generation: 0), from: Place.client(), request: request, response: response,
            parameters: parameters, at: now, into: &out)
        out.removeAll()
        server.respond(into: &out)
        #expect(out.datagram(at: 0).bytes == golden)
        out.removeAll()
    }

    /// What a datagram delivers.
    mutating func receive(_ datagram: ByteBuffer, at side: SOESession.Role) -> [[UInt8]] {
        now = now + .milliseconds(1)
        if side == .client {
            _ = client.receive(datagram, at: now, into: &out)
        } else {
            _ = server.receive(datagram, at: now, into: &out)
        }
        defer { out.removeAll() }
        return (0..<out.effectCount).compactMap {
            guard case .deliver(let message, _, _) = out.effect(at: $0) else { return nil }
            return Array(message.readableBytesView)
        }
    }

    /// The datagrams a message becomes. The other end acknowledges them.
    mutating func send(_ message: [UInt8], from side: SOESession.Role) -> [String] {
        now = now + .milliseconds(1)
        var sender = side == .client ? client : server
        var receiver = side == .client ? server : client
        _ = sender.enqueue(ByteBuffer(bytes: message), on: .reliable0, at: now)
        sender.advance(to: now, into: &out)
        let sent = (0..<out.datagramCount).map {
            ByteBuffer(bytes: Array(out.datagram(at: $0).bytes.readableBytesView))
        }
        out.removeAll()
        for datagram in sent { _ = receiver.receive(datagram, at: now, into: &out) }
        now = now + .milliseconds(3)
        receiver.advance(to: now, into: &out)
        let answers = (0..<out.datagramCount).map { out.datagram(at: $0).bytes }
        out.removeAll()
        for datagram in answers { _ = sender.receive(datagram, at: now, into: &out) }
        out.removeAll()
        client = side == .client ? sender : receiver
        server = side == .client ? receiver : sender
        return sent.map {
            $0.readableBytesView.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        }
    }
}
