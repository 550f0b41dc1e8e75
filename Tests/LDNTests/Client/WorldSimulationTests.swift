import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import LDN

/// A master, P2P hosts and players that join, talk, are put out, and die, over lines that cut and delay.
@Suite("LDN: master, proxies and clients together", .timeLimit(.minutes(5)))
struct WorldSimulationTests {
    @Test(arguments: 0..<25)
    func playersOfP2PNetworksComeAndGo(_ seed: UInt64) throws {
        let world = World(seed: seed)
        var random = RandomSource.seeded(seed &+ 77)
        let host = world.ready("host")
        try open(world, host)
        let network = try #require(host.entered.first).network
        for step in 0..<400 {
            let players = world.players.filter { $0 !== host && $0.isConnected }
            let player = players.randomElement(using: &random)
            switch Int.random(in: 0..<20, using: &random) {
            case 0,
                1 where players.count < 12:
                _ = world.enter("player", from: "203.0.113.\(Int.random(in: 1...3, using: &random))")
            case 2...4:
                if let player { try? join(world, player, network) }
            case 5:
                if let player { try? world.tell(player) { try $0.leave(into: &$1) } }
            case 6: if let player { world.loseProxy(of: player) }
            case 7: if let player { world.lose(player) }
            case 8:
                let node = UInt32.random(in: 1...8, using: &random)
                try? world.tell(host) { try $0.reject(nodeID: node, at: world.master.now, into: &$1) }
            default:
                for _ in 0..<8 { world.step(&random) }
            }
            check(world, host, "seed \(seed), step \(step)")
        }
        world.settle()
        world.pass(.seconds(5))
        world.settle()
        check(world, host, "seed \(seed), at the end")
        try agree(world, host, "seed \(seed)")
    }

    /// Who is in, in the host's proxy too, hears each broadcast once, and each sender's in order.
    @Test(arguments: 0..<10)
    func eachBroadcastArrivesOnce(_ seed: UInt64) throws {
        let world = World(seed: seed)
        var random = RandomSource.seeded(seed &+ 99)
        let host = world.ready("host")
        try open(world, host)
        let network = try #require(host.entered.first).network
        var talkers: [(player: World.Player, socket: VirtualSocket)] = []
        for number in 0..<7 {
            let player = world.ready("player", from: "203.0.113.\(number + 1)")
            let socket = try world.tell(player) { client, _ throws(LDNClientFailure) in
                try client.openSocket(port: 7777)
            }
            try join(world, player, network)
            world.settle()
            talkers.append((player, socket))
        }
        var sent: [[String]] = Array(repeating: [], count: talkers.count)
        for number in 0..<300 {
            let index = Int.random(in: talkers.indices, using: &random)
            let destination = Bool.random(using: &random) ? VirtualAddress.broadcast : .legacyBroadcast
            sent[index].append("\(index) \(number)")
            try world.tell(talkers[index].player) { client, out throws(LDNClientFailure) in
                try client.send(
                    ByteBuffer(string: "\(index) \(number)"), from: talkers[index].socket,
                    to: VirtualEndpoint(address: destination, port: 7777), into: &out)
            }
            for _ in 0..<4 { world.step(&random) }
        }
        world.settle()
        let port = try #require(host.ownProxy)
        let heard = talkers.map(\.player.texts) + [world.hostTexts[port] ?? []]
        for texts in heard {
            #expect(texts.count == 300, "seed \(seed)")
            for (index, own) in sent.enumerated() {
                #expect(texts.filter { $0.hasPrefix("\(index) ") } == own, "seed \(seed)")
            }
        }
    }

    // MARK: Within

    private func open(_ world: World, _ host: World.Player) throws {
        let plan = world.planWithProxy(for: host)
        try world.tell(host) { client, out throws(LDNClientFailure) in
            try client.create(plan, at: world.master.now, into: &out)
        }
        world.settle()
    }

    private func join(_ world: World, _ player: World.Player, _ network: NetworkInfo) throws {
        try world.tell(player) { client, out throws(LDNClientFailure) in
            try client.join(network, at: world.master.now, into: &out)
        }
    }

    /// At any moment: no address is two players', no token was used twice, bounds hold.
    private func check(_ world: World, _ host: World.Player, _ place: String) {
        guard let port = host.ownProxy, let engine = world.proxies[port]?.engine else { return }
        #expect(Set(engine.playerAddresses).count == engine.playerAddresses.count, "\(place)")
        #expect(engine.playerAddresses.count <= 8 && engine.waitingTokens <= 16, "\(place)")
        let joined = world.proxies[port]?.events.compactMap { event -> VirtualAddress? in
            if case .playerJoined(_, let address)? = event as? P2PProxyEvent { address } else { nil }
        }
        // The master gives each joiner an address that nobody had before, so each token does too.
        #expect(Set(joined ?? []).count == joined?.count, "\(place)")
    }

    /// When all is quiet, the master, the proxy and the clients say the same.
    private func agree(_ world: World, _ host: World.Player, _ place: String) throws {
        let port = try #require(host.ownProxy)
        let engine = try #require(world.proxies[port]?.engine)
        let info = try #require(host.client.membership?.network.ldn, "\(place)")
        let told = info.nodes.filter(\.isConnected).map(\.ipv4Address)
        let members = world.players.filter { $0 !== host }.compactMap { $0.client.membership?.address }
        #expect(Set(told) == Set(members + [.host]), "\(place)")
        #expect(Set(engine.playerAddresses) == Set(members), "\(place)")
        #expect(told.count == members.count + 1, "\(place)")
    }
}
