import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import SOE

/// Peers who know their session's CRC and mean no good.
@Suite("SOE hostile peers")
struct HostileTests {
    @Test(arguments: [
        (OpCode.multiPacket, [10, 0, 6] as [UInt8]), (.multiPacket, [0, 2, 0, 6]), (.multiPacket, [1, 0, 2]),
        (.multiPacket, [255]), (.multiPacket, [255, 255, 255, 255, 255, 255, 255, 1]), (.acknowledgeAll0, []),
        (.acknowledge3, [1]), (.reliableData0, [0]), (.reliableData0, [0, 0]), (.fragment0, [0, 0, 1, 2]),
        (.fragment0, [0, 0, 0, 0, 0, 0, 1]), (.fragment0, [0, 0, 0, 0, 0, 2, 1, 2, 3]),
        (.fragment0, [0, 0, 255, 255, 255, 255, 1]), (.ordered, [1]), (.disconnect, [1, 2]),
        (.multiPacket, [14, 0, 3, 11, 0, 3, 8, 0, 3, 5, 0, 3, 2, 0, 3]),
    ])
    func corruptionEndsTheSession(_ code: OpCode, _ body: [UInt8]) throws {
        var desk = Desk()
        var client = HandPeer()
        _ = try client.open(with: &desk)
        desk.receive(client.packet(code, body), from: client.endpoint)
        #expect(desk.closed == [.corruptPacket])
        #expect(client.takePackets(&desk).map(\.code) == [.disconnect])
        #expect(desk.engine.heldBytes == 0)
    }

    /// Without a CRC anybody can write such a packet.
    @Test func withoutACRCCorruptionIsDropped() throws {
        var configuration = Desk.configuration
        configuration.parameters.crcLength = 0
        var desk = Desk(configuration)
        var client = HandPeer()
        _ = try client.open(with: &desk)
        for body in [[10, 0, 6], [0, 2, 0, 6], [255]] as [[UInt8]] {
            desk.receive(client.packet(.multiPacket, body), from: client.endpoint)
        }
        desk.receive([0, 9], from: client.endpoint)
        desk.receive(client.reliable(0, [1]), from: client.endpoint)
        #expect(desk.closed.isEmpty && desk.messages.map(\.bytes) == [[1]])
    }

    @Test func dataBetweenFragmentsIsCorruption() throws {
        var desk = Desk()
        var client = HandPeer()
        _ = try client.open(with: &desk)
        desk.receive(client.packet(.fragment0, [0, 0, 0, 0, 0, 9, 1, 2, 3]), from: client.endpoint)
        desk.receive(client.reliable(1, [1]), from: client.endpoint)
        #expect(desk.closed == [.corruptPacket])
    }

    @Test func aTruncatedBundleDeliversWhatIsWhole() throws {
        var desk = Desk()
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        desk.receive(client.reliable(0, [0, 0x19, 1, 65, 9, 66]), from: client.endpoint)
        desk.receive(client.reliable(1, [0, 0x19, 255]), from: client.endpoint)
        desk.receive(client.reliable(2, [0, 0x19]), from: client.endpoint)
        desk.receive(client.reliable(3, [0]), from: client.endpoint)
        #expect(desk.messages.map(\.bytes) == [[65], [0, 0x19], [0]] && desk.closed.isEmpty)
        #expect(try #require(desk.engine.session(peer)).statistics.dropped == 2)
    }

    @Test func acknowledgementsOfNothingSentDoNothing() throws {
        var desk = Desk()
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        #expect(desk.enqueue([1], to: peer) == .accepted)
        desk.settle()
        _ = desk.take(client.endpoint)
        for sequence in [1, 2, 100, 32_000, 40_000, 65_535] as [UInt16] {
            for code in [OpCode.acknowledge0, .acknowledgeAll0, .acknowledgeAll2] {
                desk.receive(client.packet(code, be(sequence)), from: client.endpoint)
            }
        }
        desk.advance(by: .milliseconds(600))
        #expect(client.takePackets(&desk).contains { $0.body == [0, 0, 1] }, "it is still sent again")
        #expect(try #require(desk.engine.session(peer)).statistics.falseAcknowledgements == 8)
    }

