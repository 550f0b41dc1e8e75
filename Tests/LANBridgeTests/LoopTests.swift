import LANBridge
import RelayCore
import Testing

/// What happens when a room and a LAN are joined twice.
@Suite("Second bridges")
struct LoopTests {
    private static let other: UInt64 = 0x024C_414E_0003

    private func storm(_ world: LANWorld) {
        for _ in 0..<20 { world.sendOnLAN(EndpointTests.frame(EndpointTests.host), from: EndpointTests.host) }
    }

    /// A player's machine bridges its virtual card with a card on the party's LAN: each broadcast comes back, and goes again.
    @Test func aPlayerThatBridgesIsNamedAndTheStormEnds() {
        let world = EndpointTests.party()
        world.bridge(1, true)
        storm(world)
        #expect(world.run(until: { $0.status(0).isStopped }, within: .seconds(11)))
        #expect(world.ends[0].events.contains(.loopFound(fromRelay: false)))
        world.run(for: .seconds(1))
        let quiet = world.lanFrameCount
        storm(world)
        world.run(for: .seconds(20))
        #expect(world.lanFrameCount - quiet < 60, "20 broadcasts, and the probes")
        #expect(world.status(0).drops[.loop] ?? 0 >= 20)
        world.run(for: .seconds(180))
        #expect(world.status(0).isStopped, "as long as the bridge is there")

        world.bridge(1, false)
        #expect(world.run(until: { !$0.status(0).isStopped }, within: .seconds(140)))
        #expect(world.ends[0].events.contains(.loopEnded))
        _ = world.take(2)
        let after = EndpointTests.frame(EndpointTests.host)
        world.sendOnLAN(after, from: EndpointTests.host)
        world.run(for: .milliseconds(100))
        #expect(world.take(2) == [after] && world.status(1).phase == .joined)
    }

    /// What a stopped gateway does not forward to the LAN either.
    @Test func nothingGoesToTheLANWhileItIsStopped() {
        let world = EndpointTests.party()
        world.bridge(1, true)
        #expect(world.run(until: { $0.status(0).isStopped }, within: .seconds(11)))
        world.bridge(1, false)
        _ = world.take(station: EndpointTests.host)
        world.send(EndpointTests.frame(EndpointTests.c2), from: 2)
        world.run(for: .milliseconds(100))
        #expect(world.take(station: EndpointTests.host).isEmpty)
    }

    @Test func aSecondGatewayOfTheRoomIsRefusedAndTold() {
        let world = EndpointTests.party()
        let second = world.addGateway(LANWorld.configuration(Self.other), from: "198.51.100.2")
        world.run(for: .seconds(30))
        #expect(world.status(second).phase == .connecting && world.status(0).phase == .joined)
        #expect(
            world.ends[second].events.contains {
                if case .refused("gateway_present", _, .some) = $0 { true } else { false }
            })
        let count = world.lanFrameCount
        storm(world)
        world.run(for: .seconds(1))
        #expect(world.lanFrameCount - count < 25, "no frame is there twice")
        #expect(world.take(1).count == 20)
    }

    /// It is no loop as long as nobody joins the rooms; whoever is at the party should still know.
    @Test func aGatewayOfAnotherRoomOnTheSameLANIsNamed() {
        let world = EndpointTests.party()
        world.addGateway(LANWorld.configuration(Self.other, room: "other"), from: "198.51.100.2")
        world.run(for: .seconds(15))
        #expect(world.ends[0].events.contains(.otherGateway(MACAddress(bits: Self.other))))
        let count = world.lanFrameCount
        storm(world)
        world.run(for: .seconds(1))
        #expect(world.lanFrameCount - count < 25 && !world.status(0).isStopped)
        world.run(for: .seconds(600))
        let told = world.events(0).count { $0 == "other_gateway" }
        #expect(told <= 12, "once a minute at most")
    }
}
