import Foundation
import Netplay
import RelayCore
import RelayTesting
import Testing

@Suite("Tunnel simulation")
struct SimulationTests {
    /// Pairs whose clients write at will over a network that cuts, stalls, delays and loses. What arrives is always the
    /// beginning of what was written, all of it unless the pair lost a connection, and everybody learns of an end.
    @Test(arguments: 0..<60)
    func pairsCarryBothDirectionsWhole(_ seed: UInt64) {
        var simulation = StreamSimulation(NetplayEngine(configuration: .init(), random: .seeded(seed)), seed: seed)
        var random = RandomSource.seeded(seed &+ 1000)
        var pairs: [(guest: PeerID, link: PeerID, up: [UInt8], down: [UInt8], isLost: Bool)] = []
        for _ in 0..<3 {
            let host = simulation.open()
            simulation.write(Message.openSession, from: host)
            simulation.settle()
            let session = (simulation.clients[host]?.received ?? []).suffix(12)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let guest = simulation.open()
                let early = Self.bytes(&random, upTo: 100)
                simulation.write(Message.session + session + early, from: guest)
                simulation.settle()
                let id = (simulation.clients[host]?.received ?? []).suffix(12)
                let link = simulation.open()
                simulation.write(Message.link + id, from: link)
                pairs.append((guest, link, early, [], false))
            }
        }
        for _ in 0..<400 {
            let index = Int.random(in: 0..<pairs.count, using: &random)
            switch Int.random(in: 0..<40, using: &random) {
            case 0 where seed.isMultiple(of: 2):
                simulation.lose(Bool.random(using: &random) ? pairs[index].guest : pairs[index].link)
                pairs[index].isLost = true
            case 1...15:
                let bytes = Self.bytes(&random, upTo: 5000)
                simulation.write(bytes, from: pairs[index].guest)
                pairs[index].up += bytes
            case 16...30:
                let bytes = Self.bytes(&random, upTo: 5000)
                simulation.write(bytes, from: pairs[index].link)
                pairs[index].down += bytes
            default:
                simulation.step()
            }
        }
        for pair in pairs { simulation.end(Bool.random(using: &random) ? pair.guest : pair.link) }
        simulation.settle()
        for pair in pairs {
            let atLink = simulation.clients[pair.link]?.received ?? []
            let atGuest = simulation.clients[pair.guest]?.received ?? []
            #expect(pair.up.starts(with: atLink), "seed \(seed)")
            #expect(pair.down.starts(with: atGuest), "seed \(seed)")
            if !pair.isLost {
                #expect(atLink.count == pair.up.count, "seed \(seed)")
                #expect(atGuest.count == pair.down.count, "seed \(seed)")
            }
            let ended = [pair.guest, pair.link].filter { simulation.clients[$0]?.sawEnd == true }
            #expect(!ended.isEmpty, "seed \(seed)")
        }
    }

    @Test func scriptsOfAnyBytesAreSurvived() {
        for seed in UInt64(0)..<300 {
            var random = RandomSource.seeded(seed)
            var script = StreamScript(Self.bytes(&random, upTo: 3000))
            let harness = script.run(on: NetplayEngine(configuration: .init(), random: .seeded(seed)))
            #expect(harness.connected.isEmpty)
            #expect(harness.engine.roomCount == 0)
        }
    }

    private static func bytes(_ random: inout RandomSource, upTo count: Int) -> [UInt8] {
        (0..<Int.random(in: 0...count, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
    }
}
