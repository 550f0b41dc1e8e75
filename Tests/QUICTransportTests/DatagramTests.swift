import QUICTransport
import RelayCore
import Testing

@Suite("QUIC datagrams and paths", .timeLimit(.minutes(5)))
struct DatagramTests {
    let wire = SimulatedWire()

    func pair(_ configuration: QUICConfiguration = .forTests) throws -> (Node, Node, PeerID, PeerID) {
        try ConnectionTests.init(wire: wire).pair(configuration)
    }

    @Test func thePathIsProbedForItsSize() throws {
        let (server, client, toClient, toServer) = try pair()
        #expect(client.endpoint.maxDatagram(of: toServer) == 1168)
        wire.run(for: .seconds(2))
        #expect(client.maxDatagram[toServer] == 1412)
        #expect(server.maxDatagram[toClient] == 1412)
        #expect(client.send(Array(repeating: 7, count: 1412), to: toServer) == .sent)
        #expect(client.send(Array(repeating: 7, count: 1413), to: toServer) == .tooLarge)
        wire.run { server.datagrams[toClient] != nil }
        #expect(server.datagrams[toClient]?.first?.count == 1412)
        #expect(client.endpoint.counters(of: toServer)?.oversized == 1)
    }

    @Test func aNarrowerPathIsFoundOut() throws {
        wire.conditions.maxPayload = 1372
        let (_, client, _, toServer) = try pair()
        wire.run(for: .seconds(10))
        #expect(client.maxDatagram[toServer] == 1310)
    }

    @Test func aFullWindowQueuesUpToTheBound() throws {
        var configuration = QUICConfiguration.forTests
        configuration.datagrams.bulkCount = 10
        let (server, client, toClient, toServer) = try pair(configuration)
        var outcomes: [DatagramOutcome: Int] = [:]
        for number in 0..<100 {
            outcomes[client.send([UInt8(number)] + Array(repeating: 0, count: 1099), to: toServer), default: 0] += 1
        }
        let counters = try #require(client.endpoint.counters(of: toServer))
        #expect(outcomes[.sent] == counters.sent)
        #expect(outcomes[.queued] == counters.queued)
        #expect(counters.queued > 10)
        #expect(counters.overflowed == counters.queued - 10)
        wire.run(for: .seconds(1))
        // The oldest gave way: the last ten have arrived.
        let arrived = try #require(server.datagrams[toClient]).map { $0[0] }
        #expect(arrived.suffix(10) == (90..<100).map(UInt8.init))
        #expect(arrived.count == counters.sent + 10)
    }

    @Test func urgentOnesPassTheOthers() throws {
        let (server, client, toClient, toServer) = try pair()
        while client.send(Array(repeating: 1, count: 1100), to: toServer) == .sent {}
        for _ in 0..<20 { client.send(Array(repeating: 1, count: 1100), to: toServer) }
        #expect(client.send([2], priority: .urgent, to: toServer) == .queued)
        let sentBefore = try #require(client.endpoint.counters(of: toServer)).sent
        wire.run(for: .seconds(1))
        let arrived = try #require(server.datagrams[toClient])
        #expect(arrived.firstIndex(of: [2]) == sentBefore)
        #expect(arrived.count == sentBefore + 22)
    }

    @Test func whoHasWaitedTooLongIsDropped() throws {
        wire.conditions.delay = .milliseconds(200)
        let (server, client, toClient, toServer) = try pair()
        while client.send(Array(repeating: 1, count: 1100), to: toServer) == .sent {}
        client.send([2], priority: .urgent, to: toServer)
        // The first acknowledgement comes after 400 ms, ten times the age a datagram may have.
        wire.run(for: .seconds(2))
        let counters = try #require(client.endpoint.counters(of: toServer))
        #expect(counters.expired == 2)
        #expect(server.datagrams[toClient]?.contains([2]) == false)
        #expect(client.send([3], to: toServer) == .sent)
    }

    @Test func lostOnesAreNotSentAgain() throws {
        let (server, client, toClient, toServer) = try pair()
        wire.conditions.lost = 1000
        #expect(client.send([1], to: toServer) == .sent)
        wire.run(for: .milliseconds(5))
        wire.conditions.lost = 0
        wire.run(for: .seconds(5))
        #expect(server.datagrams[toClient] == nil)
        client.send([2], to: toServer)
        wire.run { server.datagrams[toClient] != nil }
        #expect(server.datagrams[toClient] == [[2]])
    }

    @Test func aRouterThatForgetsItsMappingEndsNothing() throws {
        let (server, client, toClient, toServer) = try pair()
        wire.run(for: .seconds(1))
        let outside = Endpoint.test(99, port: 1234)
        wire.translate(client, to: outside)
        client.send([1], to: toServer)
        wire.run(for: .seconds(2))
        #expect(server.remotes[toClient] == outside)
        #expect(server.endpoint.counters.migrations == 1)
        #expect(server.send([5], to: toClient) == .sent)
        wire.run { client.datagrams[toServer] != nil }
        #expect(client.datagrams[toServer] == [[5]])
        #expect(client.closed.isEmpty && server.closed.isEmpty)
    }

    @Test func roundTripsAreMeasured() throws {
        wire.conditions.delay = .milliseconds(30)
        let (_, client, _, toServer) = try pair()
        wire.run(for: .seconds(5))
        let path = try #require(client.endpoint.path(of: toServer))
        #expect(path.roundTrip >= .milliseconds(60) && path.roundTrip < .milliseconds(100))
    }
}
