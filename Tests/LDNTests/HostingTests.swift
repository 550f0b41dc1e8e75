import NIOCore
import RelayCore
import Testing

@testable import LDN

@Suite("LDN hosting")
struct HostingTests {
    @Test("the golden request leads to the golden answer, but for what is made up")
    func golden() throws {
        let master = Master()
        let (peer, identity) = master.session()
        master.send(try PacketVector.bytes(of: "createap-relay"), from: peer)
        let answer = master.heardBytes(peer)
        let config = try PacketVector.bytes(of: "proxyconfig-host")
        var expected = try PacketVector.bytes(of: "connected-1")
        let id = try #require(master.engine.networks.all.first?.id)
        expected.replaceSubrange(12 + 0x10..<12 + 0x20, with: (0..<16).map(id.octet))
        let mac = (0..<6).map(identity.macAddress.octet)
        expected.replaceSubrange(12 + 0x20..<12 + 0x26, with: mac)
        expected.replaceSubrange(12 + 0x6C..<12 + 0x72, with: mac)
        #expect(answer == config + expected)
        #expect(master.events == ["network_opened"])
    }

    @Test("any number of players becomes one that there can be", arguments: [(0, 1), (1, 1), (8, 8), (9, 8), (255, 8)])
    func nodeCount(wanted: UInt8, given: UInt8) {
        let master = Master()
        #expect(master.host(.of("h", most: wanted)).info.ldn.nodeCountMax == given)
    }

    @Test("a session that is in a network opens no other")
    func twice() {
        let master = Master()
        let (host, info) = master.host()
        let (player, _) = master.player(of: info)
        for peer in [host, player] {
            master.forgetHeard(peer)
            master.send(.createAccessPoint(.of("x"), advertiseData: ByteBuffer()), from: peer)
            #expect(master.words(peer) == ["NetworkError -1"])
        }
        #expect(master.engine.roomCount == 1)
    }

    @Test("more than 384 bytes are not advertised, neither from the start nor later")
    func advertising() {
        let master = Master()
        let (peer, _) = master.session()
        master.send(.createAccessPoint(.of("h"), advertiseData: ByteBuffer(repeating: 1, count: 385)), from: peer)
        #expect(master.words(peer) == ["NetworkError -1"])
        master.send(.createAccessPoint(.of("h"), advertiseData: ByteBuffer(repeating: 1, count: 384)), from: peer)
        #expect(master.words(peer).count == 2)
        master.send(.setAdvertiseData(ByteBuffer(repeating: 2, count: 440)), from: peer)
        #expect(master.words(peer).isEmpty)
        #expect(master.dropped.advertiseDataTooLong == 1)
        master.send(.setAdvertiseData(ByteBuffer(repeating: 3, count: 2)), from: peer)
        guard case .syncNetwork(let info)? = master.heard(peer).first else {
            Issue.record("no SyncNetwork")
            return
        }
        #expect(info.ldn.advertiseDataSize == 2)
        #expect(Array(info.ldn.advertiseData.readableBytesView) == [3, 3] + Array(repeating: 0, count: 382))
    }

    @Test("networks end at the most that are allowed, and at the rate of an address")
    func limits() {
        let master = Master {
            $0.maxNetworks = 2
            $0.createRate = TokenBucket.Rate(perSecond: 1, burst: 3)
        }
        _ = master.host(from: "192.0.2.1")
        _ = master.host(from: "192.0.2.1")
        let (third, _) = master.session(from: "192.0.2.1")
        master.send(.createAccessPoint(.of("x"), advertiseData: ByteBuffer()), from: third)
        master.send(.createAccessPoint(.of("x"), advertiseData: ByteBuffer()), from: third)
        #expect(master.words(third) == ["NetworkError -1", "NetworkError -1"])
        #expect(master.events.suffix(2) == ["networks_full", "create_too_fast"])
    }

    @Test("a private network has the id its host chose; nobody else can take it, and its host replaces it")
    func privately() {
        let master = Master()
        let id = SessionID(high: 7, low: 9)
        let (host, _) = master.session()
        master.send(.createAccessPointPrivate(.of(id), advertiseData: ByteBuffer()), from: host)
        #expect(master.words(host) == ["ProxyConfig 10.114.0.1 255.255.0.0", "Connected host"])
        let (other, _) = master.session()
        master.send(.createAccessPointPrivate(.of(id), advertiseData: ByteBuffer()), from: other)
        #expect(master.words(other) == ["NetworkError -1"])
        let (player, _) = master.session()
        master.send(.connectPrivate(.to(id)), from: player)
        #expect(master.words(player).last == "Connected host ")
        master.forgetHeard(host)
        master.send(.createAccessPointPrivate(.of(id), advertiseData: ByteBuffer()), from: host)
        #expect(master.words(host) == ["ProxyConfig 10.114.0.1 255.255.0.0", "Connected host"])
        #expect(master.words(player) == ["Disconnect"])
        #expect(master.engine.roomCount == 1)
        // The player is free, and finds the network like any other.
        master.send(.scan(ScanFilter()), from: player)
        #expect(master.words(player) == ["ScanReply host", "ScanReplyEnd"])
    }

