import NIOCore
import RelayCore
import Testing

@testable import Netplay

@Suite("Dedicated hosts: what becomes of them")
struct DedicatedLifeTests {
    @Test func aHostWithoutGuestsEndsAndGivesItsPlaceBack() throws {
        var desk = DedicatedDesk()
        let id = try desk.openHost()
        desk.input { $0.probed(id, answered: true, at: $1, into: &$2) }
        desk.advance(by: .seconds(5))
        desk.input { $0.probed(id, answered: true, at: $1, into: &$2) }
        desk.advance(by: .milliseconds(24_999))
        #expect(desk.count(.stop(id)) == 0)
        desk.advance(by: .milliseconds(1))
        #expect(desk.count(.stop(id)) == 1 && desk.state(id) == "stopping")
        #expect(desk.engine.hostCount == 1, "it counts until nothing of it is left")
        desk.exit(id)
        #expect(desk.engine.hostCount == 0 && desk.ends == [.idle])
        #expect(desk.engine.nextDeadline == nil)
    }

    @Test func aGuestKeepsItAndTheLastOneStartsTheClock() throws {
        var desk = DedicatedDesk()
        let id = try desk.openHost()
        desk.join(id)
        desk.join(id)
        desk.advance(by: .seconds(3600))
        #expect(desk.state(id) == "open")
        desk.leave(id)
        desk.advance(by: .seconds(60))
        #expect(desk.state(id) == "open")
        desk.leave(id)
        desk.advance(by: .milliseconds(29_999))
        desk.input { $0.probed(id, answered: true, at: $1, into: &$2) }
        #expect(desk.state(id) == "open")
        desk.advance(by: .milliseconds(1))
        #expect(desk.state(id) == "stopping")
    }

    @Test(arguments: [HostEnd.unknownCore, .unknownContent, .noPort, .launchFailed])
    func whatCannotBeIsRefused(end: HostEnd) throws {
        var desk = DedicatedDesk()
        desk.ask()
        let id = try #require(desk.found.first)
        desk.input { $0.failed(id, end, at: $1, into: &$2) }
        #expect(desk.answers.map(\.port) == [0])
        #expect(desk.count(.stop(id)) == 1)
        desk.exit(id)
        #expect(desk.ends == [end] && desk.engine.hostCount == 0)
    }

    @Test func aHostThatDoesNotAnswerInTimeIsStopped() throws {
        var desk = DedicatedDesk()
        desk.ask()
        let id = try #require(desk.found.first)
        desk.input { $0.found(id, at: $1, into: &$2) }
        desk.openDoor(id)
        while desk.state(id) == "starting" {
            desk.advance(by: .milliseconds(250))
            desk.input { $0.probed(id, answered: false, at: $1, into: &$2) }
        }
        #expect(desk.now == .zero + .seconds(20))
        #expect(desk.answers.map(\.port) == [0])
        desk.exit(id)
        #expect(desk.ends == [.startTimeout])
    }

    @Test func aSearchThatDoesNotEndIsGivenUp() throws {
        var desk = DedicatedDesk()
        desk.ask()
        let id = try #require(desk.found.first)
        desk.advance(by: .seconds(20))
        #expect(desk.answers.map(\.port) == [0])
        desk.input { $0.found(id, at: $1, into: &$2) }
        #expect(desk.doors.isEmpty, "what is found too late is not opened")
        desk.exit(id)
        #expect(desk.engine.hostCount == 0)
    }

    @Test func aProgramThatEndsByItselfTakesItsHostWithIt() throws {
        var desk = DedicatedDesk()
        let id = try desk.openHost()
        desk.join(id)
        desk.clear()
        desk.exit(id)
        #expect(desk.count(.stop(id)) == 1, "its door must be closed")
        desk.exit(id)
        #expect(desk.ends == [.crashed] && desk.engine.hostCount == 0)
        desk.ask()
        #expect(desk.found.count == 1, "who asks again gets another one")
    }

    @Test func aHostThatStopsAnsweringIsStopped() throws {
        var desk = DedicatedDesk()
        let id = try desk.openHost()
        desk.clear()
        for _ in 0..<2 {
            desk.advance(by: .seconds(5))
            desk.input { $0.probed(id, answered: false, at: $1, into: &$2) }
        }
        #expect(desk.count(.probe(id)) == 2)
        #expect(desk.state(id) == "stopping")
        desk.exit(id)
        #expect(desk.ends == [.hung])
    }

