import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import LDN

@Suite("LDN client")
struct ClientTests {
    private static let all = VirtualEndpoint(address: .broadcast, port: 7777)

    @Test func handshakeScanHostJoinPlayLeave() throws {
        let world = World()
        let (host, guest) = (world.ready("host"), world.ready("guest", from: "203.0.113.1"))
        guard case .ready(let identity)? = host.events.first else { return #expect(Bool(false)) }
        #expect(identity.id != .zero)
        try world.tell(host) { client, out throws(LDNClientFailure) in
            try client.create(world.plan(), at: .zero, into: &out)
        }
        world.settle()
        let network = try #require(host.entered.first)
        #expect(network.isHost && network.route == .master && network.address == .host)
        let found = try scan(world, guest)
        #expect(found.map(\.networkID.sessionID) == [network.network.networkID.sessionID])
        try join(world, guest, found[0])
        let place = try #require(guest.entered.first)
        #expect(place.address == .player(2) && !place.isHost && place.network.ldn.nodeCount == 2)
        #expect(host.client.membership?.network.ldn.nodeCount == 2)

        let sockets = try [host, guest].map { player in
            try world.tell(player) { client, _ throws(LDNClientFailure) in try client.openSocket(port: 7777) }
        }
        try say(world, guest, sockets[1], "hello", to: Self.all)
        #expect(host.texts == ["hello"] && guest.texts == ["hello"])
        #expect(
            host.events.contains(
                .datagram(sockets[0], from: .init(address: .player(2), port: 7777), .init(string: "hello"))))
        try say(world, host, sockets[0], "you", to: .init(address: .player(2), port: 7777))
        #expect(guest.texts == ["hello", "you"])
        try say(world, host, sockets[0], "no socket", to: .init(address: .player(2), port: 1))
        #expect(guest.texts.count == 2 && guest.client.ignoredPackets > 0)

        try world.tell(guest) { client, out throws(LDNClientFailure) in try client.leave(into: &out) }
        world.settle()
        #expect(host.client.membership?.network.ldn.nodeCount == 1 && guest.client.membership == nil)
        try join(world, guest, found[0])
        world.lose(host)
        world.settle()
        #expect(guest.events.last == .leftOut(wasRejected: false) && guest.client.membership == nil)
    }

    @Test func throughTheHostsProxy() throws {
        let world = World()
        let (host, near) = (world.ready("host"), world.ready("near"))
        let far = world.ready("far", from: "203.0.113.1")
        let network = try open(world, host, world.planWithProxy(for: host))
        #expect(network.route == .ownProxy && network.address == .host)
        let port = try #require(host.ownProxy)
        for player in [near, far] { try join(world, player, network.network) }
        #expect(near.entered.first?.address == .player(2) && far.entered.first?.address == .player(3))
        #expect(near.entered.first?.route == .proxy(.init(address: IPAddress(ipv4: 0xC0A8_0114), port: port)))
        #expect(far.entered.first?.route == .proxy(.init(address: IPAddress(ipv4: 0xC633_6401), port: port)))
        let sockets = try [near, far].map { player in
            try world.tell(player) { client, _ throws(LDNClientFailure) in try client.openSocket(port: 7777) }
        }
        try say(world, near, sockets[0], "all", to: Self.all)
        #expect([near, far].allSatisfy { $0.texts == ["all"] } && world.hostTexts[port] == ["all"])

        // The connection to the host goes: the host tells the master, who puts the player out.
        world.loseProxy(of: far)
        world.settle()
        #expect(far.events.suffix(2) == [.proxyLost, .leftOut(wasRejected: false)])
        #expect(host.client.membership?.network.ldn.nodeCount == 2)
        // The player leaves: the master tells the host, whose proxy parts from it, and not the other way round.
        try world.tell(near) { client, out throws(LDNClientFailure) in try client.leave(into: &out) }
        world.settle()
        #expect(world.proxies[port]?.engine.playerAddresses == [])
        #expect(host.client.membership?.network.ldn.nodeCount == 1)
    }

    @Test func aHostCanBeAPlayerOfItsOwnProxyLikeAnyOther() throws {
        let world = World()
        let host = world.ready("host")
        let network = try open(world, host, world.planWithProxy(for: host, inProcess: false))
        let port = try #require(host.ownProxy)
        #expect(network.address == .host)
        #expect(network.route == .proxy(.init(address: IPAddress(ipv4: 0xC0A8_0114), port: port)))
        #expect(world.proxies[port]?.engine.playerAddresses == [.host])
    }