    @Test("addresses that a private network keeps go to the clients they are kept for")
    func reserved() {
        let master = Master()
        let clients = (0..<3).map { _ in master.session() }
        let id = SessionID(high: 1, low: 1)
        func entry(_ address: UInt32, _ client: Int) -> AddressEntry {
            var entry = AddressEntry()
            entry.ipv4Address = VirtualAddress(rawValue: address)
            entry.macAddress = clients[client].identity.macAddress
            return entry
        }
        let request = CreateAccessPointPrivateRequest.of(id, reserving: [entry(0x0A72_0001, 1), entry(0xC0A8_0505, 2)])
        master.send(.createAccessPointPrivate(request, advertiseData: ByteBuffer()), from: clients[0].peer)
        #expect(master.words(clients[0].peer).first == "ProxyConfig 10.114.0.2 255.255.0.0")
        master.send(.connectPrivate(.to(id)), from: clients[1].peer)
        #expect(master.words(clients[1].peer).first == "ProxyConfig 10.114.0.1 255.255.0.0")
        master.send(.connectPrivate(.to(id)), from: clients[2].peer)
        #expect(master.words(clients[2].peer).first == "ProxyConfig 192.168.5.5 255.255.0.0")
        // Coming back changes nothing about that.
        master.send(.disconnect(DisconnectMessage()), .connectPrivate(.to(id)), from: clients[1].peer)
        #expect(master.words(clients[1].peer).contains("ProxyConfig 10.114.0.1 255.255.0.0"))
        // And the client keeps it when it comes on another connection.
        master.disconnect(clients[2].peer)
        let (again, _) = master.session(showing: clients[2].identity)
        master.send(.connectPrivate(.to(id)), from: again)
        #expect(master.words(again).first == "ProxyConfig 192.168.5.5 255.255.0.0")
    }

    @Test("a draining master opens no networks and lets nobody in; hosts are told, and play on")
    func draining() {
        let master = Master { $0.enforceAcceptPolicy = false }
        let (host, info) = master.host()
        let (player, _) = master.player(of: info)
        let (closed, _) = master.host()
        master.send(.policy(.rejectAll), from: closed)
        master.forgetHeard(host, player, closed)
        master.drain()
        for peer in [host, player] {
            guard case .syncNetwork(let told)? = master.heard(peer).first else {
                Issue.record("nothing was told")
                continue
            }
            #expect(told.ldn.stationAcceptPolicy == .rejectAll && told.places == "host player")
        }
        #expect(master.words(closed).isEmpty, "it rejected all already")
        let (other, _) = master.session()
        master.send(.createAccessPoint(.of("x"), advertiseData: ByteBuffer()), .scan(ScanFilter()), from: other)
        #expect(master.words(other) == ["NetworkError -1", "ScanReplyEnd"])
        master.send(.connect(.to(info)), from: other)
        #expect(master.words(other) == ["NetworkError 8"])
        // What the host says about it changes nothing.
        master.send(.policy(.acceptAll), from: host)
        master.send(.connect(.to(info)), from: other)
        #expect(master.words(other) == ["NetworkError 8"])
        master.forgetHeard(host, player)
        master.send(.datagram(to: .player(2), "on"), from: host)
        #expect(master.words(player) == ["ProxyData 10.114.0.1 10.114.0.2 on"])
        master.disconnect(host)
        master.disconnect(closed)
        #expect(master.engine.roomCount == 0)
    }

    @Test("a kicked player is told that it was rejected, and the others that it has gone")
    func kickedPlayer() {
        let master = Master()
        let (host, info) = master.host(.p2p())
        let (player, _) = master.player(of: info)
        master.forgetHeard(host)
        master.kick(player)
        #expect(master.words(player) == ["Reject 1 5", "Disconnect"])
        #expect(master.closed(player) == "kicked")
        #expect(master.words(host) == ["ExternalProxyState 10.114.0.2 false", "SyncNetwork host -player"])
    }

    @Test("a kicked host's network ends, and its players are free for others")
    func kickedHost() {
        let master = Master()
        let (host, info) = master.host()
        let (player, _) = master.player(of: info)
        master.forgetHeard(host)
        master.kick(host)
        #expect(master.words(host) == ["Disconnect"])
        #expect(master.closed(host) == "kicked")
        #expect(master.words(player) == ["Disconnect"])
        #expect(master.rooms.isEmpty)
        master.send(.createAccessPoint(.of("player"), advertiseData: ByteBuffer()), from: player)
        #expect(master.words(player) == ["ProxyConfig 10.114.0.1 255.255.0.0", "Connected player"])
    }

    @Test("a kicked client in no network finds its end, also while its proxy is tried")
    func kickedIdle() {
        let master = Master()
        let (idle, _) = master.session()
        let (creating, _) = master.session()
        master.send(.createAccessPoint(.p2p(), advertiseData: ByteBuffer()), from: creating)
        for peer in [idle, creating] {
            master.kick(peer)
            #expect(master.words(peer).isEmpty)
            #expect(master.closed(peer) == "kicked")
        }
        master.answerProbe(of: creating, isReachable: true)
        #expect(master.rooms.isEmpty && master.engine.sessions.count == 0)
    }

    @Test("a master that stops tells its players, and parts from everybody")
    func stopping() {
        let master = Master()
        let (host, info) = master.host()
        let (player, _) = master.player(of: info)
        let (idle, _) = master.session()
        master.forgetHeard(host, player)
        master.stop()
        #expect(master.words(host) == ["Disconnect"])
        #expect(master.words(player) == ["Disconnect"])
        #expect(master.words(idle).isEmpty)
        #expect([host, player, idle].allSatisfy { master.closed($0) == "server_stopping" })
        #expect(master.engine.roomCount == 0 && master.engine.nextDeadline == nil)
    }
}
