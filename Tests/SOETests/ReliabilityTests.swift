import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import SOE

@Suite("SOE reliability")
struct ReliabilityTests {
    private func pair(
        _ conditions: SimulatedNetwork.Conditions = .init(), _ parameters: SOEParameters = SOEParameters(),
        seed: UInt64 = 1
    ) throws -> (DatagramSimulation, server: EngineNode, client: EngineNode, peer: PeerID) {
        var configuration = SOEConfiguration()
        configuration.parameters = parameters
        let server = EngineNode(Place.server, configuration, seed: 1)
        let client = EngineNode(Place.client(), configuration, seed: 2)
        var simulation = DatagramSimulation(SimulatedNetwork(conditions, seed: seed), nodes: [server, client])
        let peer = try client.connect(to: Place.server, at: simulation.now)
        let isOpen = simulation.run(for: .seconds(30)) { !server.opened.isEmpty }
        #expect(isOpen)
        return (simulation, server, client, peer)
    }

    /// No two messages fit into a packet, so that the sequence goes past 65535.
    @Test func seventyThousandMessagesCrossTheWrap() throws {
        var (simulation, server, client, peer) = try pair(
            .init(loss: 0.02, delay: .milliseconds(1), jitter: .milliseconds(1)))
        var received = 0
        var isOrdered = true
        server.onMessage = { message in
            isOrdered = isOrdered && message.bytes.starts(with: be(UInt32(received)))
            received += 1
        }
        let filling = [UInt8](repeating: 7, count: 256)
        for number in 0..<70_000 {
            client.send(be(UInt32(number)) + filling, to: peer, at: simulation.now)
            if number % 16 == 0 { _ = simulation.run(for: .microseconds(800)) }
        }
        let isDone = simulation.run(for: .seconds(60)) { received == 70_000 }
        #expect(isDone && isOrdered, "\(received)")
        let packets = try #require(client.engine.session(peer)).statistics.packetsSent
        #expect(packets > 70_000)
    }

    @Test func eightMegabytesCross() throws {
        var parameters = SOEParameters()
        parameters.udpLength = 1400
        parameters.key = RC4Key([1, 2, 3])
        var (simulation, server, client, peer) = try pair(.init(loss: 0.01, delay: .milliseconds(5)), parameters)
        let message = pattern(3, 8 << 20)
        client.send(message, to: peer, at: simulation.now)
        client.send([9], to: peer, at: simulation.now)
        let isDone = simulation.run(for: .seconds(300)) { server.messages.count == 2 }
        let isSame = server.messages.first?.bytes == message
        #expect(isDone && isSame)
    }

    /// No acknowledgement comes through for a while: afterwards everything goes on.
    @Test(arguments: [1, 5, 20])
    func acknowledgementsMayStayAway(_ seconds: Int) throws {
        var (simulation, server, client, peer) = try pair()
        for number in 0..<500 { client.send(pattern(number, 300), to: peer, at: simulation.now) }
        _ = simulation.run(for: .milliseconds(30))
        simulation.network.cut(true, from: Place.server, to: Place.client())
        _ = simulation.run(for: .seconds(seconds))
        #expect(server.messages.count < 500)
        simulation.network.cut(false, from: Place.server, to: Place.client())
        let isDone = simulation.run(for: .seconds(10)) { server.messages.count == 500 }
        #expect(isDone, "progress within what a timer waits at most")
        #expect(server.messages.map(\.bytes) == (0..<500).map { pattern($0, 300) })
    }

    @Test func aGapIsFilledWithoutWaitingForATimer() throws {
        var desk = Desk()
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        for number in UInt8(0)..<5 {
            #expect(desk.enqueue([number], to: peer) == .accepted)
            desk.settle()
        }
        #expect(client.takePackets(&desk).count == 5)
        desk.advance(by: .milliseconds(20))
        desk.receive(client.packet(.acknowledge0, [0, 2]), from: client.endpoint)
        #expect(client.takePackets(&desk).isEmpty, "it may only be late")
        desk.receive(client.packet(.acknowledge0, [0, 3]), from: client.endpoint)
        #expect(client.takePackets(&desk).map(\.body) == [[0, 0, 0]], "three have overtaken it")
        desk.receive(client.packet(.acknowledge0, [0, 4]), from: client.endpoint)
        #expect(client.takePackets(&desk).map(\.body) == [[0, 1, 1]])
        let statistics = try #require(desk.engine.session(peer)).statistics
        #expect(statistics.packetsResent == 2 && statistics.timeouts == 0)
        #expect(statistics.roundTrip == .milliseconds(20))
    }

