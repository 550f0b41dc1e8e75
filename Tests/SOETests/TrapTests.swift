import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import SOE

/// What has gone wrong in the implementations out there, one test each.
@Suite("SOE traps")
struct TrapTests {
    /// 1. A receiver that acknowledges only what is new to it, and whose last acknowledgement was lost: it is sent something
    /// new, and if there is nothing, something that says nothing.
    @Test func aReceiverThatNeverRepeatsItselfIsMadeToSpeak() throws {
        let model = ModelPeer(.crate, Place.client(), server: Place.server)
        model.enqueue([1])
        var configuration = SOEConfiguration()
        configuration.parameters = model.parameters
        let node = EngineNode(Place.server, configuration)
        var simulation = DatagramSimulation(
            SimulatedNetwork(.init(delay: .milliseconds(5)), seed: 1), nodes: [node, model])
        let isOpen = simulation.run(for: .seconds(5)) { !node.opened.isEmpty }
        #expect(isOpen)
        _ = simulation.run(for: .seconds(1))
        let peer = try #require(node.opened.first)
        simulation.network.cut(true, from: model.endpoint, to: Place.server)
        node.send([42], to: peer, at: simulation.now)
        _ = simulation.run(for: .milliseconds(300))
        #expect(model.messages == [[42]])
        simulation.network.cut(false, from: model.endpoint, to: Place.server)
        let isIdle = simulation.run(for: .seconds(10)) { node.engine.session(peer)?.queuedBytes == 0 }
        #expect(isIdle, "it has acknowledged at last")
        #expect(model.messages == [[42]] && model.end == nil, "and has heard nothing more")
        node.send([43], to: peer, at: simulation.now)
        _ = simulation.run(for: .seconds(1))
        #expect(model.messages == [[42], [43]])
    }

    /// 1. The other side of it: what came before is always acknowledged again, though not for every packet of a flood.
    @Test func whatCameBeforeIsAcknowledgedAgain() throws {
        var desk = Desk()
        var client = HandPeer()
        _ = try client.open(with: &desk)
        desk.receive(client.reliable(0, [1]), from: client.endpoint)
        desk.advance(by: .milliseconds(5))
        #expect(client.takePackets(&desk).map(\.code) == [.acknowledgeAll0])
        for pause in [Duration.milliseconds(1), .milliseconds(10), .seconds(1), .seconds(20)] {
            desk.advance(by: pause)
            _ = desk.take(client.endpoint)
            desk.receive(client.reliable(0, [1]), from: client.endpoint)
            desk.advance(by: .milliseconds(1))
            let packets = client.takePackets(&desk)
            #expect(packets.map(\.code) == [.acknowledgeAll0] && packets[0].body == [0, 0], "after \(pause)")
        }
        for _ in 0..<1000 { desk.receive(client.reliable(0, [1]), from: client.endpoint) }
        desk.advance(by: .milliseconds(2))
        #expect(client.takePackets(&desk).count <= 2)
        #expect(desk.messages.count == 1)
    }

    /// 1. Peers of the publisher's library take a unit that says nothing for corruption: they are never sent one.
    @Test(arguments: [SOEDialect.udpLibrary, .everQuest, .v3])
    func nobodyElseIsSentAUnitThatSaysNothing(_ dialect: SOEDialect) throws {
        var configuration = Desk.configuration
        configuration.parameters.dialect = dialect
        var desk = Desk(configuration)
        var client = HandPeer()
        let name = dialect.namesProtocol ? "Test" : nil
        let peer = try client.open(with: &desk, dialect: dialect, name: name, version: dialect.version)
        // Those who send MultiPackets do not forget to acknowledge.
        if dialect == .v3 { desk.receive(client.packet(.multiPacket, [2, 0, 6]), from: client.endpoint) }
        _ = desk.take(client.endpoint)
        #expect(desk.enqueue([42], to: peer) == .accepted)
        desk.advance(by: .seconds(20))
        let bodies = Set(client.takePackets(&desk).filter { $0.code == .reliableData0 }.map(\.body))
        #expect(bodies == [[0, 0, 42]])
    }

