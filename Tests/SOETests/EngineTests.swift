import NIOCore
import RelayCore
import Testing

@testable import SOE

@Suite("SOE engine: who gets a session")
struct EngineTests {
    @Test func aSessionIsMadeByTheFirstPacketAfterTheAnswer() throws {
        var desk = Desk()
        var client = HandPeer()
        let response = try client.shakeHands(with: &desk)
        #expect(response.sessionID == client.sessionID && response.crcLength == 2 && response.version == 3)
        #expect(desk.engine.sessionCount == 0 && desk.engine.pendingCount == 1)
        desk.receive(client.reliable(0, [65]), from: client.endpoint)
        #expect(desk.engine.sessionCount == 1 && desk.engine.pendingCount == 0)
        #expect(desk.opened.count == 1)
        #expect(desk.messages.map(\.bytes) == [[65]])
    }

    @Test func aPacketWithoutTheRightCRCOpensNothing() throws {
        var desk = Desk()
        var client = HandPeer()
        try client.shakeHands(with: &desk)
        var forged = client.reliable(0, [65])
        forged[forged.count - 1] ^= 1
        desk.receive(forged, from: client.endpoint)
        #expect(desk.engine.sessionCount == 0 && desk.engine.pendingCount == 1)
    }

    @Test func aRepeatedRequestIsAnsweredTheSame() throws {
        var desk = Desk()
        var client = HandPeer()
        let response = try client.shakeHands(with: &desk)
        for _ in 0..<3 { desk.receive(client.request(), from: client.endpoint) }
        #expect(desk.take(client.endpoint) == Array(repeating: client.answer(response), count: 3))
        desk.receive(client.packet(.heartbeat), from: client.endpoint)
        _ = desk.take(client.endpoint)
        // Held up on the way.
        desk.receive(client.request(), from: client.endpoint)
        #expect(desk.take(client.endpoint) == [client.answer(response)])
        #expect(desk.closed.isEmpty && desk.engine.sessionCount == 1)
    }

    @Test(arguments: [("Other", UInt32(3)), ("Test", 2), ("Tes", 3), ("", 3)])
    func anotherProtocolIsRefused(_ name: String, _ version: UInt32) {
        var desk = Desk()
        let client = HandPeer()
        desk.receive(client.request(name: name, version: version), from: client.endpoint)
        #expect(desk.take(client.endpoint) == [[0, 5] + be(client.sessionID) + be(UInt16(16))])
        #expect(desk.engine.pendingCount == 0)
        #expect(desk.engine.statistics.refused["protocol_mismatch"] == 1)
    }

    @Test func aNameWithoutEndIsNoRequest() {
        var desk = Desk()
        let client = HandPeer()
        desk.receive(Array(client.request().dropLast()), from: client.endpoint)
        desk.receive(client.request(name: nil), from: client.endpoint)
        #expect(desk.engine.pendingCount == 0)
    }