    @Test func theTimerLearnsAndDoubles() throws {
        var desk = Desk()
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        func send(_ desk: inout Desk) { _ = desk.enqueue([1], to: peer); desk.settle() }
        send(&desk)
        // Nothing was measured yet.
        desk.advance(by: .milliseconds(499))
        #expect(client.takePackets(&desk).count == 1)
        desk.advance(by: .milliseconds(2))
        #expect(client.takePackets(&desk).count == 1)
        desk.advance(by: .milliseconds(997))
        #expect(client.takePackets(&desk).isEmpty)
        desk.advance(by: .milliseconds(3))
        #expect(client.takePackets(&desk).filter { $0.body == [0, 0, 1] }.count == 1)
        desk.receive(client.packet(.acknowledgeAll0, [0, 2]), from: client.endpoint)
        _ = desk.take(client.endpoint)
        for number in UInt16(0)..<20 {
            send(&desk)
            desk.advance(by: .milliseconds(10))
            let sent = client.takePackets(&desk)
            let sequence = try #require(sent.last?.body.prefix(2))
            desk.receive(client.packet(.acknowledgeAll0, Array(sequence)), from: client.endpoint)
            #expect(sent.count == 1, "\(number)")
        }
        send(&desk)
        _ = desk.take(client.endpoint)
        desk.advance(by: .milliseconds(110))
        #expect(client.takePackets(&desk).count == 1, "a tenth of a second is enough now")
    }

