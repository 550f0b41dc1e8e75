import NIOCore
import RelayCore
import SOE
import SOEGateway
import Testing

@testable import BatonServer

/// Clients, the gateway and a backend, over UDP and TCP of loopback.
@Suite("SOE gateway over sockets", .timeLimit(.minutes(5)))
struct GatewayServiceTests {
    private static let channels = (0...6).compactMap { SOEChannel(rawValue: $0) }

    @Test(arguments: ["127.0.0.1", "::1"])
    func messagesTravelBothWaysOnEveryChannel(_ address: String) async throws {
        let listener = address.contains(":") ? "[\(address)]:0" : "\(address):0"
        try await GatewayLoopback.with(listen: [listener]) { gateway in
            let (client, number) = try await gateway.join(from: address)
            let opened = try #require(gateway.backend.opened.first?.session)
            #expect(gateway.backend.frames.first == .hello(version: 1))
            #expect(!opened.isResumed && !opened.isEncrypted && opened.protocolName == "LoginUdp_9")
            #expect(opened.wireID == client.session && opened.address == "\(client.endpoint)")
            for channel in Self.channels {
                client.say("up \(channel.rawValue)", on: channel)
                gateway.backend.say(.data(number, channel, ByteBuffer(string: "down \(channel.rawValue)")))
            }
            try await gateway.until { gateway in
                Self.channels.allSatisfy { channel in
                    gateway.backend.messages(of: number, on: channel).last
                        == ByteBuffer(string: "up \(channel.rawValue)")
                        && client.texts(on: channel) == ["down \(channel.rawValue)"]
                }
            }
            let large = ByteBuffer(bytes: (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) })
            client.say(large)
            gateway.backend.say(.data(number, .reliable0, large))
            try await gateway.until {
                $0.backend.messages(of: number).last == large && client.messages.last?.message == large
            }
            client.disconnect()
            try await gateway.until { $0.backend.closed.count == 1 }
            let end = try #require(gateway.backend.closed.first)
            #expect(end.number == number)
            #expect(end.session == ClosedSession(reason: .application, isByClient: true))
            #expect(try await gateway.service.status().peers == 0)
        }
    }

    @Test func thereIsOneConnectionToTheBackendForAllSessions() async throws {
        try await GatewayLoopback.with { gateway in
            let (ann, first) = try await gateway.join()
            let (bob, second) = try await gateway.join()
            #expect(first != second && gateway.backend.linkCount == 1)
            ann.say("I am Ann")
            bob.say("I am Bob")
            gateway.backend.say(.data(second, .reliable1, ByteBuffer(string: "Bob")))
            gateway.backend.say(.data(first, .reliable1, ByteBuffer(string: "Ann")))
            try await gateway.until { gateway in
                gateway.backend.messages(of: first).last == ByteBuffer(string: "I am Ann")
                    && gateway.backend.messages(of: second).last == ByteBuffer(string: "I am Bob")
                    && ann.texts(on: .reliable1) == ["Ann"] && bob.texts(on: .reliable1) == ["Bob"]
            }
            gateway.backend.say(.closed(first, ClosedSession(reason: .applicationReleased)))
            try await gateway.until { gateway in ann.end != nil && !gateway.backend.closed.isEmpty }
            #expect(ann.end == .applicationReleased && ann.endedByGateway)
            #expect(gateway.backend.closed.first?.number == first)
            // What is said to somebody who has gone is passed over.
            gateway.backend.say(.data(first, .reliable0, ByteBuffer(string: "?")))
            gateway.backend.say(.data(second, .reliable0, ByteBuffer(string: "still here")))
            try await gateway.until { _ in bob.texts() == ["still here"] }
            #expect(try await gateway.figure("late_frames_total") == 1)
        }
    }

    @Test func figuresAreToldWhenAskedFor() async throws {
        try await GatewayLoopback.with { gateway in
            let (_, number) = try await gateway.join()
            // Its first message is acknowledged a little later.
            try await gateway.until { gateway in
                gateway.backend.say(.stats(number, nil))
                return Self.figures(of: number, in: gateway).map { $0.datagramsSent >= 1 } ?? false
            }
            let figures = try #require(Self.figures(of: number, in: gateway))
            #expect(figures.messagesReceived == 1 && figures.messagesSent == 0 && figures.datagramsReceived >= 1)
        }
    }

    @Test func figuresAreToldByTheClock() async throws {
        try await GatewayLoopback.with("stats_interval: 10ms") { gateway in
            let (_, number) = try await gateway.join()
            try await gateway.until { Self.figures(of: number, in: $0) != nil }
        }
    }

    /// Those that were told last.
    private static func figures(of number: SessionNumber, in gateway: GatewayLoopback) -> SessionFigures? {
        for case .stats(number, let figures?) in gateway.backend.frames.reversed() { return figures }
        return nil
    }

    @Test func encryptionBeginsInMidSession() async throws {
        let key = try #require(RC4Key([1, 2, 3]))
        try await GatewayLoopback.with { gateway in
            let (client, number) = try await gateway.join()
            gateway.backend.say(
                .data(number, .reliable0, ByteBuffer(string: "from now on")),
                .encrypt(number, EncryptionChange(toClient: true, fromClient: true, key: key)))
            try await gateway.until { _ in client.texts() == ["from now on"] }
            client.encrypt(key)
            client.say("in secret")
            gateway.backend.say(.data(number, .reliable0, ByteBuffer(string: "likewise")))
            try await gateway.until { gateway in
                client.texts().last == "likewise"
                    && gateway.backend.messages(of: number).last == ByteBuffer(string: "in secret")
            }
        }
    }

    @Test func sessionsAreEncryptedFromTheirFirstMessageOn() async throws {
        try await GatewayLoopback.with("key: \"010203\"") { gateway in
            let (client, number) = try await gateway.join { $0.key = RC4Key([1, 2, 3]) }
            #expect(gateway.backend.opened.first?.session.isEncrypted == true)
            #expect(gateway.backend.messages(of: number) == [ByteBuffer(string: "hello")])
            gateway.backend.say(.data(number, .reliable0, ByteBuffer(string: "likewise")))
            try await gateway.until { _ in client.texts() == ["likewise"] }
        }
    }

    @Test func onlyClientsOfTheGameAreTaken() async throws {
        try await GatewayLoopback.with("protocols: [LoginUdp_9]") { gateway in
            _ = try await gateway.join()
            let stranger = try gateway.connect { $0.protocolName = "Other_1" }
            try await gateway.until { _ in stranger.end != nil }
            #expect(stranger.end == .protocolMismatch)
        }
    }

    @Test func anAddressHasSoManySessions() async throws {
        var limits = Admission.Limits()
        limits.connectionsPerAddress = 1
        try await GatewayLoopback.with(limits: limits) { gateway in
            let (first, number) = try await gateway.join()
            let second = try gateway.connect()
            second.say("let me in")
            try await gateway.until { _ in second.end != nil }
            #expect(second.end == .connectionRefused && gateway.backend.opened.count == 1)
            _ = try await gateway.join(from: "127.0.0.2")
            first.disconnect()
            try await gateway.until { $0.backend.closed.contains { $0.number == number } }
            _ = try await gateway.join()
            #expect(try await gateway.service.status().counters.refused["address_full"] == 1)
        }
    }

    @Test func whoIsBannedIsToldAndNotHeard() async throws {
        let ban = BanList.Ban(prefix: try #require(IPPrefix("127.0.0.3")), until: nil, reason: "")
        try await GatewayLoopback.with(bans: BanList([ban])) { gateway in
            let banned = try gateway.connect(from: "127.0.0.3")
            try await gateway.until { _ in banned.end != nil }
            _ = try await gateway.join()
            #expect(banned.end == .connectionRefused && gateway.backend.opened.count == 1)
            #expect(try await gateway.service.status().counters.refused["banned"] == 1)
        }
    }

    @Test func whileItDrainsNobodyNewComes() async throws {
        try await GatewayLoopback.with { gateway in
            let (client, number) = try await gateway.join()
            try await gateway.service.beginDrain()
            let late = try gateway.connect()
            try await gateway.until { _ in late.end != nil }
            client.say("still here")
            try await gateway.until { $0.backend.messages(of: number).count == 2 }
            #expect(client.end == nil)
        }
    }

    @Test func newSettingsAreForNewSessions() async throws {
        try await GatewayLoopback.with { gateway in
            let (client, number) = try await gateway.join { $0.protocolName = "Old_1" }
            try await gateway.reconfigure("protocols: [New_2], max_sessions: 2")
            let old = try gateway.connect { $0.protocolName = "Old_1" }
            try await gateway.until { _ in old.end != nil }
            #expect(old.end == .protocolMismatch)
            _ = try await gateway.join { $0.protocolName = "New_2" }
            client.say("still here")
            try await gateway.until { $0.backend.messages(of: number).count == 2 }
            let third = try gateway.connect { $0.protocolName = "New_2" }
            third.say("let me in")
            try await gateway.until { _ in third.end != nil }
            #expect(third.end == .connectionRefused)
        }
    }

    @Test func aClientIsPartedFrom() async throws {
        try await GatewayLoopback.with { gateway in
            let (client, number) = try await gateway.join()
            let (other, _) = try await gateway.join()
            let rooms = try await gateway.service.rooms()
            let shown = try #require(rooms.flatMap(\.peers).first { $0.endpoint == "\(client.endpoint)" })
            let peer = try #require(PeerID(shown.peer))
            #expect(rooms.count == 2)
            #expect(try await gateway.service.kick(peer, for: .kicked))
            try await gateway.until { gateway in client.end != nil && !gateway.backend.closed.isEmpty }
            #expect(client.end == .application && client.endedByGateway)
            #expect(gateway.backend.closed.map(\.number) == [number])
            #expect(gateway.backend.closed.first?.session.isByClient == false)
            #expect(try await !gateway.service.kick(peer, for: .kicked))
            #expect(other.end == nil)
        }
    }

    /// A client hears only whom it has spoken to.
    @Test func answersLeaveFromTheSocketThatHeardTheClient() async throws {
        try await GatewayLoopback.with(listen: ["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"]) { gateway in
            #expect(gateway.endpoints.count == 3)
            for (endpoint, source) in zip(gateway.endpoints, ["127.0.0.1", "127.0.0.1", "::1"]) {
                let (client, number) = try await gateway.join(to: endpoint, from: source)
                gateway.backend.say(.data(number, .reliable0, ByteBuffer(string: "\(endpoint)")))
                try await gateway.until { _ in client.texts() == ["\(endpoint)"] }
            }
            #expect(try await gateway.service.status().peers == 3)
        }
    }

    @Test func aStopEndsSessionsWithADisconnect() async throws {
        try await GatewayLoopback.with { gateway in
            let (client, number) = try await gateway.join()
            let service = gateway.service
            async let stopped: Void = service.stop()
            try await gateway.until { gateway in client.end != nil && !gateway.backend.closed.isEmpty }
            try await stopped
            #expect(client.end == .application && client.endedByGateway)
            #expect(gateway.backend.closed.map(\.number) == [number])
            try await gateway.until { $0.backend.linkCount == 0 }
        }
    }
}
