import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import SOE

@Suite("SOE sessions: beginning and end")
struct EndingTests {
    // MARK: Beginning

    @Test func aRequestIsRepeatedUntilAnswered() throws {
        var desk = Desk()
        _ = try desk.connect(to: Place.server)
        desk.advance(by: .milliseconds(3500))
        let requests = desk.take(Place.server)
        #expect(requests.count == 4)
        #expect(Set(requests).count == 1, "always the same request")
        desk.advance(by: .seconds(20))
        #expect(desk.closed == [.connectFailed])
        #expect(desk.engine.sessionCount == 0)
    }

    @Test func anAnswerOpensAndAnotherOneDoesNoHarm() throws {
        var desk = Desk()
        var server = HandPeer(Place.server)
        let peer = try desk.connect(to: Place.server)
        // What is enqueued before travels as soon as it can.
        #expect(desk.enqueue([1], to: peer) == .accepted)
        #expect(desk.enqueue([2], on: .unreliable, to: peer) == .closed)
        try server.accept(from: &desk)
        #expect(server.takePackets(&desk).map(\.body) == [[0, 0, 1]])
        let response = SessionResponse(sessionID: server.sessionID, crcSeed: 77, crcLength: 2, udpLength: 512)
        desk.receive(server.answer(response), from: Place.server)
        desk.receive(server.reliable(0, [3]), from: Place.server)
        desk.receive(server.answer(response), from: Place.server)
        #expect(desk.messages.map(\.bytes) == [[3]])
        #expect(desk.opened == [peer] && desk.closed.isEmpty)
    }

    /// A server that has forgotten its first answer gives another one; what counts is the last, until something was heard.
    @Test func aServerMayChangeItsMindBeforeItSpeaks() throws {
        var desk = Desk()
        var server = HandPeer(Place.server)
        _ = try desk.connect(to: Place.server)
        try server.accept(from: &desk)
        let response = SessionResponse(sessionID: server.sessionID, crcSeed: 78, crcLength: 2, udpLength: 512)
        desk.receive(server.answer(response), from: Place.server)
        server.coding = try PacketCoding(response: response, dialect: .v3)
        desk.receive(server.reliable(0, [3]), from: Place.server)
        #expect(desk.messages.map(\.bytes) == [[3]])
        var forged = response
        forged.crcSeed = 79
        desk.receive(server.answer(forged), from: Place.server)
        desk.receive(server.reliable(1, [4]), from: Place.server)
        #expect(desk.messages.map(\.bytes) == [[3], [4]])
    }

    /// Many servers hold a session for open only when the client has spoken: ours says something at once.
    @Test func aClientGreets() throws {
        var desk = Desk()
        var server = HandPeer(Place.server)
        _ = try desk.connect(to: Place.server)
        try server.accept(from: &desk)
        #expect(server.takePackets(&desk).map(\.code) == [.heartbeat])
        desk.advance(by: .milliseconds(2500))
        #expect(server.takePackets(&desk).count == 2, "until it hears something")
        desk.receive(server.packet(.heartbeat), from: Place.server)
        desk.advance(by: .milliseconds(2500))
        #expect(server.takePackets(&desk).isEmpty)
    }

    @Test func refusalsEndAClient() throws {
        for flags in [[], [0]] as [[UInt8]] {
            var desk = Desk()
            _ = try desk.connect(to: Place.server)
            let request = try #require(desk.take(Place.server).first)
            let id = Array(request[6..<10])
            desk.receive([0, 5] + flags + [1, 2, 3, 4, 0, 10], from: Place.server)
            #expect(desk.closed.isEmpty, "another session's")
            // Where some end a session because its request came twice, the next one makes another.
            desk.receive([0, 5] + flags + id + [0, 11], from: Place.server)
            #expect(desk.closed.isEmpty)
            desk.receive([0, 5] + flags + id + [0, 10, 0xAA, 0xBB], from: Place.server)
            #expect(desk.closed == [.connectionRefused])
        }
    }

