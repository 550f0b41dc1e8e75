import LANBridge
import RelayCore
import Testing

/// Crowds and long times.
@Suite("LAN crowds and days", .timeLimit(.minutes(5)))
struct EnduranceTests {
    @Test func twoHundredPlayersJoinAtOnce() {
        let world = LANWorld()
        world.addStation(EndpointTests.host)
        world.addGateway(LANWorld.configuration(EndpointTests.card))
        let players = (1...200).map {
            world.addClient(LANWorld.configuration(EndpointTests.c1 + UInt64($0)), from: "192.0.2.\($0)")
        }
        world.run(for: .seconds(1))
        #expect(players.allSatisfy { world.status($0).phase == .joined && world.status($0).hasGateway })
        #expect(players.allSatisfy { world.status($0).peers.count == 200 })
        #expect(world.relay?.memberCount == 201)
        let numbers = Set(players.compactMap { world.status($0).welcome?.peer })
        #expect(numbers.count == 200)
        let game = EndpointTests.frame(EndpointTests.host)
        world.sendOnLAN(game, from: EndpointTests.host)
        world.run(for: .milliseconds(100))
        #expect(players.allSatisfy { world.take($0) == [game] })

        // And again, after the relay was started anew.
        world.killRelay()
        world.startRelay()
        #expect(
            world.run(until: { world in players.allSatisfy { world.status($0).reconnects == 1 } }, within: .seconds(5)))
        world.run(for: .seconds(1))
        #expect(players.allSatisfy { world.status($0).peers.count == 200 && world.status($0).phase == .joined })
    }

    /// 24 hours with what happens in them: links that flap, paths that die, a relay that is started anew each six hours,
    /// and visitors.
    @Test func aDayLeavesNothingBehindAndLosesNobody() {
        let world = LANWorld()
        world.addStation(EndpointTests.host)
        var calm = LANWorld.configuration(EndpointTests.card)
        calm.pingInterval = .seconds(10)
        calm.silence = .seconds(15)
        world.addGateway(calm)
        for mac in [EndpointTests.c1, EndpointTests.c2] {
            calm.mac = MACAddress(bits: mac)
            calm.key = "key of \(mac)"
            world.addClient(calm)
        }
        world.run(for: .seconds(1))
        let attempts = world.ends.map(\.opened)
        for quarter in 1...96 {
            let visitor = world.addClient(LANWorld.configuration(0x0200_0000_0000 + UInt64(quarter)), from: "192.0.2.9")
            world.run(for: .seconds(5))
            #expect(world.status(visitor).phase == .joined, "visitor \(quarter)")
            if quarter.isMultiple(of: 2) { world.leave(visitor) } else { world.kill(visitor) }
            switch quarter % 24 {
            case 0:
                world.killRelay()
                world.run(for: .seconds(2))
                world.startRelay()
            case 5, 17: world.cutConnections(of: 1)
            case 11: world.cutConnections(of: 0)
            case 8, 20:
                world.setLink(2, isUp: false)
                world.run(for: .seconds(20))
                world.setLink(2, isUp: true)
            default: break
            }
            world.run(for: .seconds(60))
            #expect((0..<3).allSatisfy { world.status($0).phase == .joined }, "quarter \(quarter)")
            let frame = EndpointTests.frame(EndpointTests.host)
            world.sendOnLAN(frame, from: EndpointTests.host)
            world.run(for: .seconds(835))
            #expect(world.take(1) == [frame] && world.take(2) == [frame], "quarter \(quarter)")
            #expect(world.relay?.memberCount == 3 && world.relay?.roomCount == 1, "quarter \(quarter)")
            #expect(world.connectionCount == 3, "quarter \(quarter)")
            _ = (world.take(0), world.take(station: EndpointTests.host))
        }
        #expect(world.status(1).peers.map(\.mac).count == 2 && world.status(0).peers.count == 2)
        let tries = zip(world.ends, attempts).map { $0.opened - $1 }
        #expect(tries.allSatisfy { $0 < 200 }, "\(tries)")
    }

    /// A LAN on which somebody makes up addresses fills no memory.
    @Test func aLANOfInventedStationsStaysBounded() {
        let world = EndpointTests.party()
        for number in 0..<20_000 {
            world.sendOnLAN(
                EndpointTests.frame(0x5400_0000_0000 + UInt64(number), to: 0x5600_0000_0000), from: EndpointTests.host)
            if number.isMultiple(of: 1000) { world.run(for: .milliseconds(1)) }
        }
        world.run(for: .milliseconds(10))
        let stations = world.status(0).lanStations
        #expect(stations > 2000 && stations <= 4096, "\(stations)")
        #expect((0..<3).allSatisfy { world.status($0).phase == .joined })
    }
}