    @Test func oneMissedAnswerIsForgiven() throws {
        var desk = DedicatedDesk { $0.idleTimeout = .seconds(1000) }
        let id = try desk.openHost()
        for round in 0..<100 {
            desk.advance(by: .seconds(5))
            desk.input { $0.probed(id, answered: round.isMultiple(of: 2), at: $1, into: &$2) }
        }
        #expect(desk.state(id) == "open")
    }

    @Test func aPortThatIsTakenIsPassedOver() throws {
        var desk = DedicatedDesk { $0.ports = 7000...7002 }
        desk.ask()
        let id = try #require(desk.found.first)
        desk.input { $0.found(id, at: $1, into: &$2) }
        desk.input { $0.portTaken(id, at: $1, into: &$2) }
        #expect(desk.doors.map(\.port) == [7000, 7001])
        desk.input { $0.portTaken(id, at: $1, into: &$2) }
        desk.input { $0.portTaken(id, at: $1, into: &$2) }
        #expect(desk.doors.count == 3 && desk.state(id) == "stopping")
        desk.exit(id)
        #expect(desk.ends == [.noPort])
    }

    @Test func noTwoHostsHaveOnePortAndOneGivenBackRests() throws {
        var desk = DedicatedDesk { configuration in
            configuration.ports = 7000...7002
            configuration.maxHostsPerAddress = 4
        }
        let first = try desk.openHost(DedicatedDesk.request("a"))
        _ = try desk.openHost(DedicatedDesk.request("b"))
        desk.input { _ = $0.close(first, at: $1, into: &$2) }
        desk.exit(first)
        _ = try desk.openHost(DedicatedDesk.request("c"))
        _ = try desk.openHost(DedicatedDesk.request("d"))
        #expect(desk.doors.map(\.port) == [7000, 7001, 7002, 7000])
        desk.ask(DedicatedDesk.request("e"))
        let last = try #require(desk.found.last)
        desk.input { $0.found(last, at: $1, into: &$2) }
        #expect(desk.state(last) == "stopping", "no port is left")
    }

    @Test func hostsAreAnnouncedWhileTheyLive() throws {
        var desk = DedicatedDesk()
        let id = try desk.openHost()
        desk.join(id)
        desk.advance(by: .milliseconds(999))
        #expect(desk.count(.announce(id)) == 0)
        desk.advance(by: .milliseconds(1))
        #expect(desk.count(.announce(id)) == 1)
        desk.advance(by: .seconds(60))
        #expect(desk.count(.announce(id)) == 4)
        desk.exit(id)
        desk.advance(by: .seconds(60))
        #expect(desk.count(.announce(id)) == 4)
    }

    @Test func aHostBehindATunnelHasNoPort() throws {
        var desk = DedicatedDesk { $0.isRelayed = true }
        desk.ask()
        let id = try #require(desk.found.first)
        desk.input { $0.found(id, at: $1, into: &$2) }
        #expect(desk.doors.map(\.port) == [nil])
        let session = try #require(TunnelID("PIbhU6O6BXl7GfyK"))
        desk.input { $0.doorOpened(id, HostingInvitation(port: 55435, session: session), at: $1, into: &$2) }
        desk.input { $0.probed(id, answered: true, at: $1, into: &$2) }
        guard case .answer(let bytes, _) = desk.wanted.last else {
            Issue.record("no answer")
            return
        }
        #expect(HostingAnswer.decode(bytes)?.invitation == HostingInvitation(port: 55435, session: session))
    }

    @Test func aLostTunnelLetsGuestsPlayOnAndNobodyIn() throws {
        var desk = DedicatedDesk()
        let (busy, idle) = (
            try desk.openHost(DedicatedDesk.request("a")),
            try desk.openHost(DedicatedDesk.request("b"))
        )
        desk.join(busy)
        desk.input { $0.doorLost(busy, at: $1, into: &$2) }
        desk.input { $0.doorLost(idle, at: $1, into: &$2) }
        #expect(desk.state(busy) == "open" && desk.state(idle) == "stopping")
        desk.exit(idle)
        desk.clear()
        desk.ask(DedicatedDesk.request("a"))
        #expect(desk.found.count == 1, "the old session is of no use to who asks now")
        desk.leave(busy)
        #expect(desk.state(busy) == "stopping")
    }