    /// A storm of whatever is cheapest for its sender leaves the engine as it was.
    @Test func stormsLeaveNothingBehind() throws {
        var desk = Desk()
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        for _ in 0..<3000 { desk.receive(client.packet(.heartbeat), from: client.endpoint) }
        for number in UInt16(2)..<3000 { desk.receive(client.reliable(number, [1]), from: client.endpoint) }
        var parts: [UInt8] = []
        for _ in 0..<100 { parts += [4, 0, 0x11, 0, 0] }
        for _ in 0..<100 { desk.receive(client.packet(.multiPacket, parts), from: client.endpoint) }
        for _ in 0..<3000 { desk.receive(client.request(), from: client.endpoint) }
        for _ in 0..<3000 { desk.receive([0, 7] + [UInt8](repeating: 1, count: 38), from: client.endpoint) }
        let session = try #require(desk.engine.session(peer))
        #expect(session.state == .running && session.heldBytes < 2000 && session.queuedBytes == 0)
    }

    /// A peer fills the space for what comes too early with packets as long as there are.
    @Test func whatIsKeptOutOfOrderIsBounded() throws {
        var desk = Desk()
        var client = HandPeer()
        _ = try client.open(with: &desk)
        for sequence in UInt16(1)..<900 {
            desk.receive(client.reliable(sequence, pattern(1, 60_000)), from: client.endpoint)
        }
        #expect(desk.engine.heldBytes <= 256 * 512)
    }

    @Test(arguments: 0..<12)
    func anyDatagramsAreSurvived(_ seed: Int) throws {
        var random = RandomSource.seeded(UInt64(seed))
        var configuration = Desk.configuration
        configuration.parameters.dialect = SOEDialect.all[seed % 4]
        configuration.parameters.compression = seed % 3 == 0
        configuration.parameters.crcLength = seed % 5
        if seed % 2 == 0 { configuration.parameters.key = RC4Key([1]) }
        let dialect = configuration.parameters.dialect
        var desk = Desk(configuration)
        var client = HandPeer()
        for _ in 0..<1500 {
            if client.coding.crc.seed == 0 || desk.engine.sessionCount == 0 {
                client.sessionID = UInt32.random(in: 0 ... .max, using: &random)
                let name = dialect.namesProtocol ? "Test" : nil
                desk.advance(by: .seconds(1))
                _ = desk.take(client.endpoint)
                guard (try? client.open(with: &desk, dialect: dialect, name: name, version: dialect.version)) != nil
                else { continue }
            }
            let count = [0, 1, 2, 3, 4, 6, 10, 40, 300].randomElement(using: &random) ?? 0
            let body = (0..<count).map { _ in
                UInt8.random(in: 0...(Bool.random(using: &random) ? 3 : 255), using: &random)
            }
            let code = OpCode.allCases.randomElement(using: &random) ?? .big
            switch Int.random(in: 0..<8, using: &random) {
            case 0: desk.receive(body, from: client.endpoint)
            case 1: desk.receive([0, code.rawValue] + body, from: client.endpoint)
            case 2: desk.advance(by: .milliseconds(Int.random(in: 0...2000, using: &random)))
            case 3:
                if let peer = desk.opened.last {
                    _ = desk.enqueue(
                        body, on: SOEChannel.allCases.randomElement(using: &random) ?? .reliable0, to: peer)
                }
            default: desk.receive(client.packet(code, body), from: client.endpoint)
            }
            _ = desk.take(client.endpoint)
        }
        desk.stop()
        desk.advance(by: .seconds(120))
        #expect(desk.engine.sessionCount == 0 && desk.engine.nextDeadline == nil && desk.engine.heldBytes == 0)
    }
}
