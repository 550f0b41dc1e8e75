import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import LDN

@Suite("LDN simulation")
struct SimulationTests {
    /// Eight clients that host, join, leave, reject, broadcast, stall and die as they like, over a network that cuts and
    /// delays. After every step the places of all networks are those of the sessions that live.
    @Test(arguments: 0..<60)
    func placesAreThoseOfTheLiving(_ seed: UInt64) {
        var simulation = StreamSimulation(LDNEngine(configuration: .init(), random: .seeded(seed)), seed: seed)
        var random = RandomSource.seeded(seed &+ 1000)
        var peers: [PeerID] = []
        for step in 0..<400 {
            peers.removeAll { !simulation.harness.connected.contains($0) }
            if peers.count < 8, Int.random(in: 0..<4, using: &random) == 0 {
                let peer = simulation.open(from: "192.0.2.\(Int.random(in: 1...3, using: &random))")
                simulation.write(Packet.initialize(InitializeMessage()).encoded.readableBytesView, from: peer)
                peers.append(peer)
            }
            guard let peer = peers.randomElement(using: &random) else { continue }
            switch Int.random(in: 0..<30, using: &random) {
            case 0: simulation.lose(peer)
            case 1: simulation.end(peer)
            case 2...12:
                for _ in 0..<3 {
                    guard let packet = Self.packet(simulation.harness.engine, &random) else { continue }
                    simulation.write(packet.encoded.readableBytesView, from: peer)
                }
            default: simulation.step()
            }
            checkInvariants(of: simulation.harness.engine, "seed \(seed), step \(step)")
        }
        simulation.settle()
        checkInvariants(of: simulation.harness.engine, "seed \(seed), at the end")
        var (hosts, joiners): ([ProxyToken], [ProxyToken]) = ([], [])
        for client in simulation.clients.values {
            let said = Self.packets(client.received)
            #expect(said != nil, "seed \(seed)")
            for packet in said ?? [] {
                switch packet {
                case .externalProxyToken(let token): hosts.append(token.token)
                case .externalProxy(let config): joiners.append(config.token)
                default: break
                }
            }
        }
        // A token lets one player in, once.
        #expect(Set(hosts).count == hosts.count && Set(joiners).count == joiners.count, "seed \(seed)")
    }

    private static func packet(_ engine: LDNEngine, _ random: inout RandomSource) -> Packet? {
        let networks = engine.networks.all.map(\.room).sorted { $0.id.low < $1.id.low }
        let network = networks.randomElement(using: &random)
        switch Int.random(in: 0..<12, using: &random) {
        case 0, 1:
            return .createAccessPoint(
                Bool.random(using: &random) ? .of("h", most: UInt8.random(in: 0...9, using: &random)) : .p2p(),
                advertiseData: ByteBuffer())
        case 2:
            let id = SessionID(high: 0, low: UInt64.random(in: 1...3, using: &random))
            return .createAccessPointPrivate(.of(id), advertiseData: ByteBuffer())
        case 3, 4, 5: return network.map { .connect(.to($0.info, as: "p")) }
        case 6: return network.map { .connectPrivate(.to($0.id)) }
        case 7: return .disconnect(DisconnectMessage())
        case 8: return .rejecting(UInt32.random(in: 0...8, using: &random))
        case 9: return .policy(AcceptPolicy(rawValue: UInt8.random(in: 0...3, using: &random)))
        case 10: return .proxyState(.player(UInt32.random(in: 1...9, using: &random)))
        default: return .scan(ScanFilter())
        }
    }

    /// Players of one network that broadcast while others come and go: each broadcast reaches each player that was in at
    /// that moment once, and those of one sender arrive in their order.
    @Test(arguments: 0..<60)
    func broadcastsArriveOnce(_ seed: UInt64) throws {
        var simulation = StreamSimulation(LDNEngine(configuration: .init(), random: .seeded(seed)), seed: seed)
        var random = RandomSource.seeded(seed &+ 2000)
        func say(_ packets: Packet..., from peer: PeerID) {
            for packet in packets { simulation.write(packet.encoded.readableBytesView, from: peer) }
        }
        let host = simulation.open()
        say(
            .initialize(InitializeMessage()), .createAccessPoint(.of("h"), advertiseData: ByteBuffer()), from: host)
        simulation.settle()
        let network = try #require(simulation.harness.engine.networks.all.first?.room)
        let info = network.info
        var players: [PeerID] = [host]
        var sent: [PeerID: [String]] = [:]
        var lost: Set<PeerID> = []
        for number in 0..<500 {
            switch Int.random(in: 0..<40, using: &random) {
            case 0 where players.count < 8:
                let peer = simulation.open()
                say(.initialize(InitializeMessage()), .connect(.to(info)), from: peer)
                players.append(peer)
            case 1 where players.count > 1 && seed.isMultiple(of: 3):
                let peer = players.remove(at: Int.random(in: 1..<players.count, using: &random))
                simulation.lose(peer)
                lost.insert(peer)
            case 2...14:
                guard let peer = players.randomElement(using: &random) else { continue }
                let destination = Bool.random(using: &random) ? VirtualAddress.broadcast : .legacyBroadcast
                say(.datagram(to: destination, "\(peer.slot).\(peer.generation) \(number)"), from: peer)
                sent[peer, default: []].append("\(peer.slot).\(peer.generation) \(number)")
            default:
                simulation.step()
            }
        }
        simulation.settle()
        let hostHeard = try Self.datagrams(#require(simulation.clients[host]?.received))
        for peer in players {
            let heard = try Self.datagrams(#require(simulation.clients[peer]?.received))
            #expect(Set(heard).count == heard.count, "seed \(seed): something arrived twice")
            // The host is in from first to last, so it hears all; who came later hears the same from then on.
            #expect(hostHeard.suffix(heard.count) == heard[...], "seed \(seed)")
            for (sender, texts) in sent {
                let arrived = heard.filter { $0.hasPrefix("\(sender.slot).\(sender.generation) ") }
                if peer == host { #expect(texts.starts(with: arrived), "seed \(seed)") }
                if peer == host, !lost.contains(sender) { #expect(texts == arrived, "seed \(seed)") }
            }
        }
    }

    @Test func scriptsOfAnyBytesAreSurvived() {
        for seed in UInt64(0)..<300 {
            var random = RandomSource.seeded(seed)
            let bytes = (0..<3000).map { _ in UInt8.random(in: 0...255, using: &random) }
            var script = StreamScript(bytes)
            let harness = script.run(on: LDNEngine(configuration: .init(), random: .seeded(seed)))
            #expect(harness.connected.isEmpty && harness.engine.roomCount == 0)
        }
    }

    private static func packets(_ bytes: [UInt8]) -> [Packet]? {
        var rest = ByteBuffer(bytes: bytes)
        var reader = FrameReader()
        var packets: [Packet] = []
        while let next = try? reader.next(from: &rest) {
            guard let packet = try? Packet(next) else { return nil }
            packets.append(packet)
        }
        return rest.readableBytes == 0 ? packets : nil
    }

    /// The texts of all datagrams.
    private static func datagrams(_ bytes: [UInt8]) throws -> [String] {
        try #require(packets(bytes)).compactMap { packet in
            if case .proxyData(_, let data) = packet { String(buffer: data) } else { nil }
        }
    }
}