    @Test func anUnreachableProxyOfOnesOwnMeansRelay() throws {
        let world = World()
        let host = world.ready("host")
        var plan = world.plan()
        plan.proxy = .init(
            externalPort: 50_000, internalEndpoint: .init(address: IPAddress(ipv4: 0xC0A8_0114), port: 50_000))
        let network = try open(world, host, plan)
        #expect(network.route == .master && host.events.contains(.proxyPortUnreachable))
    }

    @Test func anUnreachableHostLeavesOneInWithoutAWord() throws {
        let world = World()
        let (host, guest) = (world.ready("host"), world.ready("guest", from: "203.0.113.1"))
        let network = try open(world, host, world.planWithProxy(for: host))
        world.proxiesAreReachable = false
        try join(world, guest, network.network)
        guard case .none? = guest.entered.first?.route else { return #expect(Bool(false)) }
        let socket = try world.tell(guest) { client, _ throws(LDNClientFailure) in try client.openSocket() }
        #expect(throws: LDNClientFailure.wrongPlace) { try say(world, guest, socket, "x", to: Self.all) }
    }

    @Test func rejectionIsTold() throws {
        let world = World()
        let (host, guest) = (world.ready("host"), world.ready("guest"))
        let network = try open(world, host, world.plan())
        try join(world, guest, network.network)
        for (node, isDone) in [(UInt32(1), true), (1, false)] {
            try world.tell(host) { client, out throws(LDNClientFailure) in
                try client.reject(nodeID: node, at: .zero, into: &out)
            }
            world.settle()
            #expect(host.events.last == .rejectAnswered(isDone))
        }
        #expect(guest.events.contains(.leftOut(wasRejected: true)))
    }

    @Test func refusalsAreTold() throws {
        let world = World()
        let (host, guest) = (world.ready("host"), world.ready("guest"))
        var network = try open(world, host, world.plan(places: 1)).network
        try join(world, guest, network)
        #expect(guest.events.last == .notEntered(.refused(.tooManyPlayers)))
        network.networkID.sessionID = .zero
        try join(world, guest, network)
        #expect(guest.events.last == .notEntered(.refused(.connectNotFound)))
        #expect(throws: LDNClientFailure.wrongPlace) { try open(world, host, world.plan()) }
    }

    @Test func changesOfTheNetworkReachAll() throws {
        let world = World()
        let (host, guest) = (world.ready("host"), world.ready("guest"))
        let network = try open(world, host, world.plan())
        try join(world, guest, network.network)
        try world.tell(host) { client, out throws(LDNClientFailure) in
            try client.advertise(ByteBuffer(string: "news"), into: &out)
            try client.setAcceptPolicy(.rejectAll, into: &out)
        }
        world.settle()
        let info = try #require(guest.client.membership?.network.ldn)
        #expect(info.advertiseDataSize == 4 && info.stationAcceptPolicy == .rejectAll)
        #expect(throws: LDNClientFailure.wrongPlace) {
            try world.tell(guest) { client, out throws(LDNClientFailure) in
                try client.setAcceptPolicy(.acceptAll, into: &out)
            }
        }
    }

    @Test func pingsGoBothWays() throws {
        let world = World()
        let player = world.ready("player")
        try world.tell(player) { client, out throws(LDNClientFailure) in try client.ping(at: .zero, into: &out) }
        world.settle()
        #expect(player.events.last == .pong)
        for _ in 0..<5 {
            world.pass(.seconds(10))
            world.settle()
        }
        #expect(player.isConnected, "the master's pings were answered")
    }

    // MARK: A master that does not answer

    @Test func everythingEndsInTime() throws {
        var client = LDNClient()
        var out: LDNClient.Effects = []
        client.opened(.master, at: .zero, into: &out)
        out = []
        client.advance(to: .zero + .seconds(5), into: &out)
        #expect(out == [.close, .emit(.closed(.timeout))] && client.nextDeadline == nil)

        client = ready()
        out = []
        try client.scan(.init(), at: .zero, into: &out)
        try client.create(NetworkPlan(), at: .zero, into: &out)
        try client.ping(at: .zero, into: &out)
        #expect(throws: LDNClientFailure.notNow) { try client.scan(.init(), at: .zero, into: &out) }
        out = []
        var events: [LDNClientEvent] = []
        while let next = client.nextDeadline {
            client.advance(to: next, into: &out)
            #expect(client.nextDeadline.map { $0 > next } ?? true)
        }
        for case .emit(let event) in out { events.append(event) }
        #expect(events == [.scanFailed, .notEntered(.timeout), .pingFailed])
    }

