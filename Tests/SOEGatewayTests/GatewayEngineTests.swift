import NIOCore
import RelayCore
import SOE
import Testing

@testable import SOEGateway

@Suite("The gateway's engine")
struct GatewayEngineTests {
    private let second = Duration.seconds(1)
    private let one = SessionNumber(1)

    private func data(_ frames: [BackendFrame]) -> [String] {
        frames.compactMap { if case .data(_, _, let message) = $0 { String(buffer: message) } else { nil } }
    }

    private func numbers(_ frames: [BackendFrame]) -> [UInt64] {
        frames.compactMap { if case .opened(let number, _) = $0 { number.value } else { nil } }
    }

    @Test("Messages cross in both directions, on every channel, with who the client is before them")
    func crossing() throws {
        let desk = GatewayDesk()
        desk.start()
        let client = try desk.addClient()
        desk.run(for: second)
        for (index, channel) in SOEChannel.allCases.enumerated() { try desk.say("up \(index)", client, on: channel) }
        desk.run(for: second)
        let frames = desk.takeFrames()
        #expect(frames.first == .hello(version: 1))
        guard case .opened(one, let opened)? = frames.dropFirst().first else {
            Issue.record("\(frames)")
            return
        }
        #expect(opened.protocolName == "LoginUdp_9" && opened.address == "192.0.2.1:5000" && !opened.isResumed)
        #expect(Set(data(frames)) == Set((0..<7).map { "up \($0)" }))
        for (index, channel) in SOEChannel.allCases.enumerated() {
            desk.backendSays(.data(one, channel, ByteBuffer(string: "down \(index)")))
        }
        desk.run(for: second)
        #expect(Set(client.texts) == Set((0..<7).map { "down \($0)" }))
    }

