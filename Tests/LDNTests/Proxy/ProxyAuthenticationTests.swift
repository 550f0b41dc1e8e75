import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import LDN

@Suite("P2P proxy: tokens")
struct ProxyAuthenticationTests {
    @Test func aTokenLetsItsJoinerInUnderItsAddress() {
        let proxy = Proxy()
        proxy.announce(.of(2))
        let peer = proxy.connect()
        proxy.show(2, from: peer)
        #expect(proxy.heard(peer) == [.welcome(2)])
        #expect(proxy.players == [.player(2)] && proxy.engine.waitingTokens == 0)
    }

    /// The answer as real programs sent it.
    @Test func theAnswerIsTheGoldenOne() throws {
        let proxy = Proxy()
        let peer = proxy.connect()
        let shown = try PacketVector.all().first { $0.packet == "ExternalProxy" }
        let packet = try Packet(Frame(whole: ByteBuffer(bytes: #require(shown).bytes)))
        guard case .externalProxy(let config) = packet else { return #expect(Bool(false)) }
        var token = ExternalProxyToken.of(2)
        token.token = config.token
        proxy.announce(token)
        proxy.send(try #require(shown).bytes, from: peer)
        let bytes = proxy.heardBytes(peer)
        #expect(Array(bytes.prefix(12)) == [0x52, 0x4C, 0x44, 0x4E, 17, 1, 0, 0, 8, 0, 0, 0])
        #expect(Array(bytes.dropFirst(12)) == [2, 0, 0x72, 0x0A, 0, 0, 0xFF, 0xFF])
    }

    /// In the programs of others the first gets the second one's address.
    @Test func eachOfManyWaitingTokensBringsItsOwnAddress() {
        let proxy = Proxy()
        for last in UInt32(2)...8 { proxy.announce(.of(last)) }
        for last in [UInt32(5), 2, 8, 3, 7, 4, 6] {
            let peer = proxy.connect()
            proxy.show(last, from: peer)
            #expect(proxy.heard(peer) == [.welcome(last)])
        }
        #expect(Set(proxy.players).count == 7)
    }

    @Test func aTokenIsGoodOnce() {
        let proxy = Proxy()
        let player = proxy.player(2)
        let second = proxy.connect()
        proxy.show(2, from: second)
        proxy.pass(.milliseconds(999))
        #expect(proxy.closed(second) == nil)
        proxy.pass(.milliseconds(1))
        #expect(proxy.closed(second) == "no_token" && proxy.heard(second) == [])
        #expect(proxy.closed(player) == nil && proxy.players == [.player(2)])
        #expect(proxy.left == [], "a stranger's end is nobody's leaving")
    }

    @Test func aTokenThatComesLateIsWaitedForAndNobodyElseWaits() {
        let proxy = Proxy()
        let (first, second) = (proxy.player(2), proxy.player(3))
        let strangers = (0..<3).map { _ in proxy.connect() }
        for stranger in strangers { proxy.show(99, from: stranger) }
        let late = proxy.connect()
        proxy.show(4, from: late)
        proxy.pass(.milliseconds(500))
        proxy.send(.datagram(to: .player(3), "meanwhile"), from: first)
        #expect(proxy.heard(second).count == 1)
        proxy.announce(.of(4))
        #expect(proxy.heard(late) == [.welcome(4)])
        proxy.pass(.seconds(1))
        #expect(strangers.allSatisfy { proxy.closed($0) == "no_token" })
        #expect(proxy.closed(late) == nil)
    }

    @Test func whatIsSaidWhileATokenIsAwaitedIsHeardAfterwards() {
        let proxy = Proxy()
        let other = proxy.player(3)
        let early = proxy.connect()
        proxy.send(.showing(2), .datagram(to: .player(3), "early"), from: early)
        #expect(proxy.harness.paused.contains(early) && proxy.heard(other) == [])
        proxy.announce(.of(2))
        #expect(!proxy.harness.paused.contains(early) && proxy.heard(other).count == 1)
    }

    @Test func whoSaysTooMuchTooEarlyIsPartedFrom() {
        let proxy = Proxy()
        let early = proxy.connect()
        proxy.show(2, from: early)
        for _ in 0..<300 where proxy.closed(early) == nil {
            proxy.send([UInt8](repeating: 0, count: 1000), from: early)
        }
        #expect(proxy.closed(early) == "too_early")
    }

    @Test func ofTooManyWaitingTokensTheOldestGoes() {
        let proxy = Proxy()
        for last in UInt32(2)...18 { proxy.announce(.of(last)) }
        #expect(proxy.engine.waitingTokens == 16)
        let (oldest, next) = (proxy.connect(), proxy.connect())
        proxy.show(2, from: oldest)
        proxy.show(3, from: next)
        #expect(proxy.heard(oldest) == [] && proxy.heard(next) == [.welcome(3)])
    }

    @Test(arguments: ["203.0.113.1", "2001:db8::1"])
    func aTokenIsGoodFromItsJoinersAddressOnly(_ address: String) {
        let proxy = Proxy()
        proxy.announce(.of(2, at: address))
        let (stranger, joiner) = (proxy.connect(from: "203.0.113.9"), proxy.connect(from: address))
        proxy.show(2, from: stranger)
        #expect(proxy.heard(stranger) == [])
        proxy.show(2, from: joiner)
        #expect(proxy.heard(joiner) == [.welcome(2)])
        proxy.pass(.seconds(1))
        #expect(proxy.closed(stranger) == "no_token")
    }

    @Test func theAddressNeedNotMatter() {
        let proxy = Proxy { $0.checksPhysicalAddress = false }
        proxy.announce(.of(2, at: "203.0.113.1"))
        let joiner = proxy.connect(from: "198.51.100.77")
        proxy.show(2, from: joiner)
        #expect(proxy.heard(joiner) == [.welcome(2)])
    }

    @Test func mappedAddressesAreIPv4() {
        let proxy = Proxy()
        var token = ExternalProxyToken.of(2)
        token.physicalIP = PhysicalAddress(high: 0, low: 0x0000_FFFF_CB00_7101)
        token.addressFamily = .ipv6
        proxy.announce(token)
        let joiner = proxy.connect(from: "203.0.113.1")
        proxy.show(2, from: joiner)
        #expect(proxy.heard(joiner) == [.welcome(2)])
    }

    @Test func twoThatWaitForOneTokenGetOnePlace() {
        let proxy = Proxy()
        let (first, second) = (proxy.connect(), proxy.connect())
        proxy.show(2, from: first)
        proxy.show(2, from: second)
        proxy.announce(.of(2))
        #expect(proxy.heard(first) == [.welcome(2)] && proxy.heard(second) == [])
        proxy.pass(.seconds(1))
        #expect(proxy.closed(second) == "no_token")
    }

    @Test func oneConnectionIsOnePlayer() {
        let proxy = Proxy()
        let player = proxy.player(2)
        proxy.announce(.of(3))
        proxy.show(3, from: player)
        #expect(proxy.heard(player) == [] && proxy.players == [.player(2)])
        #expect(proxy.engine.waitingTokens == 1 && proxy.dropped.unexpected == 1)
    }

    @Test func nothingButATokenCountsBefore() {
        let proxy = Proxy()
        let (player, stranger) = (proxy.player(2), proxy.connect())
        proxy.send(
            .datagram(to: .player(2), "injected"), .datagram(to: .broadcast, "injected"), .ping(PingMessage()),
            from: stranger)
        #expect(proxy.heard(player) == [] && proxy.heard(stranger) == [])
        #expect(proxy.dropped.unauthenticated == 3)
        proxy.announce(.of(3))
        proxy.show(3, from: stranger)
        #expect(proxy.heard(stranger) == [.welcome(3)], "it may still do so")
    }

    @Test func whoShowsNothingIsPartedFrom() {
        let proxy = Proxy()
        let (player, silent) = (proxy.player(2), proxy.connect())
        proxy.pass(.seconds(5))
        #expect(proxy.closed(silent) == "no_authentication" && proxy.closed(player) == nil)
        proxy.pass(.seconds(3600))
        #expect(proxy.closed(player) == nil, "players may be silent")
    }

    @Test func theMastersLookIsNoPlayer() {
        let proxy = Proxy()
        let look = proxy.connect()
        proxy.end(look)
        #expect(proxy.players.isEmpty && proxy.left.isEmpty && proxy.engine.sessions.count == 0)
    }

    @Test func beyondTheMostPlayersNobodyIsTaken() {
        let proxy = Proxy()
        let players = (UInt32(1)...8).map { proxy.player($0) }
        let ninth = proxy.connect()
        #expect(proxy.closed(ninth) == "players_full")
        proxy.end(players[3])
        #expect(proxy.closed(proxy.connect()) == nil)
    }

    @Test func whoWaitsWhenTheLastPlaceGoesIsPartedFrom() {
        let proxy = Proxy { $0.maxPlayers = 1 }
        let (first, second) = (proxy.connect(), proxy.connect())
        proxy.show(2, from: first)
        proxy.show(3, from: second)
        proxy.announce(.of(2))
        proxy.announce(.of(3))
        #expect(proxy.heard(first) == [.welcome(2)] && proxy.closed(second) == "players_full")
        #expect(proxy.left == [])
    }

    @Test func strangersAreBounded() {
        let proxy = Proxy()
        for _ in 0..<16 { _ = proxy.connect() }
        #expect(proxy.closed(proxy.connect()) == "strangers_full")
    }

    @Test func malformedStreamsEndTheirConnectionOnly() throws {
        for vector in try MalformedVector.all() {
            let proxy = Proxy()
            let (player, stranger) = (proxy.player(2), proxy.connect())
            proxy.send(vector.bytes, from: stranger)
            proxy.send(vector.bytes, from: player)
            #expect(["bad_magic", "bad_version", "bad_size", nil].contains(proxy.closed(player)), "\(vector.name)")
            #expect(proxy.closed(player) == proxy.closed(stranger), "\(vector.name)")
            #expect(proxy.left.count == (proxy.closed(player) == nil ? 0 : 1))
        }
    }
}