    @Test func smallMessagesOfATurnTravelTogether() throws {
        var desk = Desk()
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        for number in UInt8(1)...5 { #expect(desk.enqueue([number], to: peer) == .accepted) }
        desk.settle()
        #expect(desk.take(client.endpoint) == [client.reliable(0, [0, 0x19, 1, 1, 1, 2, 1, 3, 1, 4, 1, 5])])
        #expect(desk.enqueue([6], to: peer) == .accepted)
        desk.settle()
        #expect(desk.take(client.endpoint) == [client.reliable(1, [6])], "alone it travels bare")
    }

    @Test func fullPacketsNeedNotWaitForTheEndOfTheTurn() throws {
        var desk = Desk()
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        desk.receive(client.reliable(0, [1]), from: client.endpoint)
        for _ in 0..<6 { #expect(desk.enqueue([UInt8](repeating: 7, count: 100), to: peer) == .accepted) }
        // One packet with four of them, and two that have room for more.
        let hasTwo = desk.sendFull(to: peer, fewest: 2)
        #expect(!hasTwo && desk.take(client.endpoint).isEmpty)
        let hasOne = desk.sendFull(to: peer)
        #expect(hasOne && client.takePackets(&desk).map(\.code) == [.reliableData0])
        let hasAnother = desk.sendFull(to: peer)
        #expect(!hasAnother && desk.take(client.endpoint).isEmpty)
        desk.settle()
        let rest = client.takePackets(&desk)
        #expect(rest.map(\.code) == [.acknowledgeAll0, .reliableData0])
        #expect(rest.last?.body.prefix(2) == [0, 1])
        desk.disconnect(peer)
        let isOpen = desk.enqueue([1], to: peer) != .closed || desk.sendFull(to: peer)
        #expect(!isOpen)
    }

    @Test func anAnswerCarriesTheAcknowledgement() throws {
        var desk = Desk()
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        desk.receive(client.reliable(0, [1]), from: client.endpoint)
        #expect(desk.enqueue([2], to: peer) == .accepted)
        desk.settle()
        #expect(
            desk.take(client.endpoint) == [client.packet(.multiPacket, [4, 0, 0x15, 0, 0, 5, 0, 9, 0, 0, 2])])
    }

    @Test func acknowledgementsWaitAMomentForEachOther() throws {
        var desk = Desk()
        var client = HandPeer()
        _ = try client.open(with: &desk)
        for sequence in UInt16(0)..<3 { desk.receive(client.reliable(sequence, [1]), from: client.endpoint) }
        #expect(desk.take(client.endpoint).isEmpty)
        desk.advance(by: .milliseconds(2))
        #expect(desk.take(client.endpoint) == [client.packet(.acknowledgeAll0, [0, 2])])
        for sequence in UInt16(3)..<11 { desk.receive(client.reliable(sequence, [1]), from: client.endpoint) }
        #expect(desk.take(client.endpoint) == [client.packet(.acknowledgeAll0, [0, 10])], "not for eight of them")
    }

    @Test func aFullQueueIsSeenAndEmptiesWithAnEvent() throws {
        var configuration = Desk.configuration
        configuration.parameters.maxQueued = 10_000
        configuration.parameters.maxMessage = 50_000
        var desk = Desk(configuration)
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        #expect(desk.enqueue(pattern(0, 50_001), to: peer) == .tooLong)
        #expect(desk.enqueue(pattern(0, 50_000), to: peer) == .accepted, "one message is always taken")
        #expect(desk.enqueue([1], to: peer) == .full)
        desk.settle()
        for _ in 0..<40 {
            for packet in client.takePackets(&desk) {
                desk.receive(client.packet(.acknowledge0, Array(packet.body.prefix(2))), from: client.endpoint)
            }
        }
        #expect(desk.events.last == .writable(peer))
        #expect(desk.events.filter { $0 == .writable(peer) }.count == 1)
        #expect(desk.enqueue([1], to: peer) == .accepted)
    }

    @Test func burstsArePaced() throws {
        var (simulation, server, client, peer) = try pair(.init(delay: .milliseconds(50)))
        // Long enough for the window to open.
        for number in 0..<4000 { client.send(pattern(number, 450), to: peer, at: simulation.now) }
        _ = simulation.run(for: .seconds(5)) { server.messages.count == 4000 }
        let window = try #require(client.engine.session(peer)).statistics.window
        #expect(window > 100)
        _ = simulation.run(for: .seconds(2))
        for number in 0..<400 { client.send(pattern(number, 450), to: peer, at: simulation.now) }
        let before = simulation.network.sent
        _ = simulation.run(for: .microseconds(10))
        #expect(simulation.network.sent - before <= 40)
        let isDone = simulation.run(for: .seconds(2)) { server.messages.count == 4400 }
        #expect(isDone)
    }

    @Test func unreliableMessagesAreSentOnceAndOrderedOnesNeverGoBack() throws {
        var desk = Desk()
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        #expect(desk.enqueue([5, 6], on: .unreliable, to: peer) == .accepted)
        #expect(desk.enqueue([0, 6], on: .unreliable, to: peer) == .accepted)
        #expect(desk.enqueue([7], on: .ordered, to: peer) == .accepted)
        #expect(desk.enqueue([8], on: .orderedUnbuffered, to: peer) == .accepted)
        // Nothing, and too much, travel reliably.
        #expect(desk.enqueue([], on: .unreliable, to: peer) == .accepted)
        #expect(desk.enqueue(pattern(1, 600), on: .ordered, to: peer) == .accepted)
        desk.settle()
        let sent = desk.take(client.endpoint)
        #expect(sent.contains { $0.starts(with: [5, 6]) && $0.count == 4 })
        #expect(sent.contains { $0.starts(with: [0, 0, 6]) && $0.count == 5 })
        let packets = sent.flatMap { client.read($0) }
        #expect(packets.contains { $0.code == .ordered && $0.body == [0, 1, 7] })
        #expect(packets.contains { $0.code == .orderedUnbuffered && $0.body == [0, 1, 8] })
        #expect(packets.filter { $0.code == .fragment0 }.count == 2)
        desk.advance(by: .milliseconds(1))

        var raw = ByteBuffer(bytes: [0, 0, 42])
        client.coding.seal(&raw, from: 0, isRaw: true, zlib: client.zlib)
        desk.receive(Array(raw.readableBytesView), from: client.endpoint)
        for (stamp, byte) in [(1, 1), (3, 3), (2, 2), (3, 3), (4, 4), (30_004, 5), (65_535, 6)] as [(UInt16, UInt8)] {
            desk.receive(client.packet(.ordered, be(stamp) + [byte]), from: client.endpoint)
        }
        desk.receive(client.packet(.orderedUnbuffered, be(UInt16(2)) + [9]), from: client.endpoint)
        desk.receive(client.packet(.dataBundle, [1, 11, 2, 0, 12]), from: client.endpoint)
        desk.receive(client.packet(.multiPacket, [3, 77, 78, 79]), from: client.endpoint)
        #expect(
            desk.messages.map { [$0.channel] + $0.bytes } == [
                [4, 0, 42], [5, 1], [5, 3], [5, 4], [6, 9], [4, 11], [4, 12], [4, 77, 78, 79],
            ])
    }