    @Test func twoClientsDoNotBecomeAPair() throws {
        for isOwn in [true, false] {
            var desk = Desk()
            _ = try desk.connect(to: Place.server)
            var request = try #require(desk.take(Place.server).first)
            if !isOwn { request[9] ^= 1 }
            desk.receive(request, from: Place.server)
            #expect(desk.closed == [isOwn ? .connectingToSelf : .connectError])
        }
    }

    @Test(arguments: [(UInt8(5), UInt8(0), UInt8(0), UInt32(3)), (2, 9, 0, 3), (2, 0, 3, 3), (2, 0, 0, 4)])
    func anAnswerThatCannotBeFollowedEndsAClient(_ crc: UInt8, _ first: UInt8, _ second: UInt8, _ version: UInt32)
        throws
    {
        var desk = Desk()
        let server = HandPeer(Place.server)
        _ = try desk.connect(to: Place.server)
        var body = ByteBuffer(bytes: try #require(desk.take(Place.server).first).dropFirst(2))
        let id = try SessionRequest.decode(from: &body).sessionID
        let response = SessionResponse(
            sessionID: id, crcSeed: 1, crcLength: crc, firstPass: first, secondPass: second, udpLength: 512,
            version: version)
        desk.receive(server.answer(response), from: Place.server)
        #expect(desk.closed == [.protocolMismatch])
    }

    // MARK: Life

    @Test func aHeartbeatFollowsSilenceAndASilentPeerIsGivenUp() throws {
        var desk = Desk()
        var client = HandPeer()
        _ = try client.open(with: &desk)
        desk.advance(by: .milliseconds(25_000))
        #expect(client.takePackets(&desk).map(\.code) == [.heartbeat, .heartbeat])
        desk.advance(by: .seconds(6))
        #expect(desk.closed == [.timeout])
        #expect(client.takePackets(&desk).contains { $0.code == .disconnect })
    }

    @Test func aServerAnswersHeartbeatsAndAClientDoesNot() throws {
        var desk = Desk()
        var client = HandPeer()
        _ = try client.open(with: &desk)
        desk.receive(client.packet(.heartbeat), from: client.endpoint)
        #expect(client.takePackets(&desk).map(\.code) == [.heartbeat])
        var server = HandPeer(Place.server)
        _ = try desk.connect(to: Place.server)
        try server.accept(from: &desk)
        _ = desk.take(Place.server)
        desk.receive(server.packet(.heartbeat), from: Place.server)
        #expect(desk.take(Place.server).isEmpty)
    }

    @Test func aPeerThatAcknowledgesNothingIsGivenUp() throws {
        var desk = Desk()
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        #expect(desk.enqueue([1], to: peer) == .accepted)
        for _ in 0..<70 {
            desk.receive(client.packet(.heartbeat), from: client.endpoint)
            desk.advance(by: .seconds(1))
        }
        #expect(desk.closed == [.unacknowledgedTimeout])
        #expect(
            desk.events.last == .closed(peer, .unacknowledgedTimeout, byPeer: false, undelivered: 1),
            "nothing that was accepted is lost silently")
    }

    @Test func netStatusIsAnsweredInTheFormItCame() throws {
        for dialect in [SOEDialect.v3, .udpLibrary] {
            var configuration = Desk.configuration
            configuration.parameters.dialect = dialect
            var desk = Desk(configuration)
            var client = HandPeer()
            _ = try client.open(with: &desk, dialect: dialect)
            var status = NetStatusRequest(tick: 0x1234)
            status.packetsSent = 7
            var body = ByteBuffer()
            status.encode(into: &body)
            let bytes = Array(body.readableBytesView)
            desk.receive(
                dialect.netStatusIsContextual ? client.packet(.netStatusRequest, bytes) : [0, 7] + bytes,
                from: client.endpoint)
            let sent = try #require(desk.take(client.endpoint).first)
            var answer = ByteBuffer(bytes: sent.dropFirst(2))
            #expect(sent.count == (dialect.netStatusIsContextual ? 42 : 40))
            let response = try NetStatusResponse.decode(from: &answer)
            #expect(response.tick == 0x1234 && response.clientPacketsSent == 7)
            #expect(response.serverPacketsSent == 2 && response.serverPacketsReceived == 2)
        }
    }

