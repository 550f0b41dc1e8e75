import LANBridge
import NIOCore
import RelayCore
import Testing

@Suite("LAN ends")
struct EndpointTests {
    static let c1: UInt64 = 0x024C_414E_0101
    static let c2: UInt64 = 0x024C_414E_0102
    static let card: UInt64 = 0x024C_414E_0002
    static let host: UInt64 = 0x5254_0000_00FE

    /// A frame of an experimental protocol, which no rule minds.
    static func frame(_ source: UInt64, to destination: UInt64 = 0xFFFF_FFFF_FFFF, length: Int = 60) -> [UInt8] {
        octets(destination) + octets(source) + [0x88, 0xB6] + (14..<length).map { UInt8(truncatingIfNeeded: $0) }
    }

    static func octets(_ mac: UInt64) -> [UInt8] {
        (0..<6).map { UInt8(truncatingIfNeeded: mac >> UInt64(40 - 8 * $0)) }
    }

    /// A gateway with a machine on its LAN, and two clients, all in.
    static func party(_ configuration: LANBridgeConfiguration = .init()) -> LANWorld {
        let world = LANWorld(configuration)
        world.addStation(host)
        world.addGateway(LANWorld.configuration(card))
        world.addClient(LANWorld.configuration(c1))
        world.addClient(LANWorld.configuration(c2), from: "192.0.2.2")
        world.run(for: .seconds(1))
        for end in 0..<3 { _ = world.take(end) }
        _ = world.take(station: host)
        return world
    }

    @Test func framesCrossBothWaysWhateverTheirLength() {
        let world = Self.party()
        #expect((0..<3).allSatisfy { world.status($0).phase == .joined && world.status($0).hasGateway })
        for length in [60, 590, 1403, 1404, 1405, 1514] {
            let up = Self.frame(Self.c1, length: length)
            world.send(up, from: 1)
            world.run(for: .milliseconds(100))
            #expect(world.take(station: Self.host) == [up] && world.take(2) == [up] && world.take(1).isEmpty)
            let down = Self.frame(Self.host, length: length)
            world.sendOnLAN(down, from: Self.host)
            world.run(for: .milliseconds(100))
            #expect(world.take(1) == [down] && world.take(2) == [down])
            let reply = Self.frame(Self.host, to: Self.c1, length: length)
            world.sendOnLAN(reply, from: Self.host)
            world.run(for: .milliseconds(100))
            #expect(world.take(1) == [reply] && world.take(2).isEmpty)
            _ = world.take(0)
        }
    }

    @Test func theRoundTripIsKnown() {
        let world = Self.party()
        world.run(for: .seconds(5))
        #expect(world.status(1).roundTrip == .milliseconds(20))
        #expect(world.status(1).peers.map(\.peer) == [1, 3])
    }