    @Test("Either end ends a session, and the backend hears why")
    func ends() throws {
        let desk = GatewayDesk()
        desk.start()
        let first = try desk.addClient()
        let second = try desk.addClient()
        desk.run(for: self.second)
        #expect(numbers(desk.takeFrames()) == [1, 2])
        var out = DatagramOutbox()
        let peer = try #require(first.peer)
        first.engine.disconnect(peer, reason: .application, at: desk.now, into: &out)
        for index in 0..<out.datagramCount {
            let datagram = out.datagram(at: index).bytes
            desk.act { $0.receive(datagram, from: first.endpoint, at: desk.now, into: &$1) }
        }
        desk.backendSays(
            .data(SessionNumber(2), .reliable0, ByteBuffer(string: "last words")),
            .closed(SessionNumber(2), ClosedSession(reason: .connectionRefused)))
        desk.run(for: self.second)
        #expect(
            Set(desk.takeFrames()) == [
                .closed(one, ClosedSession(reason: .application, isByClient: true)),
                .closed(SessionNumber(2), ClosedSession(reason: .connectionRefused)),
            ])
        #expect(second.texts == ["last words"])
        #expect(
            second.events.last
                == second.peer.map { .closed($0, .connectionRefused, byPeer: true, undelivered: 0) })
        #expect(desk.gateway.clientCount == 0)
    }

    @Test("Frames for sessions that have ended do nothing and are counted")
    func late() throws {
        let desk = GatewayDesk()
        desk.start()
        desk.backendSays(
            .data(one, .reliable0, ByteBuffer(string: "x")), .closed(one, ClosedSession(reason: .application)),
            .stats(one, nil), .pause(one), .resume(one),
            .encrypt(one, EncryptionChange(toClient: true, fromClient: true, key: nil)))
        #expect(desk.gateway.counters.framesTooLate == 6)
        #expect(desk.gateway.hasBackend)
    }

    struct Nonsense: Sendable, CustomStringConvertible {
        var description: String
        var bytes: [UInt8]
    }

    static let nonsenses = [
        Nonsense(description: "HTTP", bytes: Array("GET / HTTP/1.1\r\n".utf8)),
        Nonsense(description: "an unknown kind", bytes: [0, 0, 0, 10, 99, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        Nonsense(
            description: "a second hello",
            bytes: [0, 0, 0, 16, 1, 0] + Array(repeating: 0, count: 8)
                + Array("SOEG".utf8) + [0, 1]),
        Nonsense(description: "a gateway's frame", bytes: [0, 0, 0, 13, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1, 97, 58, 49]),
    ]

    @Test("A backend that says nonsense is parted from, and tried again", arguments: nonsenses)
    func partsFrom(_ nonsense: Nonsense) throws {
        let desk = GatewayDesk()
        desk.start()
        let client = try desk.addClient()
        desk.run(for: second)
        desk.backendSays(bytes: ByteBuffer(bytes: nonsense.bytes))
        #expect(desk.commands.last == .close && !desk.gateway.hasBackend)
        #expect(desk.eventNames.last == "backend_lost")
        desk.run(for: second)
        #expect(desk.commands.last == .connect)
        desk.backendSays(.hello(version: 1))
        #expect(desk.gateway.hasBackend)
        try desk.say("still here", client)
        desk.run(for: second)
        #expect(data(desk.takeFrames()) == ["still here"])
    }

    @Test("Another version, silence, and words before the hello are no backend")
    func greeting() {
        let desk = GatewayDesk()
        desk.run(for: .milliseconds(1))
        desk.backendSays(.hello(version: 2))
        #expect(desk.events.last as? GatewayEvent == .backendLost(.version(2), sessions: 0))
        desk.run(for: .milliseconds(500))
        desk.backendSays(.pause(one))
        #expect(desk.commands.last == .close)
        desk.run(for: second)
        #expect(desk.commands.last == .connect)
        desk.run(for: GatewayEngine.helloTimeout)
        #expect(desk.events.last as? GatewayEvent == .backendLost(.silent, sessions: 0))
    }

    @Test("A backend that is not there is tried again and again, ever more rarely")
    func retries() {
        let desk = GatewayDesk()
        desk.backendAnswers = false
        desk.run(for: .seconds(60))
        // At once, after 0.1, 0.2, 0.4 ... 3.2 seconds, then every 5.
        #expect(desk.commands.count == 17)
        #expect(desk.commands.allSatisfy { $0 == .connect })
        desk.backendAnswers = true
        desk.run(for: .seconds(6))
        desk.backendSays(.hello(version: 1))
        #expect(desk.gateway.hasBackend)
    }

    @Test("Without a backend nobody gets a session")
    func absent() throws {
        let desk = GatewayDesk()
        desk.backendAnswers = false
        let client = try desk.addClient()
        desk.run(for: second)
        #expect(client.events == [.closed(try #require(client.peer), .connectionRefused, byPeer: true, undelivered: 0)])
        #expect(desk.gateway.sessionCount == 0)
    }

    @Test("Sessions outlive their backend for a while: nothing is lost that was not taken, and it hears of them again")
    func grace() throws {
        let desk = GatewayDesk { $0.backendGrace = .seconds(20) }
        desk.start()
        let client = try desk.addClient()
        desk.run(for: second)
        #expect(numbers(desk.takeFrames()) == [1])
        desk.backendAnswers = false
        desk.backendGoes()
        for index in 0..<50 { try desk.say("waiting \(index)", client) }
        desk.run(for: .seconds(8))
        #expect(desk.takeFrames().isEmpty)
        desk.backendAnswers = true
        desk.run(for: .seconds(5))
        desk.backendSays(.hello(version: 1))
        desk.run(for: .seconds(10))
        let frames = desk.takeFrames()
        guard case .opened(one, let opened)? = frames.dropFirst().first else {
            Issue.record("\(frames.prefix(3))")
            return
        }
        #expect(opened.isResumed)
        #expect(data(frames) == (0..<50).map { "waiting \($0)" })
    }

    @Test("Sessions end when their backend does not come back in time", arguments: [0, 3])
    func graceOver(seconds: Int) throws {
        let desk = GatewayDesk { $0.backendGrace = .seconds(seconds) }
        desk.start()
        let client = try desk.addClient()
        desk.run(for: second)
        desk.backendAnswers = false
        desk.backendGoes()
        desk.run(for: .seconds(seconds + 1))
        #expect(client.events.last == .closed(try #require(client.peer), .application, byPeer: true, undelivered: 0))
        #expect(desk.events.contains { $0 as? GatewayEvent == .backendMissing(sessions: 1) })
        #expect(desk.gateway.clientCount == 0)
    }

    @Test("A backend that reads slowly makes clients wait, and loses nothing")
    func slowBackend() throws {
        let desk = GatewayDesk()
        desk.start()
        let clients = [try desk.addClient(), try desk.addClient()]
        desk.run(for: second)
        _ = desk.takeFrames()
        desk.backendReads(false)
        for index in 0..<300 { for client in clients { try desk.say("\(index)", client) } }
        desk.run(for: .seconds(5))
        #expect(data(desk.takeFrames()).isEmpty)
        desk.backendReads(true)
        desk.run(for: .seconds(20))
        let frames = desk.takeFrames()
        for number in [1, 2] {
            let own = frames.filter { if case .data(let session, _, _) = $0 { session.value == number } else { false } }
            #expect(data(own) == (0..<300).map { "\($0)" })
        }
    }

    @Test("A backend that reads nothing for too long is lost")
    func stalledBackend() {
        let desk = GatewayDesk { $0.backendStallTimeout = .seconds(3) }
        desk.start()
        desk.backendReads(false)
        desk.run(for: .seconds(2))
        #expect(desk.gateway.hasBackend)
        desk.run(for: .seconds(2))
        #expect(desk.events.contains { $0 as? GatewayEvent == .backendLost(.stalled, sessions: 0) })
        #expect(desk.commands.contains(.close))
    }

    @Test("The backend pauses one client and hears the other")
    func pausing() throws {
        let desk = GatewayDesk()
        desk.start()
        let clients = [try desk.addClient(), try desk.addClient()]
        desk.run(for: second)
        _ = desk.takeFrames()
        desk.backendSays(.pause(one))
        for client in clients { try desk.say("hello", client) }
        desk.run(for: second)
        #expect(desk.takeFrames() == [.data(SessionNumber(2), .reliable0, ByteBuffer(string: "hello"))])
        desk.backendSays(.resume(one))
        desk.run(for: .seconds(5))
        #expect(desk.takeFrames() == [.data(one, .reliable0, ByteBuffer(string: "hello"))])
    }

    @Test("The backend is asked to pause for a slow client, and to go on when it has caught up")
    func slowClient() throws {
        let desk = GatewayDesk { $0.maxQueued = 256 << 10 }
        desk.start()
        let client = try desk.addClient()
        desk.run(for: second)
        _ = desk.takeFrames()
        client.isUnreachable = true
        let message = ByteBuffer(repeating: 7, count: 10_000)
        for _ in 0..<8 { desk.backendSays(.data(one, .reliable0, message)) }
        #expect(desk.takeFrames() == [.pause(one)])
        client.isUnreachable = false
        desk.run(for: .seconds(10))
        #expect(desk.takeFrames() == [.resume(one)])
        #expect(client.messages.count == 8)
    }

    @Test("A session ends for which the backend goes on; others do not notice")
    func overflow() throws {
        let desk = GatewayDesk { $0.maxQueued = 64 << 10 }
        desk.start()
        let slow = try desk.addClient()
        let quick = try desk.addClient()
        desk.run(for: second)
        _ = desk.takeFrames()
        slow.isUnreachable = true
        let message = ByteBuffer(repeating: 7, count: 10_000)
        for _ in 0..<8 { desk.backendSays(.data(one, .reliable0, message)) }
        desk.backendSays(.data(SessionNumber(2), .reliable0, ByteBuffer(string: "quick")))
        desk.run(for: .seconds(10))
        #expect(quick.texts == ["quick"])
        #expect(desk.events.contains { ($0 as? GatewayEvent)?.name == "session_overflowed" })
        let closed = desk.takeFrames().compactMap { frame -> ClosedSession? in
            if case .closed(one, let closed) = frame { closed } else { nil }
        }
        #expect(closed == [ClosedSession(reason: .reliableOverflow, undelivered: 6)])
        #expect(desk.gateway.clientCount == 1)
    }

    @Test("Encryption begins between two messages")
    func encryption() throws {
        let key = try #require(RC4Key(Array(1...16)))
        let desk = GatewayDesk()
        desk.start()
        let client = try desk.addClient()
        desk.run(for: second)
        try desk.say("login", client)
        desk.run(for: second)
        client.engine.encrypt(try #require(client.peer), with: key)
        desk.backendSays(
            .encrypt(one, EncryptionChange(toClient: true, fromClient: true, key: key)),
            .data(one, .reliable0, ByteBuffer(string: "welcome")))
        desk.run(for: second)
        try desk.say("secret", client)
        desk.run(for: second)
        #expect(client.texts == ["welcome"])
        #expect(data(desk.takeFrames()) == ["login", "secret"])
    }

    @Test("The backend hears figures when it asks, and when it is time")
    func figures() throws {
        let desk = GatewayDesk { $0.statsInterval = .seconds(5) }
        desk.start()
        let client = try desk.addClient()
        desk.run(for: second)
        try desk.say("x", client)
        desk.run(for: second)
        _ = desk.takeFrames()
        desk.backendSays(.stats(one, nil))
        guard case .stats(one, let figures?) = desk.takeFrames().first else {
            Issue.record("no figures")
            return
        }
        #expect(figures.messagesReceived == 1 && figures.datagramsSent > 0)
        desk.run(for: .seconds(10))
        #expect(desk.takeFrames().count == 2)
    }

    @Test("Other protocols and versions are refused, in the protocol's words")
    func refusals() throws {
        let desk = GatewayDesk { $0.protocolNames = ["LoginUdp_9", "LoginUdp_10"] }
        desk.start()
        let welcome = try desk.addClient { $0.protocolName = "LoginUdp_10" }
        let stranger = try desk.addClient { $0.protocolName = "LoginUdp_11" }
        desk.run(for: second)
        #expect(numbers(desk.takeFrames()) == [1])
        #expect(welcome.events.count == 1)
        #expect(
            stranger.events == [.closed(try #require(stranger.peer), .protocolMismatch, byPeer: true, undelivered: 0)])
    }

    @Test("The door is asked before the backend hears of anybody, and told of the end")
    func door() throws {
        let desk = GatewayDesk(
            door: GatewayEngine.Door(
                isBanned: { address, _ in address == IPAddress(ipv4: 0xC000_0201) },
                admit: { address, _ in address == IPAddress(ipv4: 0xC000_0202) ? .addressFull : nil },
                release: { address, _ in #expect(address == IPAddress(ipv4: 0xC000_0203)) }))
        desk.start()
        let banned = try desk.addClient()
        let full = try desk.addClient()
        _ = try desk.addClient()
        desk.run(for: second)
        let frames = desk.takeFrames()
        #expect(frames.count == 2 && numbers(frames) == [1])
        #expect(
            banned.events == [.closed(try #require(banned.peer), .connectionRefused, byPeer: true, undelivered: 0)])
        #expect(desk.gateway.statistics.refused["banned"] == 1)
        #expect(full.events.last == .closed(try #require(full.peer), .connectionRefused, byPeer: true, undelivered: 0))
        desk.backendSays(.closed(one, ClosedSession(reason: .application)))
        #expect(desk.gateway.clientCount == 0)
    }

    @Test("Draining takes no new sessions; stopping ends all, and the backend hears of it")
    func stopping() throws {
        let desk = GatewayDesk()
        desk.start()
        let client = try desk.addClient()
        desk.run(for: second)
        desk.gateway.drain()
        let late = try desk.addClient()
        try desk.say("going on", client)
        desk.run(for: second)
        #expect(data(desk.takeFrames()) == ["going on"])
        #expect(late.events == [.closed(try #require(late.peer), .connectionRefused, byPeer: true, undelivered: 0)])
        desk.act { $0.stop(at: desk.now, into: &$1) }
        desk.run(for: second)
        #expect(desk.takeFrames() == [.closed(one, ClosedSession(reason: .application))])
        #expect(client.events.last == .closed(try #require(client.peer), .application, byPeer: true, undelivered: 0))
        #expect(desk.gateway.sessionCount == 0)
    }

    @Test("An operator parts from a client")
    func kick() throws {
        let desk = GatewayDesk()
        desk.start()
        _ = try desk.addClient()
        desk.run(for: second)
        let peer = try #require(desk.gateway.clients.keys.first)
        desk.act { gateway, out in
            let (known, unknown) = (
                gateway.kick(peer, at: desk.now, into: &out),
                gateway.kick(PeerID(slot: 99, generation: 0), at: desk.now, into: &out)
            )
            #expect(known && !unknown)
        }
        #expect(desk.gateway.clientCount == 0)
    }
}
