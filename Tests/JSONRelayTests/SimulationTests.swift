import JSONRelay
import NIOCore
import RelayCore
import RelayTesting
import Testing

@Suite("Simulated clients")
struct SimulationTests {
    /// Clients that talk at will over a network that cuts, stalls and loses. Whole frames arrive, each as it was sent,
    /// those of one sender in their order; all of them unless a connection was lost.
    @Test(arguments: 0..<60)
    func messagesArriveWholeAndInOrder(_ seed: UInt64) throws {
        var simulation = StreamSimulation(JSONRelayEngine(configuration: .init(), random: .seeded(seed)), seed: seed)
        var random = RandomSource.seeded(seed &+ 1000)
        var peers: [PeerID] = []
        for number in 0..<5 {
            let peer = simulation.open()
            simulation.write(Self.frame(#"{"payloadType":"INIT","source":"c\#(number)"}"#), from: peer)
            peers.append(peer)
        }
        simulation.settle()
        var sent: [String: [String]] = [:]
        var lost: Set<Int> = []
        for step in 0..<300 {
            let (from, to) = (Int.random(in: 0..<5, using: &random), Int.random(in: 0..<5, using: &random))
            switch Int.random(in: 0..<40, using: &random) {
            case 0 where seed.isMultiple(of: 2):
                simulation.lose(peers[from])
                lost.insert(from)
            case 1...15 where !lost.contains(from):
                let filling = String(repeating: "x", count: Int.random(in: 0...2000, using: &random))
                let body =
                    #"{"payloadType":"MESSAGE","source":"c\#(from)","destination":"c\#(to)","payload":"\#(step) \#(filling)"}"#
                simulation.write(Self.frame(body), from: peers[from])
                sent["\(from) \(to)", default: []].append(body)
            default:
                simulation.step()
            }
        }
        simulation.settle()
        for (to, peer) in peers.enumerated() {
            let frames = try Self.frames(simulation.clients[peer]?.received ?? [])
            for from in 0..<5 {
                let arrived = frames.filter { $0.contains(#""MESSAGE","source":"c\#(from)""#) }
                let written = sent["\(from) \(to)"] ?? []
                #expect(written.starts(with: arrived), "seed \(seed)")
                if !lost.contains(from), !lost.contains(to) {
                    #expect(arrived.count == written.count, "seed \(seed)")
                }
            }
        }
    }

    private static func frame(_ body: String) -> [UInt8] {
        var bytes = ByteBuffer()
        bytes.writeInteger(UInt32(body.utf8.count))
        bytes.writeString(body)
        return Array(bytes.readableBytesView)
    }

    private static func frames(_ bytes: [UInt8]) throws -> [String] {
        var rest = ByteBuffer(bytes: bytes)
        var frames: [String] = []
        while rest.readableBytes > 0 {
            let length = rest.readInteger(as: UInt32.self)
            let body = rest.readString(length: Int(try #require(length)))
            frames.append(try #require(body))
        }
        return frames
    }
}