    @Test func theHookDecides() throws {
        var desk = Desk()
        desk.engine.acceptance = { request, endpoint in
            switch request.protocolName?.description {
            case "own":
                var parameters = SOEParameters()
                parameters.crcLength = 4
                parameters.key = RC4Key([1, 2, 3])
                return .acceptWith(parameters)
            case "quiet": return .ignore
            default: return endpoint.port == 1 ? .accept : .refuse(.connectionRefused)
            }
        }
        let refused = HandPeer(Place.client(0, port: 2))
        desk.receive(refused.request(), from: refused.endpoint)
        #expect(desk.take(refused.endpoint) == [[0, 5] + be(refused.sessionID) + be(UInt16(10))])
        let quiet = HandPeer(Place.client(0, port: 3))
        desk.receive(quiet.request(name: "quiet"), from: quiet.endpoint)
        #expect(desk.take(quiet.endpoint).isEmpty)
        var own = HandPeer(Place.client(0, port: 4))
        let response = try own.shakeHands(with: &desk, name: "own")
        #expect(response.crcLength == 4)
        var cipher = RC4(key: try #require(RC4Key([1, 2, 3])))
        desk.receive(own.reliable(0, [cipher.apply(to: 65)]), from: own.endpoint)
        #expect(desk.messages.map(\.bytes) == [[65]])
        var plain = HandPeer(Place.client(0, port: 1))
        #expect(try plain.shakeHands(with: &desk).crcLength == 2)
    }

    @Test func boundsHold() throws {
        var configuration = Desk.configuration
        configuration.limits.connections = 3
        configuration.limits.connectionsPerAddress = 2
        var desk = Desk(configuration)
        for port in UInt16(1)...3 {
            var client = HandPeer(Place.client(0, port: port))
            try client.shakeHands(with: &desk)
            desk.receive(client.packet(.heartbeat), from: client.endpoint)
            guard port == 3 else { continue }
            // Two of an address are enough.
            #expect(client.takePackets(&desk).map(\.code) == [.disconnect])
        }
        #expect(desk.engine.sessionCount == 2)
        #expect(desk.engine.statistics.refused["address_full"] == 1)
        var other = HandPeer(Place.client(1))
        _ = try other.open(with: &desk)
        var fourth = HandPeer(Place.client(2))
        desk.receive(fourth.request(), from: fourth.endpoint)
        #expect(desk.take(fourth.endpoint) == [[0, 5] + be(fourth.sessionID) + be(UInt16(10))])
        // Who goes makes room.
        desk.receive(other.packet(.disconnect, be(other.sessionID) + be(UInt16(6))), from: other.endpoint)
        _ = try fourth.open(with: &desk)
        #expect(desk.engine.sessionCount == 3)
    }

    /// Requests from addresses that somebody made up, far more than there is room for: little is kept, who has a session
    /// keeps it, and who wants one gets it.
    @Test func forgedRequestsChangeNothing() throws {
        var configuration = Desk.configuration
        configuration.maxPending = 500
        var desk = Desk(configuration)
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        var late = HandPeer(Place.client(9))
        for number in 0..<20_000 {
            if number == 19_800 { try late.shakeHands(with: &desk) }
            var forged = HandPeer(Place.client(100 + number))
            forged.sessionID = UInt32(number)
            desk.receive(forged.request(), from: forged.endpoint)
            _ = desk.take(forged.endpoint)
        }
        #expect(desk.engine.pendingCount == 500)
        #expect(desk.engine.sessionCount == 1)
        #expect(desk.engine.statistics.requestsEvicted > 19_000)
        desk.receive(client.reliable(0, [1]), from: client.endpoint)
        desk.receive(late.reliable(0, [2]), from: late.endpoint)
        #expect(desk.messages.map(\.bytes) == [[1], [2]])
        #expect(desk.engine.session(peer)?.state == .running)
        desk.advance(by: .seconds(40))
        #expect(desk.engine.pendingCount == 0)
    }

    @Test func aClientThatStartsAgainReplacesItsSession() throws {
        var desk = Desk()
        var client = HandPeer()
        _ = try client.open(with: &desk)
        var again = HandPeer()
        again.sessionID = 0x5555
        try again.shakeHands(with: &desk)
        // Until the new one speaks the old one lives: somebody may have made the request up.
        desk.receive(client.reliable(0, [1]), from: client.endpoint)
        #expect(desk.closed.isEmpty)
        desk.receive(again.reliable(0, [2]), from: client.endpoint)
        #expect(desk.closed == [.newConnectionAttempt])
        #expect(desk.opened.count == 2 && desk.engine.sessionCount == 1)
        #expect(desk.messages.map(\.bytes) == [[1], [2]])
    }

    /// Some clients choose the same session id whenever they start.
    @Test func aClientThatStartsAgainWithTheSameIDIsNotTakenForARepetition() throws {
        var desk = Desk()
        var client = HandPeer()
        _ = try client.open(with: &desk)
        desk.receive(client.reliable(0, [1]), from: client.endpoint)
        _ = desk.take(client.endpoint)
        desk.advance(by: .seconds(4))
        _ = desk.take(client.endpoint)
        let first = client.coding.crc.seed
        try client.shakeHands(with: &desk)
        #expect(client.coding.crc.seed != first)
        desk.receive(client.reliable(0, [2]), from: client.endpoint)
        #expect(desk.messages.map(\.bytes) == [[1], [2]])
        #expect(desk.closed == [.newConnectionAttempt])
    }

    @Test func withoutACRCOnlySilenceMakesRoomForANewSession() throws {
        var configuration = Desk.configuration
        configuration.parameters.crcLength = 0
        var desk = Desk(configuration)
        var client = HandPeer()
        _ = try client.open(with: &desk)
        var again = HandPeer()
        again.sessionID = 0x5555
        desk.receive(again.request(), from: again.endpoint)
        #expect(desk.take(again.endpoint).isEmpty)
        desk.advance(by: .seconds(6))
        _ = desk.take(again.endpoint)
        try again.shakeHands(with: &desk)
        #expect(desk.closed == [.newConnectionAttempt])
    }

    @Test func strangersAreToldSo() throws {
        var desk = Desk()
        let stranger = HandPeer()
        desk.receive([0, 9, 0, 0, 1, 2, 3], from: stranger.endpoint)
        #expect(desk.take(stranger.endpoint) == [[0, 0x1D]])
        for silent in [[0, 0x1D], [0, 5, 0, 0, 0, 1, 0, 6], [0], [], [0, 0x1C], [0, 0x77, 1], [0, 2, 1]] as [[UInt8]] {
            desk.receive(silent, from: stranger.endpoint)
            #expect(desk.take(stranger.endpoint).isEmpty, "\(silent)")
        }
        // Not more often than is good.
        for _ in 0..<5000 { desk.receive([0, 9, 0, 0, 1, 2, 3], from: stranger.endpoint) }
        #expect(desk.take(stranger.endpoint).count <= 101)
    }

    @Test func aServerMaySpeakFirst() throws {
        var configuration = Desk.configuration
        configuration.opensAtRequest = true
        var desk = Desk(configuration)
        let client = HandPeer()
        desk.receive(client.request(), from: client.endpoint)
        let peer = try #require(desk.opened.first)
        #expect(desk.enqueue([1, 2, 3], to: peer) == .accepted)
        desk.settle()
        let sent = desk.take(client.endpoint)
        #expect(sent.count == 2 && sent[0].starts(with: [0, 2]) && sent[1].starts(with: [0, 9, 0, 0, 1, 2, 3]))
    }

    @Test func aPortThatChangesKeepsItsSession() throws {
        var desk = Desk()
        var client = HandPeer()
        let response = try client.shakeHands(with: &desk)
        desk.receive(client.reliable(0, [1]), from: client.endpoint)
        let moved = Place.client(0, port: 999)
        let elsewhere = Place.client(1, port: 999)
        let remap = [0, 0x1E] + be(client.sessionID) + be(response.crcSeed)
        // Another address, or somebody who does not know both numbers, gets nothing.
        desk.receive(remap, from: elsewhere)
        desk.receive([0, 0x1E] + be(client.sessionID) + be(response.crcSeed ^ 1), from: moved)
        #expect(desk.take(elsewhere) == [[0, 0x1D]] && desk.take(moved) == [[0, 0x1D]])
        // Some send it longer.
        desk.receive(remap + [0, 0, 0], from: moved)
        desk.receive(client.reliable(1, [2]), from: moved)
        #expect(desk.messages.map(\.bytes) == [[1], [2]])
        #expect(desk.engine.sessionCount == 1)
        #expect(desk.events.last == .remapped(desk.opened[0], moved))
        #expect(desk.take(moved).contains { $0.starts(with: [0, 6]) }, "it is told that it is known again")
        desk.receive(client.reliable(2, [3]), from: client.endpoint)
        #expect(desk.messages.count == 2, "the old port is a stranger's now")
    }

    @Test func anEngineThatStopsTellsEverybody() throws {
        var desk = Desk()
        var client = HandPeer()
        _ = try client.open(with: &desk)
        desk.stop()
        #expect(client.takePackets(&desk).map(\.code) == [.disconnect])
        let late = HandPeer(Place.client(3))
        desk.receive(late.request(), from: late.endpoint)
        #expect(desk.take(late.endpoint) == [[0, 5] + be(late.sessionID) + be(UInt16(10))])
        desk.advance(by: .seconds(1))
        #expect(desk.engine.sessionCount == 0)
        #expect(desk.engine.nextDeadline == nil)
    }

    @Test func whatIsHeldForAllIsBounded() throws {
        var configuration = Desk.configuration
        configuration.maxHeldBytes = 100_000
        var desk = Desk(configuration)
        for number in 0..<4 {
            var client = HandPeer(Place.client(number))
            _ = try client.open(with: &desk)
            desk.receive(
                client.packet(.fragment0, be(UInt16(0)) + be(UInt32(1 << 20)) + pattern(0, 400)), from: client.endpoint)
            for sequence in UInt16(1)..<80 {
                desk.receive(client.packet(.fragment0, be(sequence) + pattern(0, 490)), from: client.endpoint)
            }
        }
        #expect(desk.closed.contains(.reliableOverflow))
        #expect(desk.engine.heldBytes <= 100_000)
    }

    @Test func anAddressHasOneSession() throws {
        var desk = Desk()
        _ = try desk.connect(to: Place.server)
        #expect(throws: SOEEngine.ConnectFailure.addressInUse) { try desk.connect(to: Place.server) }
        var configuration = Desk.configuration
        configuration.limits.connections = 1
        desk = Desk(configuration)
        _ = try desk.connect(to: Place.server)
        #expect(throws: SOEEngine.ConnectFailure.tooManySessions) { try desk.connect(to: Place.client()) }
    }
}
