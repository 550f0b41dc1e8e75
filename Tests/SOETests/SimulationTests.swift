import NIOCore
import RelayCore
import RelayTesting
import SOE
import Testing

/// Sessions on a network that does what networks do. Whatever that is: every message arrives once and in order, or the
/// session ends with a reason; and something always moves.
@Suite("SOE simulation")
struct SimulationTests {
    @Test func messagesOfAllSizesCross() throws {
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
        client.disconnect(peer, at: simulation.now)
        _ = simulation.run(for: .seconds(10))
        #expect(client.closed.map(\.reason) == [.application])
        #expect(server.closed.map(\.reason) == [.application])
        #expect(server.engine.sessionCount == 0 && client.engine.sessionCount == 0)
    }

    /// Both directions at once, over links that lose up to three in ten, double, hold up and reorder, with every dialect,
    /// CRC length and datagram length.
    @Test(arguments: 0..<12)
    func everythingArrivesOnceAndInOrder(_ seed: Int) throws {
        var random = RandomSource.seeded(UInt64(seed))
        var configuration = SOEConfiguration()
        configuration.parameters = Self.parameters(&random)
        let conditions = SimulatedNetwork.Conditions(
            loss: Double.random(in: 0...0.3, using: &random), duplication: Double.random(in: 0...0.2, using: &random),
            delay: .milliseconds(Int.random(in: 0...150, using: &random)),
            jitter: .milliseconds(Int.random(in: 0...60, using: &random)),
            stragglers: Double.random(in: 0...0.05, using: &random))
        let server = EngineNode(Place.server, configuration, seed: 1)
        let client = EngineNode(Place.client(), configuration, seed: 2)
        var simulation = DatagramSimulation(
            SimulatedNetwork(conditions, seed: UInt64(seed)), nodes: [server, client])
        let peer = try client.connect(to: Place.server, at: simulation.now)
        let channels: [SOEChannel] = [.reliable0, .reliable1, .reliable2, .reliable3]
        var sent: [SOEChannel: [[UInt8]]] = [:]
        var answered: [SOEChannel: [[UInt8]]] = [:]
        for number in 0..<120 {
            let channel = channels.randomElement(using: &random) ?? .reliable0
            let size = Self.size(&random)
            sent[channel, default: []].append(pattern(number, size))
            client.send(pattern(number, size), on: channel, to: peer, at: simulation.now)
            if let serverPeer = server.opened.first {
                answered[channel, default: []].append(pattern(number + 1, size))
                server.send(pattern(number + 1, size), on: channel, to: serverPeer, at: simulation.now)
            }
            if Bool.random(using: &random) {
                _ = simulation.run(for: .milliseconds(Int.random(in: 0...30, using: &random)))
            }
        }
        let isDone = simulation.run(for: .seconds(600)) {
            server.messages.count == 120 && client.messages.count == answered.values.reduce(0) { $0 + $1.count }
        }
        #expect(isDone, "\(server.messages.count) and \(client.messages.count) messages, \(client.closed)")
        for channel in channels {
            let isWhole = server.messages.filter { $0.channel == channel }.map(\.bytes) == sent[channel] ?? []
            let isAnswered = client.messages.filter { $0.channel == channel }.map(\.bytes) == answered[channel] ?? []
            #expect(isWhole && isAnswered, "\(channel)")
        }
    }

    /// The peers' habits, on links that lose a fifth: no stall, and nobody is driven to end the session.
    @Test(arguments: ModelPeer.Habits.allCases, 0..<2)
    func otherPeersAreServed(_ habits: ModelPeer.Habits, _ seed: Int) throws {
        for isServer in [false, true] {
            let model =
                isServer ? ModelPeer(habits, Place.client()) : ModelPeer(habits, Place.client(), server: Place.server)
            model.echoes = true
            var configuration = SOEConfiguration()
            configuration.parameters = model.parameters
            let node = EngineNode(Place.server, configuration, seed: UInt64(seed))
            let conditions = SimulatedNetwork.Conditions(
                loss: Double(seed) * 0.05, duplication: habits.isCrate ? 0 : 0.05, delay: .milliseconds(20),
                jitter: .milliseconds(10))
            var network = SimulatedNetwork(conditions, seed: UInt64(seed))
            // A handshake that fails with them is theirs: it is kept whole, what follows is not.
            network.conditions.loss = 0
            network.conditions.duplication = 0
            var simulation = DatagramSimulation(network, nodes: [node, model])
            var peer: PeerID?
            if isServer { peer = try node.connect(to: model.endpoint, at: simulation.now) }
            if !isServer { model.enqueue([7]) }
            let isOpen = simulation.run(for: .seconds(30)) { !node.opened.isEmpty && model.isOpen }
            #expect(isOpen)
            simulation.network.conditions = conditions
            peer = peer ?? node.opened.first
            let to = try #require(peer)
            let sizes = (0..<300).map { $0 % 37 == 5 ? 6000 : $0 % 11 == 3 ? 700 : 1 + $0 % 90 }
            for (index, size) in sizes.enumerated() {
                node.send(pattern(index, size), to: to, at: simulation.now)
                if index % 7 == 0 { _ = simulation.run(for: .milliseconds(11)) }
            }
            let expected = sizes.enumerated().map { pattern($0, $1) }
            let greeting = isServer ? 0 : 1
            let isDone = simulation.run(for: .seconds(400)) {
                model.end != nil || node.messages.count == expected.count + greeting
            }
            #expect(isDone && model.end == nil, "\(habits), server \(isServer): \(String(describing: model.end))")
            let isWhole = model.messages == expected
            let isEchoed = node.messages.dropFirst(greeting).map(\.bytes) == expected
            #expect(isWhole && isEchoed, "\(habits), server \(isServer)")
            #expect(node.closed.isEmpty)
        }
    }

    private static func parameters(_ random: inout RandomSource) -> SOEParameters {
        var parameters = SOEParameters()
        parameters.dialect = SOEDialect.all.randomElement(using: &random) ?? .v3
        parameters.crcLength = Int.random(in: 0...4, using: &random)
        parameters.compression = Bool.random(using: &random)
        parameters.udpLength = [nil, 64, 200, 512, 1460, 8192].randomElement(using: &random) ?? nil
        if Bool.random(using: &random) { parameters.key = RC4Key(pattern(1, 16)) }
        parameters.acknowledgesEach = Int.random(in: 0..<5, using: &random) == 0
        return parameters
    }

    private static func size(_ random: inout RandomSource) -> Int {
        switch Int.random(in: 0..<20, using: &random) {
        case 0: 0
        case 1...12: Int.random(in: 1...120, using: &random)
        case 13...17: Int.random(in: 400...1500, using: &random)
        default: Int.random(in: 1500...20_000, using: &random)
        }
    }
}
