import FuzzTargets
import Netplay
import RelayCore
import RelayTesting
import Testing

@Suite("Transcoding simulation")
struct TranscodingSimulationTests {
    private struct Side {
        var peer: PeerID
        var hasZlib: Bool
        var written: [UInt8]
    }

    /// Pairs with and without compression, whose clients write messages at will over a network that cuts, stalls, delays
    /// and loses. What arrives is what must become of what was written, or the beginning of it if the pair lost a
    /// connection.
    @Test(arguments: 0..<60)
    func savestatesArriveInTheFormOfTheirReceiver(_ seed: UInt64) {
        var simulation = StreamSimulation(NetplayEngine(configuration: .init(), random: .seeded(seed)), seed: seed)
        var random = RandomSource.seeded(seed &+ 1000)
        let host = simulation.open()
        simulation.write(Message.openSession, from: host)
        simulation.settle()
        let session = (simulation.clients[host]?.received ?? []).suffix(12)
        // Guest and link of a pair.
        var pairs: [[Side]] = []
        var lost: Set<Int> = []
        for number in 0..<4 {
            let sides = [number & 1 == 1, number & 2 == 2]
            let guest = simulation.open()
            simulation.write(Message.session + session + Messages.header(zlib: sides[0]), from: guest)
            simulation.settle()
            let id = (simulation.clients[host]?.received ?? []).suffix(12)
            let link = simulation.open()
            simulation.write(Message.link + id + Messages.header(zlib: sides[1]), from: link)
            pairs.append(zip([guest, link], sides).map { Side(peer: $0, hasZlib: $1, written: []) })
        }
        for _ in 0..<300 {
            let (pair, side) = (Int.random(in: 0..<4, using: &random), Int.random(in: 0...1, using: &random))
            switch Int.random(in: 0..<40, using: &random) {
            case 0 where seed.isMultiple(of: 2):
                simulation.lose(pairs[pair][side].peer)
                lost.insert(pair)
            case 1...8:
                let message = Self.message(zlib: pairs[pair][side].hasZlib, &random)
                simulation.write(message, from: pairs[pair][side].peer)
                pairs[pair][side].written += message
            default:
                simulation.step()
            }
        }
        for pair in pairs { simulation.end(pair[Int.random(in: 0...1, using: &random)].peer) }
        simulation.settle()
        for (number, pair) in pairs.enumerated() {
            for side in 0...1 {
                let (sender, receiver) = (pair[side], pair[1 - side])
                let conversion: Transcoder.Conversion? =
                    sender.hasZlib == receiver.hasZlib ? nil : sender.hasZlib ? .inflate : .deflate
                let oracle = TranscodingOracle(sender.written, conversion, maxStateBytes: 64 << 20)
                let arrived = Array((simulation.clients[receiver.peer]?.received ?? []).dropFirst(24))
                if lost.contains(number) {
                    let whole = Self.wholeMessages(arrived)
                    #expect(oracle.output.starts(with: whole), "seed \(seed), pair \(number)")
                } else {
                    #expect(oracle.output == arrived, "seed \(seed), pair \(number)")
                }
            }
            #expect(pair.contains { simulation.clients[$0.peer]?.sawEnd == true }, "seed \(seed)")
        }
    }

    /// Without the beginning of a message that did not come whole.
    private static func wholeMessages(_ stream: [UInt8]) -> ArraySlice<UInt8> {
        var end = 0
        while end + 8 <= stream.count {
            let length = 8 + word(stream, end + 4) + (word(stream, end) == 0x48 ? 4 : 0)
            guard end + length <= stream.count else { break }
            end += length
        }
        return stream[..<end]
    }

    private static func message(zlib: Bool, _ random: inout RandomSource) -> [UInt8] {
        // No lies: a kind without the bits for those.
        let kind = UInt8.random(in: 0...255, using: &random) & 0x8F
        var script = MessageScript([kind, UInt8.random(in: 0...120, using: &random)])
        return script.message(zlib: zlib) ?? []
    }
}