    /// 2. A handshake that loses or repeats a datagram opens all the same.
    @Test(arguments: 0..<8)
    func aHandshakeSurvivesLossAndRepetition(_ seed: Int) throws {
        let conditions = SimulatedNetwork.Conditions(loss: 0.4, duplication: 0.4, jitter: .milliseconds(30))
        let server = EngineNode(Place.server, Desk.configuration, seed: 1)
        let client = EngineNode(Place.client(), Desk.configuration, seed: 2)
        server.echoes = true
        var simulation = DatagramSimulation(
            SimulatedNetwork(conditions, seed: UInt64(seed)), nodes: [server, client])
        let peer = try client.connect(to: Place.server, at: simulation.now)
        client.send([1], to: peer, at: simulation.now)
        let isDone = simulation.run(for: .seconds(30)) { client.messages.count == 1 }
        #expect(isDone && client.closed.isEmpty && server.closed.isEmpty && server.opened.count == 1)
    }

    /// 3. Damage, and what nobody knows, is dropped and counted.
    @Test func damageEndsNothing() throws {
        var desk = Desk()
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        let good = client.reliable(0, [1, 2, 3])
        for index in good.indices {
            var damaged = good
            damaged[index] ^= 0x40
            desk.receive(damaged, from: client.endpoint)
        }
        desk.receive(client.packet(.big, [1, 2]), from: client.endpoint)
        var unknown = ByteBuffer(bytes: [0, 0x55, 1])
        client.coding.crc.append(to: &unknown, from: 0)
        desk.receive(Array(unknown.readableBytesView), from: client.endpoint)
        desk.receive(good, from: client.endpoint)
        #expect(desk.messages.map(\.bytes) == [[1, 2, 3]] && desk.closed.isEmpty)
        let statistics = try #require(desk.engine.session(peer)).statistics
        #expect(statistics.badCRC + statistics.dropped == UInt64(good.count) + 1)
    }

