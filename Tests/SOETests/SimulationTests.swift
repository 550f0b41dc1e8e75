import NIOCore
import RelayCore
import RelayTesting
import SOE
import Testing

@Suite("SOE simulation")
struct SimulationTests {
    @Test func messagesCross() throws {
        let server = EngineNode(Place.server, seed: 1)
        let client = EngineNode(Place.client(), seed: 2)
        server.echoes = true
        var simulation = DatagramSimulation(SimulatedNetwork(seed: 1), nodes: [server, client])
        let peer = try client.connect(to: Place.server, at: simulation.now)
        let sizes = [0, 1, 2, 64, 254, 255, 500, 501, 502, 506, 507, 3000, 100_000]
        for (index, size) in sizes.enumerated() { client.send(pattern(index, size), to: peer, at: simulation.now) }
        let isDone = simulation.run(for: .seconds(60)) { client.messages.count == sizes.count }
        #expect(isDone)
        #expect(client.messages.map(\.bytes) == sizes.enumerated().map { pattern($0, $1) })
        #expect(server.events.count == 1)
        client.disconnect(peer, at: simulation.now)
        _ = simulation.run(for: .seconds(10))
        #expect(client.closed.map(\.reason) == [.application])
        #expect(server.closed.map(\.reason) == [.application])
        #expect(server.engine.sessionCount == 0 && client.engine.sessionCount == 0)
    }
}