    @Test func aRelayThatWasKilledAndStartedIsFoundAgain() {
        let world = Self.party()
        let opened = world.ends[1].opened
        world.killRelay()
        world.run(for: .seconds(1))
        world.startRelay()
        #expect(
            world.run(until: { world in (0..<3).allSatisfy { world.status($0).reconnects == 1 } }, within: .seconds(2))
        )
        let again = Self.frame(Self.c1)
        world.send(again, from: 1)
        world.run(for: .milliseconds(100))
        #expect(world.take(station: Self.host).contains(again))
        #expect(world.status(1).reconnects == 1 && world.ends[1].opened - opened < 12)
        #expect(world.status(1).peers.contains { $0.mac == MACAddress(bits: Self.c2) }, "with its address of before")
        #expect(world.events(1).filter { $0 == "connection_lost" }.count == 1)
    }

    /// Attempts made while there was no relay come to their end when the end is long in.
    @Test(arguments: [true, false])
    func attemptsThatFailAfterAnotherWonAreNoNews(_ isFirst: Bool) {
        let world = isFirst ? LANWorld() : Self.party()
        world.killRelay()
        if isFirst { world.addClient(LANWorld.configuration(Self.c1)) }
        let end = isFirst ? 0 : 1
        // Who was in seeks another connection after 2.5 seconds of silence.
        world.run(for: .seconds(isFirst ? 1 : 4))
        world.startRelay()
        let again = isFirst ? 0 : 1
        #expect(
            world.run(
                until: { $0.status(end).phase == .joined && $0.status(end).reconnects == again }, within: .seconds(2)))
        let before = world.events(end).count { $0 == "connection_lost" }
        world.run(for: .seconds(5))
        #expect(world.events(end).count { $0 == "connection_lost" } == before)
        #expect(before <= 1 && world.status(end).phase == .joined)
    }

    @Test func aRelayThatCannotBeReachedIsToldOfOnce() {
        let world = LANWorld()
        world.killRelay()
        world.addClient(LANWorld.configuration(Self.c1))
        world.run(for: .seconds(60))
        #expect(world.ends[0].events == [.lost(.unreachable("no answer"))])
    }

    @Test func whoLosesItsConnectionSilentlyGetsItsOwnPlaceBack() {
        let world = Self.party()
        let number = world.status(1).welcome?.peer
        world.cutConnections(of: 1)
        world.cutConnections(of: 0)
        #expect(world.run(until: { $0.status(1).reconnects == 1 && $0.status(0).reconnects == 1 }, within: .seconds(5)))
        #expect(world.status(1).welcome?.peer == number, "the same place")
        #expect(world.relayEvents.filter { $0.name == "returned" }.count == 2)
        #expect(!world.relayEvents.contains { $0.name == "refused" })
        #expect(!world.events(2).contains("peer_left"), "nobody else hears of it")
        let again = Self.frame(Self.host)
        world.sendOnLAN(again, from: Self.host)
        world.run(for: .milliseconds(100))
        #expect(world.take(1) == [again] && world.take(2) == [again])
        world.run(for: .seconds(120))
        #expect(world.status(1).phase == .joined && world.status(1).reconnects == 1)
    }

    @Test func aLinkThatFlapsCostsNoConnection() {
        let world = Self.party()
        world.setLink(1, isUp: false)
        world.run(for: .seconds(5))
        #expect(world.status(1).phase == .silent)
        world.setLink(1, isUp: true)
        #expect(world.run(until: { $0.status(1).phase == .joined }, within: .milliseconds(300)))
        world.run(for: .seconds(60))
        #expect(world.status(1).phase == .joined)
        #expect(world.relay?.memberCount == 3)
    }

    @Test func aLongOutageEndsWithinSecondsOfItsEnd() {
        let world = Self.party()
        world.setLink(1, isUp: false)
        world.run(for: .seconds(300))
        #expect(world.status(1).phase == .connecting)
        world.setLink(1, isUp: true, isTold: false)
        #expect(world.run(until: { $0.status(1).phase == .joined }, within: .seconds(8)))
        #expect(world.ends[1].opened < 200)
    }

    @Test func aGatewayThatWasKilledLeavesItsPlaceToTheNext() {
        let world = Self.party()
        world.kill(0)
        let next = world.addGateway(LANWorld.configuration(Self.card))
        #expect(
            world.run(until: { $0.status(next).phase == .joined }, within: .milliseconds(200)),
            "its key opens its place")
        world.kill(next)
        let stranger = world.addGateway(LANWorld.configuration(Self.card, key: "another"))
        world.run(for: .seconds(5))
        #expect(world.status(stranger).phase == .connecting && world.events(stranger).contains("refused"))
        #expect(world.run(until: { $0.status(stranger).phase == .joined }, within: .seconds(30)))
        #expect(world.run(until: { $0.status(1).hasGateway }, within: .seconds(1)))
    }

    @Test func twoEndsWithOneAddressDoNotDisturbEachOther() {
        let world = Self.party()
        let twin = world.addClient(LANWorld.configuration(Self.c1, key: "another"))
        world.run(for: .seconds(10))
        #expect(world.status(twin).phase == .connecting && world.status(1).phase == .joined)
        #expect(
            world.ends[twin].events.contains { if case .refused("duplicate_mac", _, _) = $0 { true } else { false } })
        let same = world.addClient(LANWorld.configuration(Self.c1))
        world.run(for: .seconds(10))
        #expect(world.status(same).phase == .joined)
        #expect(world.ends[1].finish?.word == "replaced", "they would take the place from each other for ever")
    }

    @Test func aWrongPasswordEndsIt() {
        var configuration = LANBridgeConfiguration()
        configuration.rooms["lan"] = .init()
        configuration.rooms["lan"]?.secrets = ["right"]
        let world = LANWorld(configuration)
        var wrong = LANWorld.configuration(Self.c1)
        wrong.password = "wrong"
        let first = world.addClient(wrong)
        var right = LANWorld.configuration(Self.c2)
        right.password = "right"
        let second = world.addClient(right)
        world.run(for: .seconds(2))
        #expect(world.ends[first].finish?.word == "refused" && world.status(first).phase == .ended)
        #expect(world.status(second).phase == .joined)
        world.leave(second)
        #expect(world.ends[second].finish?.word == "left")
        world.run(for: .seconds(1))
        #expect(world.relay?.memberCount == 0 && world.relay?.roomCount == 0)
    }

    @Test func framesThatTheRelayWouldDropDoNotLeave() {
        let world = Self.party()
        world.send(Self.frame(Self.host), from: 1)
        world.send([1, 2, 3], from: 1)
        world.send(Self.frame(Self.c1, length: 1515), from: 1)
        world.sendOnLAN(Self.frame(Self.host, to: 0x5254_0000_00AA), from: Self.host)
        world.sendOnLAN(Self.frame(Self.c2), from: Self.host)
        world.run(for: .milliseconds(100))
        #expect(world.status(1).drops == [.macSpoof: 1, .runt: 1, .oversize: 1])
        #expect(world.status(0).drops == [.unknownUnicast: 1, .macLoop: 1])
        #expect(world.take(1).isEmpty && world.take(2).isEmpty)
        #expect(world.events(0).contains("duplicate_on_lan"))
    }

    @Test func switchesLearnWhereClientsAre() {
        let world = Self.party()
        #expect(world.port(of: Self.c1) == .end(0) && world.port(of: Self.c2) == .end(0))
        let frames = world.lanFrameCount
        world.run(for: .seconds(120))
        // Two refreshes of two clients, and the probes.
        #expect(world.lanFrameCount - frames == 4 + 12)
    }

    @Test func whatTheRelayCountedIsAsked() {
        let world = Self.party()
        world.send(
            [UInt8](Self.frame(Self.c1).prefix(12)) + [0x81, 0, 0, 1, 8, 0] + [UInt8](repeating: 0, count: 50), from: 1)
        world.run(for: .milliseconds(100))
        #expect(world.status(1).relayDrops.isEmpty)
        world.askForStats(1)
        world.run(for: .milliseconds(100))
        #expect(world.status(1).relayDrops == [.vlanTag: 1])
    }
}