    /// 4. Nobody is sent more than he takes; whoever sends us more is understood.
    @Test func lengthsAreThePeers() throws {
        var configuration = Desk.configuration
        configuration.parameters.udpLength = 1400
        var desk = Desk(configuration)
        var client = HandPeer()
        desk.receive(client.request(udpLength: 100), from: client.endpoint)
        var body = ByteBuffer(bytes: try #require(desk.take(client.endpoint).first).dropFirst(2))
        let response = try SessionResponse.decode(from: &body)
        #expect(response.udpLength == 100, "some take it for both directions")
        client.coding = try PacketCoding(response: response, dialect: .v3)
        desk.receive(client.reliable(0, pattern(1, 5000)), from: client.endpoint)
        #expect(desk.messages.map(\.bytes) == [pattern(1, 5000)])
        let peer = try #require(desk.opened.first)
        #expect(desk.enqueue(pattern(2, 3000), to: peer) == .accepted)
        #expect(desk.enqueue(pattern(2, 99), on: .unreliable, to: peer) == .accepted)
        desk.settle()
        let sent = desk.take(client.endpoint)
        #expect(sent.map(\.count).max() == 100)
        // Who says less than a packet needs is not believed.
        let tiny = HandPeer(Place.client(1))
        desk.receive(tiny.request(udpLength: 0), from: tiny.endpoint)
        #expect(desk.take(tiny.endpoint).first.map { Array($0[13..<17]) } == be(UInt32(64)))
    }

    /// 5. The window is one of sequences: what a receiver has out of order makes no room.
    @Test func theSpanStaysInThePeersWindow() throws {
        var desk = Desk()
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        for number in 0..<1000 { #expect(desk.enqueue(pattern(number, 400), to: peer) == .accepted) }
        var highest: UInt16 = 0
        for _ in 0..<200 {
            desk.advance(by: .milliseconds(10))
            for packet in client.takePackets(&desk) where packet.code == .reliableData0 {
                let sequence = UInt16(packet.body[0]) << 8 | UInt16(packet.body[1])
                highest = max(highest, sequence)
                // The first never arrives.
                if sequence > 0 { desk.receive(client.packet(.acknowledge0, be(sequence)), from: client.endpoint) }
            }
        }
        #expect(highest >= 180 && highest <= 255)
    }

    /// 6. Lengths in MultiPackets and bundles that others misread are not written.
    @Test func partsOfMultiPacketsAreShort() throws {
        var desk = Desk()
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        for size in 240...260 {
            for channel in [SOEChannel.reliable0, .reliable1] {
                #expect(desk.enqueue(pattern(size, size), on: channel, to: peer) == .accepted)
            }
            desk.settle()
            for datagram in desk.take(client.endpoint) {
                for packet in client.read(datagram) {
                    if datagram[1] == 3 { #expect(packet.body.count + 2 <= 254) }
                    desk.receive(
                        client.packet(
                            packet.code == .reliableData0 ? .acknowledgeAll0 : .acknowledgeAll1,
                            Array(packet.body.prefix(2))), from: client.endpoint)
                }
            }
        }
    }

    /// 6. What would be read as a bundle is sent as one; with the escape it needs none.
    @Test func aMessageThatLooksLikeABundleArrives() throws {
        for (dialect, expected) in [
            (SOEDialect.v3, [0, 0, 0, 0x19, 5, 0, 0x19, 2, 1, 2]), (.udpLibrary, [0, 0, 0, 0, 0x19, 2, 1, 2]),
        ]
            as [(SOEDialect, [UInt8])]
        {
            var configuration = Desk.configuration
            configuration.parameters.dialect = dialect
            var desk = Desk(configuration)
            var client = HandPeer()
            let peer = try client.open(with: &desk, dialect: dialect)
            #expect(desk.enqueue([0, 0x19, 2, 1, 2], to: peer) == .accepted)
            desk.settle()
            #expect(client.takePackets(&desk).map(\.body) == [expected])
            desk.receive(client.reliable(0, Array(expected.dropFirst(2))), from: client.endpoint)
            #expect(desk.messages.map(\.bytes) == [[0, 0x19, 2, 1, 2]])
        }
    }

    /// 7. Before the first packet there is nothing: 65535 is old, not far ahead.
    @Test func nothingIsBeforeTheFirstPacket() throws {
        #expect(SequenceNumber.widen(65_535, near: 0) == -1)
        #expect(SequenceNumber.widen(0, near: 65_535) == 65_536)
        var desk = Desk()
        var client = HandPeer()
        _ = try client.open(with: &desk)
        desk.receive(client.reliable(65_535, [1]), from: client.endpoint)
        desk.receive(client.reliable(0, [2]), from: client.endpoint)
        #expect(desk.messages.map(\.bytes) == [[2]])
    }

    /// 8. What a peer announces costs nothing; what it inflates is bounded.
    @Test func announcementsAreNotBelieved() throws {
        var configuration = Desk.configuration
        configuration.parameters.compression = true
        configuration.parameters.maxMessage = 1 << 20
        var desk = Desk(configuration)
        var client = HandPeer()
        _ = try client.open(with: &desk)
        desk.receive(client.packet(.fragment0, be(UInt16(0)) + be(UInt32(1 << 20)) + [1]), from: client.endpoint)
        #expect(desk.engine.heldBytes <= 20_000 && desk.closed.isEmpty)
        desk.receive(client.packet(.fragment1, be(UInt16(0)) + be(UInt32(2 << 20)) + [1]), from: client.endpoint)
        #expect(desk.closed == [.corruptPacket])

        var other = HandPeer(Place.client(1))
        _ = try other.open(with: &desk)
        var bomb = ByteBuffer(bytes: [0, 3, 0])
        bomb.writeRepeatingByte(0, count: 2_000_000)
        let zlib = ZlibCodec()
        #expect(zlib.deflateInPlace(&bomb, from: 3, threshold: 0))
        bomb.setInteger(UInt8(1), at: 2)
        #expect(bomb.readableBytes < 4000)
        other.coding.crc.append(to: &bomb, from: 0)
        desk.receive(Array(bomb.readableBytesView), from: other.endpoint)
        #expect(desk.closed == [.corruptPacket, .corruptPacket])
    }

    /// 9. Ids and seeds are not to be guessed.
    @Test func idsAndSeedsDiffer() throws {
        var ids: Set<UInt32> = []
        var seeds: Set<UInt32> = []
        for number in 0..<50 {
            var configuration = Desk.configuration
            configuration.acceptsSessions = true
            var out = DatagramOutbox()
            var engine = SOEEngine(configuration: configuration)
            let peer = try engine.connect(to: Place.server, at: .zero, into: &out)
            ids.insert(try #require(engine.session(peer)).wireID)
            engine.receive(ByteBuffer(bytes: HandPeer().request()), from: Place.client(number), at: .zero, into: &out)
            var body = out.datagram(at: out.datagramCount - 1).bytes
            body.moveReaderIndex(forwardBy: 2)
            seeds.insert(try SessionResponse.decode(from: &body).crcSeed)
        }
        #expect(ids.count == 50 && seeds.count == 50)
    }

    /// 10. Nothing waits for a tick: what is enqueued leaves at the end of the turn.
    @Test func sendingWaitsForNothing() throws {
        var desk = Desk()
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        let before = desk.now
        #expect(desk.enqueue([1], to: peer) == .accepted)
        #expect(desk.engine.nextDeadline.map { $0 <= before } ?? false)
        desk.settle()
        #expect(desk.take(client.endpoint).count == 1 && desk.now == before)
    }

    /// 11. A heartbeat follows silence once per interval, not once per turn.
    @Test func heartbeatsAreNoStorm() throws {
        var desk = Desk()
        var client = HandPeer()
        _ = try client.open(with: &desk)
        desk.advance(by: .seconds(10))
        for _ in 0..<100 { desk.advance(by: .milliseconds(5)) }
        #expect(client.takePackets(&desk).map(\.code) == [.heartbeat])
    }

    /// 12. The first burst fits into any receive buffer: see also ReliabilityTests.
    @Test func theFirstBurstIsShort() throws {
        var desk = Desk()
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        #expect(desk.enqueue(pattern(0, 400_000), to: peer) == .accepted)
        desk.settle()
        #expect(desk.take(client.endpoint).count == 16)
    }

    /// 13. Each channel has its own order, its own acknowledgements and its own key stream.
    @Test func channelsAreApart() throws {
        var configuration = Desk.configuration
        let key = try #require(RC4Key([9, 8, 7]))
        configuration.parameters.key = key
        var desk = Desk(configuration)
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        for channel in [SOEChannel.reliable0, .reliable3, .reliable3] {
            #expect(desk.enqueue([1, 2, 3], on: channel, to: peer) == .accepted)
            desk.settle()
        }
        var first = RC4(key: key)
        var second = RC4(key: key)
        let expected: [[UInt8]] = [
            [0, 0] + [1, 2, 3].map { first.apply(to: $0) }, [0, 0] + [1, 2, 3].map { second.apply(to: $0) },
            [0, 1] + [1, 2, 3].map { second.apply(to: $0) },
        ]
        let packets = client.takePackets(&desk)
        #expect(packets.map(\.body) == expected)
        #expect(packets.map(\.code) == [.reliableData0, .reliableData3, .reliableData3])
        desk.receive(client.packet(.acknowledgeAll3, [0, 1]), from: client.endpoint)
        desk.advance(by: .milliseconds(600))
        #expect(
            Set(client.takePackets(&desk).map(\.code)) == [.reliableData0], "only what is not acknowledged goes again")
    }

    /// 14. That a port is unreachable is the socket's to ignore: an engine is not told, and goes by silence.
    @Test func aSilentMomentIsNoEnd() throws {
        var (simulation, nodes) = try Self.pair()
        simulation.network.cut(true, from: Place.server, to: Place.client())
        simulation.network.cut(true, from: Place.client(), to: Place.server)
        nodes.client.send([1], to: nodes.peer, at: simulation.now)
        _ = simulation.run(for: .seconds(20))
        simulation.network.cut(false, from: Place.server, to: Place.client())
        simulation.network.cut(false, from: Place.client(), to: Place.server)
        let isDone = simulation.run(for: .seconds(5)) { nodes.server.messages.count == 1 }
        #expect(isDone && nodes.client.closed.isEmpty && nodes.server.closed.isEmpty)
    }

    /// 15. A Disconnect that is lost is said again.
    @Test func aLostDisconnectIsRepeated() throws {
        var (simulation, nodes) = try Self.pair()
        simulation.network.cut(true, from: Place.client(), to: Place.server)
        nodes.client.disconnect(nodes.peer, at: simulation.now)
        _ = simulation.run(for: .milliseconds(50))
        simulation.network.cut(false, from: Place.client(), to: Place.server)
        let isDone = simulation.run(for: .seconds(1)) { nodes.server.closed.count == 1 }
        #expect(isDone && nodes.server.closed.first?.reason == .application)
    }

    private static func pair() throws -> (DatagramSimulation, (server: EngineNode, client: EngineNode, peer: PeerID)) {
        let server = EngineNode(Place.server, Desk.configuration, seed: 1)
        let client = EngineNode(Place.client(), Desk.configuration, seed: 2)
        var simulation = DatagramSimulation(SimulatedNetwork(seed: 1), nodes: [server, client])
        let peer = try client.connect(to: Place.server, at: simulation.now)
        let isOpen = simulation.run(for: .seconds(5)) { !server.opened.isEmpty }
        #expect(isOpen)
        return (simulation, (server, client, peer))
    }
}