    // MARK: Halves of a channel, alone

    @Test func aSenderWorksAlone() {
        var sender = ReliableSender(dataSize: 100, maxSpan: 8)
        var path = SendPath()
        var cipher: RC4?
        for number in 0..<20 {
            sender.enqueue(ByteBuffer(bytes: pattern(number, 80)), escapesLeadingZero: false, cipher: &cipher)
        }
        var sent: [UInt16] = []
        while let packet = sender.next(at: .zero, over: &path) { sent.append(packet.sequence) }
        #expect(sent == Array(0..<8), "the span bounds it")
        // Selective acknowledgements make no room beyond the oldest packet.
        for sequence in UInt16(1)..<3 {
            sender.acknowledge(sequence, at: Instant(nanoseconds: 10_000_000), over: &path)
        }
        #expect(!sender.isReady(at: Instant(nanoseconds: 10_000_000), over: path))
        sender.acknowledgeAll(3, at: Instant(nanoseconds: 11_000_000), over: &path)
        #expect(sender.isReady(at: Instant(nanoseconds: 11_000_000), over: path))
        sender.acknowledgeAll(5000, at: Instant(nanoseconds: 11_000_000), over: &path)
        sender.acknowledge(19, at: Instant(nanoseconds: 11_000_000), over: &path)
        #expect(sender.statistics.falseAcknowledgements == 2)
        #expect(sender.outstandingMessages == 16)
        #expect(sender.statistics.packetsSent == 8 && sender.statistics.messages == 20)
    }

    @Test func aReceiverWorksAlone() {
        var receiver = ReliableReceiver(stashLimit: 10, acknowledgesEach: false, maxDelay: .nanoseconds(2))
        func receive(_ sequence: UInt16, _ byte: UInt8) -> ReliableReceiver.Arrival {
            receiver.receive(sequence, body: ByteBuffer(bytes: [byte]), isFragment: false, at: .zero)
        }
        #expect(receive(1, 1) == .stashed)
        #expect(receive(1, 1) == .repeated)
        #expect(receive(1023, 1) == .stashed)
        #expect(receive(1025, 1) == .tooFarAhead)
        #expect(receive(65_535, 1) == .repeated, "before the first")
        #expect(receive(0, 0) == .next)
        #expect(receiver.popStashed(at: .zero)?.body == ByteBuffer(bytes: [1]))
        #expect(receiver.popStashed(at: .zero)?.body == nil)
        #expect(receive(2, 2) == .next)
        #expect(receiver.popStashed(at: .zero)?.body == nil)
        #expect(receiver.takeAcknowledgeAll(at: .zero) == 2)
        for sequence in UInt16(10)..<30 { _ = receive(sequence, 1) }
        #expect(receiver.heldBytes == 10 && receiver.statistics.dropped == 12, "the stash is bounded in bytes")
    }
}
