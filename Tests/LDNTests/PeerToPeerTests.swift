import NIOCore
import RelayCore
import Testing

@testable import LDN

@Suite("LDN P2P")
struct PeerToPeerTests {
    @Test("a host whose proxy can be reached is introduced to it like any joiner")
    func reachable() throws {
        let master = Master()
        let (peer, _) = master.session(from: "203.0.113.7")
        master.send(.createAccessPoint(.p2p(), advertiseData: ByteBuffer()), from: peer)
        #expect(master.probes[peer]?.description == "203.0.113.7:39990")
        #expect(master.paused.contains(peer))
        #expect(master.words(peer).isEmpty)
        master.answerProbe(of: peer, isReachable: true)
        #expect(!master.paused.contains(peer))
        let packets = master.heard(peer)
        try #require(packets.map(\.word) == ["ExternalProxyToken 10.114.0.1", "ExternalProxy", "Connected host"])
        guard case .externalProxyToken(let token) = packets[0], case .externalProxy(let config) = packets[1] else {
            return
        }
        #expect(token.physicalIP == .zero && token.addressFamily == .ipv4)
        #expect(config.token == token.token && token.token != .zero)
        #expect(config.proxyIP.description == "c0a80114000000000000000000000000")
        #expect(config.addressFamily == .ipv4 && config.proxyPort == 39991)
    }