    /// Some servers drop a client that sends none, and want it whole.
    @Test func aClientOfSWGSendsItsStatus() throws {
        var parameters = SOEParameters()
        parameters.dialect = .swg
        var desk = Desk()
        var server = HandPeer(Place.server)
        _ = try desk.connect(to: Place.server, parameters)
        var body = ByteBuffer(bytes: try #require(desk.take(Place.server).first).dropFirst(2))
        let request = try SessionRequest.decode(from: &body)
        #expect(request.version == 2 && request.protocolName == nil && request.udpLength == 496)
        server.sessionID = request.sessionID
        let response = SessionResponse(
            sessionID: request.sessionID, crcSeed: 9, crcLength: 2, firstPass: 1, secondPass: 4, udpLength: 496,
            version: 2)
        server.coding = try PacketCoding(response: response, dialect: .swg)
        desk.receive(server.answer(response), from: Place.server)
        _ = desk.take(Place.server)
        desk.advance(by: .seconds(20))
        let packets = server.takePackets(&desk)
        #expect(packets.filter { $0.code == .netStatusRequest }.map(\.body.count) == [38])
    }

    // MARK: End

    @Test func aDisconnectWaitsForWhatWasTakenAndIsSaidThreeTimes() throws {
        var desk = Desk()
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        #expect(desk.enqueue([1], to: peer) == .accepted)
        desk.disconnect(peer)
        #expect(desk.enqueue([2], to: peer) == .closed)
        #expect(client.takePackets(&desk).map(\.code) == [.reliableData0])
        #expect(desk.closed.isEmpty)
        desk.receive(client.packet(.acknowledgeAll0, [0, 0]), from: client.endpoint)
        #expect(desk.events.last == .closed(peer, .application, byPeer: false, undelivered: 0))
        desk.advance(by: .seconds(2))
        let farewells = client.takePackets(&desk)
        #expect(farewells.map(\.code) == [.disconnect, .disconnect, .disconnect])
        #expect(farewells.allSatisfy { $0.body == be(client.sessionID) + [0, 6] })
        #expect(desk.engine.sessionCount == 0)
    }

    @Test func aDisconnectDoesNotWaitForEver() throws {
        var desk = Desk()
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        #expect(desk.enqueue([1], to: peer) == .accepted)
        desk.disconnect(peer)
        desk.advance(by: .seconds(6))
        #expect(desk.events.last == .closed(peer, .application, byPeer: false, undelivered: 1))
    }

    @Test func thePeersDisconnectEndsASession() throws {
        var desk = Desk()
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        desk.receive(client.packet(.disconnect, be(client.sessionID) + be(UInt16(4))), from: client.endpoint)
        #expect(desk.events.last == .closed(peer, .managerDeleted, byPeer: true, undelivered: 0))
        #expect(desk.take(client.endpoint).isEmpty && desk.engine.sessionCount == 0)
    }

    /// A server leaves the CRC out, and old peers the reason.
    @Test func aDisconnectMayBeShort() throws {
        for short in [[0, 6], []] as [[UInt8]] {
            for hasCRC in [true, false] {
                var desk = Desk()
                var client = HandPeer()
                let peer = try client.open(with: &desk)
                let body = be(client.sessionID) + short
                desk.receive(hasCRC ? client.packet(.disconnect, body) : [0, 5] + body, from: client.endpoint)
                let reason: DisconnectReason = short.isEmpty ? .none : .application
                #expect(desk.events.last == .closed(peer, reason, byPeer: true, undelivered: 0))
            }
        }
    }

    @Test func aForgedDisconnectEndsNothing() throws {
        var desk = Desk()
        var client = HandPeer()
        _ = try client.open(with: &desk)
        let foreign = be(client.sessionID ^ 1)
        desk.receive([0, 5] + foreign + [0, 6], from: client.endpoint)
        desk.receive([0, 5] + foreign, from: client.endpoint)
        desk.receive([0, 5] + be(client.sessionID) + [0, 6, 1, 2], from: client.endpoint)
        desk.receive(client.packet(.disconnect, foreign + [0, 6]), from: client.endpoint)
        desk.receive(client.packet(.multiPacket, [8, 0, 5] + foreign + [0, 6]), from: client.endpoint)
        #expect(desk.closed.isEmpty && desk.engine.sessionCount == 1)
    }

    /// The peer says that it does not know us, but goes on talking: somebody else said so.
    @Test func aForgedUnknownSenderEndsNothing() throws {
        var desk = Desk()
        var server = HandPeer(Place.server)
        _ = try desk.connect(to: Place.server)
        try server.accept(from: &desk)
        desk.receive(server.packet(.heartbeat), from: Place.server)
        _ = desk.take(Place.server)
        for _ in 0..<20 {
            for _ in 0..<10 { desk.receive([0, 0x1D], from: Place.server) }
            // It is asked, and being itself answers.
            let asked = desk.take(Place.server)
            #expect(asked.contains([0, 0x1E] + be(server.sessionID) + be(UInt32(77))))
            #expect(asked.contains { $0.starts(with: [0, 6]) || $0.starts(with: [0, 7]) })
            desk.receive(server.packet(.heartbeat), from: Place.server)
            desk.advance(by: .seconds(1))
            _ = desk.take(Place.server)
        }
        #expect(desk.closed.isEmpty)
    }

    @Test func oneUnknownSenderAloneEndsNothing() throws {
        var desk = Desk()
        var server = HandPeer(Place.server)
        _ = try desk.connect(to: Place.server)
        try server.accept(from: &desk)
        desk.receive([0, 0x1D], from: Place.server)
        desk.advance(by: .seconds(10))
        #expect(desk.closed.isEmpty)
    }

    @Test func aServerThatHasForgottenUsEndsTheSession() throws {
        var desk = Desk()
        var server = HandPeer(Place.server)
        let peer = try desk.connect(to: Place.server)
        try server.accept(from: &desk)
        #expect(desk.enqueue([1], to: peer) == .accepted)
        for _ in 0..<60 {
            for _ in desk.take(Place.server) { desk.receive([0, 0x1D], from: Place.server) }
            desk.advance(by: .milliseconds(100))
        }
        #expect(desk.events.last == .closed(peer, .unreachableConnection, byPeer: false, undelivered: 1))
        #expect(desk.take(Place.server).filter { $0.starts(with: [0, 5]) }.isEmpty)
    }

    @Test func aNATThatChangesThePortCostsNothing() throws {
        let server = EngineNode(Place.server, Desk.configuration, seed: 1)
        let client = EngineNode(Place.client(), Desk.configuration, seed: 2)
        server.echoes = true
        var simulation = DatagramSimulation(
            SimulatedNetwork(.init(loss: 0.05), seed: 3), nodes: [server, client])
        let peer = try client.connect(to: Place.server, at: simulation.now)
        for number in 0..<300 {
            client.send(pattern(number, 50), to: peer, at: simulation.now)
            _ = simulation.run(for: .milliseconds(20))
            if number % 100 == 50 {
                simulation.network.translate(Place.client(), to: Place.client(0, port: UInt16(50_000 + number)))
            }
        }
        let isDone = simulation.run(for: .seconds(60)) { client.messages.count == 300 }
        #expect(isDone)
        #expect(client.messages.map(\.bytes) == (0..<300).map { pattern($0, 50) })
        #expect(server.opened.count == 1 && server.closed.isEmpty && client.closed.isEmpty)
        #expect(server.engine.statistics.remapped == 3)
    }
}