    @Test func aProxyThatDoesNotAnswerIsGivenUp() throws {
        var client = ready()
        var out: LDNClient.Effects = []
        try client.join(NetworkInfo(), at: .zero, into: &out)
        var config = ExternalProxyConfig()
        config.proxyIP = PhysicalAddress(IPAddress(ipv4: 0x7F00_0001))
        config.addressFamily = .ipv4
        config.proxyPort = 39990
        client.receive(Packet.externalProxy(config).encoded, over: .master, at: .zero, into: &out)
        client.receive(Packet.connected(NetworkInfo()).encoded, over: .master, at: .zero, into: &out)
        client.opened(.proxy, at: .zero + .seconds(3), into: &out)
        #expect(out.contains(.send(Packet.externalProxy(config).encoded, over: .proxy)), "the very same bytes")
        #expect(client.nextDeadline == .zero + .seconds(7))
        out = []
        client.advance(to: .zero + .seconds(7), into: &out)
        #expect(out.first == .closeProxy && client.membership != nil)
    }

    @Test func bytesThatAreNoPacketsEndTheConnection() throws {
        for vector in try MalformedVector.all() {
            var client = ready()
            var out: LDNClient.Effects = []
            client.receive(ByteBuffer(bytes: vector.bytes), over: .master, at: .zero, into: &out)
            var (reader, rest) = (FrameReader(), ByteBuffer(bytes: vector.bytes))
            var isBad = false
            do { while try reader.next(from: &rest) != nil {} } catch { isBad = true }
            #expect(out.contains(.emit(.closed(.badStream))) == isBad, "\(vector.name)")
        }
    }

    @Test func socketsTakeTheLowestFreePort() throws {
        var client = LDNClient()
        let first = try client.openSocket()
        let second = try client.openSocket()
        #expect(first.port == 49152 && second.port == 49153)
        client.closeSocket(first)
        #expect(try client.openSocket().port == 49152)
        #expect(try client.openSocket(transport: .tcp).port == 49152)
        #expect(try client.openSocket(port: 49153).port == 49153, "two may share one")
    }

    @Test func theBroadcastAddressReachesThoseWhoHearIt() throws {
        var sockets = VirtualSockets()
        let deaf = sockets.open(port: 5, transport: .udp, hearsBroadcast: false)
        let hearing = sockets.open(port: 5, transport: .udp, hearsBroadcast: true)
        var info = ProxyInfo()
        info.destinationPort = 5
        info.destinationIPv4 = .broadcast
        #expect(sockets.receivers(of: info, broadcast: .broadcast) == [hearing])
        info.destinationIPv4 = .legacyBroadcast
        #expect(sockets.receivers(of: info, broadcast: .broadcast) == [deaf, hearing])
        info.transport = .tcp
        #expect(sockets.receivers(of: info, broadcast: .broadcast) == [])
    }

    // MARK: Within

    private func ready() -> LDNClient {
        var client = LDNClient()
        var out: LDNClient.Effects = []
        client.opened(.master, at: .zero, into: &out)
        client.receive(Packet.initialize(.init()).encoded, over: .master, at: .zero, into: &out)
        return client
    }

    @discardableResult
    private func open(_ world: World, _ host: World.Player, _ plan: NetworkPlan) throws -> Membership {
        try world.tell(host) { client, out throws(LDNClientFailure) in
            try client.create(plan, at: world.master.now, into: &out)
        }
        world.settle()
        return try #require(host.entered.last)
    }

    private func join(_ world: World, _ guest: World.Player, _ network: NetworkInfo) throws {
        try world.tell(guest) { client, out throws(LDNClientFailure) in
            try client.join(network, at: world.master.now, into: &out)
        }
        world.settle()
    }

    private func scan(_ world: World, _ player: World.Player) throws -> [NetworkInfo] {
        try world.tell(player) { client, out throws(LDNClientFailure) in
            try client.scan(.init(), at: world.master.now, into: &out)
        }
        world.settle()
        guard case .scanned(let networks)? = player.events.last else { return [] }
        return networks
    }

    private func say(
        _ world: World, _ player: World.Player, _ socket: VirtualSocket, _ text: String, to: VirtualEndpoint
    ) throws {
        try world.tell(player) { client, out throws(LDNClientFailure) in
            try client.send(ByteBuffer(string: text), from: socket, to: to, into: &out)
        }
        world.settle()
    }
}
