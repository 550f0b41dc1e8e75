import JSONRelay
import NIOCore
import RelayCore
import Testing

@testable import BatonServer

@Suite("JSON relay over sockets", .timeLimit(.minutes(5)))
struct JSONDriverTests {
    @Test func messageArrives() async throws {
        try await Loopback<JSONRelayEngine>.json { relay in
            let alpha = try await relay.client(named: "alpha")
            let beta = try await relay.client(named: "beta")
            try await alpha.send(message(from: "alpha", to: "beta", "hello beta"))
            #expect(try await beta.read(90) == message(from: "alpha", to: "beta", "hello beta"))
            for client in [alpha, beta] { try await client.close() }
        }
    }

    @Test func repliesLeaveBeforeAnEndedConnectionCloses() async throws {
        try await Loopback<JSONRelayEngine>.json { relay in
            let alpha = try await relay.connect()
            let both = frame(#"{"payloadType":"INIT","source":"alpha"}"#) + message(from: "alpha", to: "alpha", "echo")
            try await alpha.send(both)
            try await alpha.end()
            let reply = frame(#"{"payloadType":"INIT","destination":"alpha"}"#)
            #expect(try await alpha.readToEnd() == reply + message(from: "alpha", to: "alpha", "echo"))
            try await relay.until { $0.peers == 0 }
        }
    }

    /// A socket closed with unread bytes in it is reset, and the reset can overtake what was just sent.
    @Test func errorReachesAClientThatGoesOnSending() async throws {
        try await Loopback<JSONRelayEngine>.json { relay in
            for _ in 0..<20 {
                let client = try await relay.connect()
                client.post(ByteBuffer(bytes: [0x7F, 0, 0, 0] + [UInt8](repeating: 65, count: 300_000)))
                let error = try await client.readFrame()
                #expect(error.contains(#""payloadType":"ERROR""#))
                #expect(try await client.readToEnd().isEmpty)
                try? await client.close()
            }
        }
    }

    @Test func whoIsNotLetInIsToldWhy() async throws {
        let ban = BanList.Ban(prefix: try #require(IPPrefix("127.0.0.3")), until: nil, reason: "test")
        let engine: @Sendable () -> JSONRelayEngine = { JSONRelayEngine(configuration: .init()) }
        try await Loopback<JSONRelayEngine>.with(bans: BanList([ban]), makeEngine: engine) { relay in
            let banned = try await relay.connect(from: "127.0.0.3")
            #expect(try await banned.readFrame().contains(#""payload":"Banned: test""#))
            #expect(try await banned.readToEnd().isEmpty)
            try? await banned.close()
        }
    }

    @Test func slowReaderIsDroppedAndNobodyElseDelayed() async throws {
        var settings = StreamSettings()
        settings.queue = SendQueue.Limits(bytes: 64 << 10, frames: 512)
        try await Loopback<JSONRelayEngine>.json(settings: settings) { relay in
            let sender = try await relay.client(named: "sender")
            let slow = try await relay.client(named: "slow")
            let quick = try await relay.client(named: "quick")
            try await slow.setReading(false)
            let bulk = String(repeating: "x", count: 100_000)
            var sent = 0
            while try await relay.relay.status().counters.closed["slow_reader"] == 0 {
                try await sender.send(message(from: "sender", to: "slow", bulk))
                try await sender.send(message(from: "sender", to: "quick", "\(sent)"))
                #expect(try await quick.readFrame().contains("\"\(sent)\""))
                sent += 1
                #expect(sent < 2000)
            }
            #expect(try await relay.relay.status().queuedBytes == 0)
            try await sender.send(message(from: "sender", to: "slow", "gone"))
            #expect(try await sender.readFrame().contains("ERROR"))
            for client in [sender, slow, quick] { try? await client.close() }
        }
    }

    @Test func queueTakesAFrameOfTheLargestSize() async throws {
        var settings = StreamSettings()
        settings.queue = SendQueue.Limits(bytes: 1024, frames: 1)
        try await Loopback<JSONRelayEngine>.json(settings: settings) { relay in
            let sender = try await relay.client(named: "s")
            let reader = try await relay.client(named: "r")
            let largest = String(repeating: "x", count: (1 << 20) - message(from: "s", to: "r", "").count + 4)
            for _ in 0..<5 {
                try await sender.send(message(from: "s", to: "r", largest))
                #expect(try await reader.readFrame().utf8.count == 1 << 20)
            }
            for client in [sender, reader] { try await client.close() }
        }
    }
}