    @Test func aDrainLetsGuestsPlayOn() throws {
        var desk = DedicatedDesk()
        let (busy, idle) = (
            try desk.openHost(DedicatedDesk.request("a")),
            try desk.openHost(DedicatedDesk.request("b"))
        )
        desk.join(busy)
        desk.clear()
        desk.input { $0.drain(at: $1, into: &$2) }
        #expect(desk.count(.stop(idle)) == 1 && desk.count(.stop(busy)) == 0)
        desk.exit(idle)
        desk.ask(from: "192.0.2.7")
        #expect(desk.refusals == [.draining] && desk.answers.map(\.port) == [0])
        desk.advance(by: .seconds(600))
        #expect(desk.count(.announce(busy)) == 0)
        desk.leave(busy)
        #expect(desk.state(busy) == "stopping")
    }

    @Test func aStopEndsAll() throws {
        var desk = DedicatedDesk()
        let open = try desk.openHost()
        desk.join(open)
        desk.ask(from: "192.0.2.2")
        desk.clear()
        desk.input { $0.stop(at: $1, into: &$2) }
        #expect(desk.wanted.count { if case .stop = $0 { true } else { false } } == 2)
        #expect(desk.answers.map(\.port) == [0], "who still waits is told")
    }

    @Test func nicksAreToldApartByTheLowestFreeNumber() throws {
        var desk = DedicatedDesk { $0.maxHostsPerAddress = 4 }
        let ids = try ["a", "b", "c"].map { try desk.openHost(DedicatedDesk.request($0)) }
        #expect(desk.engine.snapshots(at: desk.now).map(\.seat).sorted() == [1, 2, 3])
        desk.exit(ids[1])
        desk.exit(ids[1])
        let next = try desk.openHost(DedicatedDesk.request("d"))
        #expect(desk.engine.snapshot(of: next, at: desk.now)?.seat == 2)
    }

    /// Whatever happens in whatever order, the desk keeps its promises.
    @Test(arguments: 0..<30 as Range<UInt64>)
    func anythingGoes(seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var desk = DedicatedDesk { configuration in
            configuration.ports = 7000...7002
            configuration.requests = .unlimited
            configuration.isRelayed = seed % 5 == 0
        }
        var guests: [PeerID: Int] = [:]
        for _ in 0..<1500 {
            let known = desk.found
            let id = known.randomElement(using: &random) ?? PeerID(slot: 0, generation: 0)
            switch Int.random(in: 0..<16, using: &random) {
            case 0...2:
                desk.ask(
                    DedicatedDesk.request("f\(Int.random(in: 0..<4, using: &random))"),
                    from: "192.0.2.\(Int.random(in: 1...3, using: &random))")
            case 3: desk.input { $0.found(id, at: $1, into: &$2) }
            case 4: desk.input { $0.portTaken(id, at: $1, into: &$2) }
            case 5...6: desk.openDoor(id)
            case 7...8: desk.input { $0.probed(id, answered: random.next() % 4 != 0, at: $1, into: &$2) }
            case 9:
                if desk.engine.hosts[id] != nil {
                    guests[id, default: 0] += 1
                    desk.join(id)
                }
            case 10:
                if desk.engine.hosts[id] != nil, let count = guests[id], count > 0 {
                    guests[id] = count - 1
                    desk.leave(id)
                }
            case 11: desk.exit(id)
            case 12: desk.input { $0.doorLost(id, at: $1, into: &$2) }
            case 13: desk.input { $0.failed(id, .launchFailed, at: $1, into: &$2) }
            default: desk.advance(by: .milliseconds(Int.random(in: 0...4000, using: &random)))
            }
            let hosts = desk.engine.snapshots(at: desk.now)
            #expect(hosts.count <= 4)
            #expect(Set(hosts.map(\.seat)).count == hosts.count)
            let ports = hosts.compactMap(\.invitation).map(\.port).filter { $0 != 0 }
            #expect(Set(ports).count == ports.count)
            for host in hosts { #expect(host.guests == guests[host.id] ?? 0) }
        }
        desk.input { $0.stop(at: $1, into: &$2) }
        for host in desk.engine.snapshots(at: desk.now) {
            #expect(host.state == "stopping")
            desk.exit(host.id)
        }
        #expect(desk.engine.hostCount == 0 && desk.engine.nextDeadline == nil && desk.engine.requested.isEmpty)
        let stops = desk.wanted.compactMap { if case .stop(let id) = $0 { id } else { nil } }
        #expect(Set(stops) == Set(desk.found) && stops.count == desk.found.count, "each is stopped once")
    }
}