    @Test("for a host whose proxy cannot be reached the master relays")
    func unreachable() {
        let master = Master()
        let (peer, _) = master.session()
        master.send(.createAccessPoint(.p2p(), advertiseData: ByteBuffer()), from: peer)
        master.answerProbe(of: peer, isReachable: false)
        #expect(
            master.words(peer) == ["NetworkError 1", "ProxyConfig 10.114.0.1 255.255.0.0", "Connected host"])
        #expect(master.events == ["port_unreachable", "network_opened"])
        master.send(.datagram(to: .player(1), "hi"), from: peer)
        #expect(master.words(peer) == ["ProxyData 10.114.0.1 10.114.0.1 hi"])
    }

    @Test("ports of other services are never tried, nor any port too often, nor where P2P is off")
    func notTried() {
        let master = Master { $0.probeRate = TokenBucket.Rate(perSecond: 1, burst: 2) }
        func create(_ request: CreateAccessPointRequest, from address: String) -> (probed: Bool, words: [String]) {
            let (peer, _) = master.session(from: address)
            master.send(.createAccessPoint(request, advertiseData: ByteBuffer()), from: peer)
            defer { master.answerProbe(of: peer, isReachable: true) }
            return (master.probes[peer] != nil, master.words(peer))
        }
        #expect(create(.p2p(outside: 22), from: "192.0.2.1").words.first == "NetworkError 1")
        #expect(create(.p2p(outside: 1024), from: "192.0.2.1").probed)
        #expect(create(.p2p(), from: "192.0.2.1").probed)
        #expect(create(.p2p(), from: "192.0.2.1").words.first == "NetworkError 1")
        #expect(create(.p2p(), from: "192.0.2.2").probed)
        master.reconfigure { $0.allowP2P = false }
        #expect(create(.p2p(), from: "192.0.2.3").words.first == "NetworkError 1")
    }

    @Test("a client with a private address and no external port runs no proxy")
    func insideOnly() {
        let master = Master()
        let (peer, _) = master.session()
        master.send(.createAccessPoint(.p2p(outside: 0), advertiseData: ByteBuffer()), from: peer)
        #expect(master.words(peer) == ["ProxyConfig 10.114.0.1 255.255.0.0", "Connected host"])
    }

    @Test("what a host says while its proxy is tried counts once its network is open")
    func held() {
        let master = Master()
        let (peer, _) = master.session()
        master.send(
            .createAccessPoint(.p2p(), advertiseData: ByteBuffer()), .setAdvertiseData(ByteBuffer(string: "x")),
            from: peer)
        var split = Packet.policy(.blackList).encoded
        let rest = Packet.pinging(1, 3).encoded
        let first = split.readSlice(length: 5) ?? ByteBuffer()
        master.send(first.readableBytesView, from: peer)
        master.send(Array(split.readableBytesView) + Array(rest.readableBytesView), from: peer)
        #expect(master.words(peer).isEmpty)
        master.answerProbe(of: peer, isReachable: true)
        #expect(
            master.words(peer) == [
                "ExternalProxyToken 10.114.0.1", "ExternalProxy", "Connected host", "SyncNetwork host",
                "SyncNetwork host", "Ping 1 3",
            ])
    }

    @Test("a host that goes while its proxy is tried leaves nothing behind")
    func goneMeanwhile() {
        let master = Master()
        let (peer, _) = master.session()
        master.send(.createAccessPoint(.p2p(), advertiseData: ByteBuffer()), from: peer)
        master.disconnect(peer)
        master.answerProbe(of: peer, isReachable: true)
        #expect(master.engine.roomCount == 0)
        let (ended, _) = master.session()
        master.send(.createAccessPoint(.p2p(), advertiseData: ByteBuffer()), from: ended)
        master.end(ended)
        master.answerProbe(of: ended, isReachable: true)
        #expect(master.engine.roomCount == 0 && master.closed(ended) == "peer_closed")
    }

    @Test("what has changed while a proxy was tried counts")
    func changedMeanwhile() {
        let master = Master()
        let (peer, _) = master.session()
        master.send(.createAccessPoint(.p2p(), advertiseData: ByteBuffer()), from: peer)
        master.drain()
        master.answerProbe(of: peer, isReachable: true)
        #expect(master.words(peer) == ["NetworkError -1"])
        #expect(!master.paused.contains(peer))
    }

    @Test("who waits for its proxy to be tried is not taken for dead")
    func waitingIsNoSilence() {
        let master = Master { $0.pingInterval = .milliseconds(500) }
        let (peer, _) = master.session()
        master.send(.createAccessPoint(.p2p(), advertiseData: ByteBuffer()), from: peer)
        master.pass(.seconds(20))
        #expect(master.connected.contains(peer))
    }

    @Test("a session that is paused cannot make the master keep more and more")
    func heldIsBounded() {
        let master = Master { $0.byteRate = .unlimited }
        let (peer, _) = master.session()
        master.send(.createAccessPoint(.p2p(), advertiseData: ByteBuffer()), from: peer)
        for _ in 0..<40 where master.connected.contains(peer) {
            master.send(Array(repeating: 0, count: 60_000), from: peer)
        }
        #expect(master.closed(peer) == "too_many_bytes")
    }

    /// What a joiner and the host are told of each other.
    private struct Introduction: Equatable {
        var physicalIP: String
        var tokenFamily: Int32
        var proxy: String
        var port: UInt16
        var family: Int32
    }

    private func introduction(
        host request: CreateAccessPointRequest, at hostAddress: String, joiner: String
    ) throws -> Introduction {
        let master = Master()
        let (host, info) = master.host(request, from: hostAddress)
        let (peer, _) = master.session(from: joiner)
        master.send(.connect(.to(info, as: "bob")), from: peer)
        let (atHost, atJoiner) = (master.heard(host), master.heard(peer))
        #expect(atHost.map(\.word) == ["ExternalProxyToken 10.114.0.2", "SyncNetwork host bob"])
        #expect(atJoiner.map(\.word) == ["ExternalProxy", "Connected host bob"])
        guard case .externalProxyToken(let token)? = atHost.first, case .externalProxy(let config)? = atJoiner.first
        else { throw CancellationError() }
        #expect(token.token == config.token)
        return Introduction(
            physicalIP: token.physicalIP.description, tokenFamily: token.addressFamily.rawValue,
            proxy: config.proxyIP.description, port: config.proxyPort, family: config.addressFamily.rawValue)
    }

    private let none = String(repeating: "0", count: 32)

    @Test("a joiner from elsewhere goes to the host's public address, and the host is told where it comes from")
    func stranger() throws {
        let told = try introduction(host: .p2p(), at: "203.0.113.7", joiner: "198.51.100.9")
        #expect(
            told
                == Introduction(
                    physicalIP: "c6336409000000000000000000000000", tokenFamily: 2,
                    proxy: "cb007107000000000000000000000000", port: 39990, family: 2))
        let six = try introduction(host: .p2p(), at: "2001:db8::7", joiner: "2001:db8::9")
        #expect(
            six
                == Introduction(
                    physicalIP: "20010db8000000000000000000000009", tokenFamily: 23,
                    proxy: "20010db8000000000000000000000007", port: 39990, family: 23))
    }

    @Test("a joiner at the host's address goes to its private one", arguments: ["203.0.113.7", "::ffff:203.0.113.7"])
    func neighbour(address: String) throws {
        let told = try introduction(host: .p2p(), at: "203.0.113.7", joiner: address)
        #expect(
            told
                == Introduction(
                    physicalIP: none, tokenFamily: 2, proxy: "c0a80114000000000000000000000000", port: 39991, family: 2)
        )
    }

    @Test(
        "a private address that was written the wrong way round is turned, another is not",
        arguments: [
            ("20.1.168.192", "c0a80114"), ("192.168.1.20", "c0a80114"), ("10.1.168.192", "0a01a8c0"),
            ("1.0.0.127", "7f000001"), ("5.4.16.172", "ac100405"), ("203.0.113.7", "cb007107"),
            ("9.8.7.10", "0a070809"),
        ])
    func reversed(given: String, used: String) throws {
        let told = try introduction(host: .p2p(privately: given), at: "203.0.113.7", joiner: "203.0.113.7")
        #expect(told.proxy.hasPrefix(used) && told.port == 39991)
    }

    @Test("without a private address that makes sense, neighbours go to the public one too")
    func noPrivateAddress() throws {
        for request in [
            CreateAccessPointRequest.p2p(privately: "0.0.0.0"), .p2p(family: AddressFamily(rawValue: 10)),
            .p2p(inside: 0),
        ] {
            let told = try introduction(host: request, at: "203.0.113.7", joiner: "203.0.113.7")
            #expect(told.proxy == "cb007107000000000000000000000000" && told.port == 39990 && told.family == 2)
        }
    }

    @Test("each player is introduced with a token of its own")
    func tokens() {
        let master = Master()
        let (host, info) = master.host(.p2p())
        let joiners = (0..<7).map { master.player(of: info, as: "\($0)").peer }
        let tokens = master.heard(host).compactMap { packet -> ProxyToken? in
            if case .externalProxyToken(let token) = packet { token.token } else { nil }
        }
        #expect(joiners.count == 7 && Set(tokens).count == 7)
    }

    @Test("the host of a P2P network is told of players that go, and tells of them")
    func states() {
        let master = Master()
        let (host, info) = master.host(.p2p())
        let (a, b, c) = (
            master.player(of: info, as: "a").peer, master.player(of: info, as: "b").peer,
            master.player(of: info, as: "c").peer
        )
        master.forgetHeard(host, a, b, c)
        master.send(.disconnect(DisconnectMessage()), from: a)
        #expect(master.words(host) == ["ExternalProxyState 10.114.0.2 false", "SyncNetwork host -a b c"])
        #expect(master.words(a).isEmpty && master.connected.contains(a))
        master.forgetHeard(b, c)
        master.send(.proxyState(.player(3)), from: host)
        #expect(master.words(b) == ["Disconnect"])
        #expect(master.words(host) == ["SyncNetwork host -a -b c"])
        #expect(master.words(c) == ["SyncNetwork host -a -b c"])
        master.disconnect(c)
        #expect(master.words(host) == ["ExternalProxyState 10.114.0.4 false", "SyncNetwork host -a -b -c"])
    }

    @Test("news of a proxy count only from a P2P host, and only that a player has gone")
    func statesOfNoConcern() {
        let master = Master()
        let (host, info) = master.host(.p2p())
        let (player, _) = master.player(of: info)
        let (relayed, other) = master.host(from: "192.0.2.1")
        let (joiner, _) = master.player(of: other)
        master.forgetHeard(host, player, relayed, joiner)
        master.send(.proxyState(.player(2), isConnected: true), from: host)
        master.send(.proxyState(.player(9)), from: host)
        master.send(.proxyState(.player(1)), from: player)
        master.send(.proxyState(.player(2)), from: relayed)
        for peer in [host, player, relayed, joiner] { #expect(master.words(peer).isEmpty) }
        #expect(master.dropped.unexpected == 3)
    }

    @Test("the master does not relay in a network whose host does")
    func noRelay() {
        let master = Master()
        let (host, info) = master.host(.p2p())
        let (player, _) = master.player(of: info)
        master.forgetHeard(host)
        master.send(.datagram(to: .broadcast, "x"), from: player)
        #expect(master.words(host).isEmpty && master.words(player).isEmpty)
        #expect(master.dropped.notRelayed == 1)
    }
}
