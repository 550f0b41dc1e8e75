import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import LDN

@Suite("P2P proxy: routing")
struct ProxyRoutingTests {
    @Test func aPacketGoesToItsPlayer() {
        let proxy = Proxy()
        let (a, b, c) = (proxy.player(2), proxy.player(3), proxy.player(4))
        proxy.send(.datagram(from: .player(2), to: .player(3), "hello"), from: a)
        #expect(proxy.heard(b) == [.datagram(from: .player(2), to: .player(3), "hello")])
        #expect(proxy.heard(a) == [] && proxy.heard(c) == [])
    }

    @Test(arguments: [VirtualAddress.broadcast, .legacyBroadcast])
    func aBroadcastGoesToAllAsItCame(_ destination: VirtualAddress) {
        let proxy = Proxy()
        let players = [proxy.player(2), proxy.player(3), proxy.player(4)]
        proxy.send(.datagram(to: destination, "all"), from: players[1])
        for player in players {
            #expect(proxy.heard(player) == [.datagram(from: .player(3), to: destination, "all")])
        }
    }

    @Test func theBroadcastAddressIsThatOfTheFirstPlayersNetwork() {
        let proxy = Proxy()
        let elsewhere = VirtualAddress(rawValue: 0xC0A8_0501)
        var token = ExternalProxyToken.of(2)
        token.virtualIP = elsewhere
        proxy.announce(token)
        let (first, second) = (proxy.connect(), proxy.player(3))
        proxy.end(second)
        proxy.show(2, from: first)
        _ = proxy.heard(first)
        proxy.send(.datagram(to: VirtualAddress(rawValue: 0xC0A8_FFFF), "all"), from: first)
        #expect(proxy.heard(first).count == 1)
        proxy.send(.datagram(to: .broadcast, "nobody"), from: first)
        #expect(proxy.heard(first) == [] && proxy.dropped.noReceiver == 1)
    }

    @Test func foreignSourcesWrongLengthsAndUnknownReceiversAreDropped() {
        let proxy = Proxy()
        let (a, b) = (proxy.player(2), proxy.player(3))
        var header = ProxyDataHeader()
        header.info.destinationIPv4 = .player(3)
        header.dataLength = 999
        proxy.send(
            .datagram(from: .player(9), to: .player(3), "x"), .proxyData(header, data: ByteBuffer(string: "ab")),
            .datagram(to: .player(77), "x"), .datagram(to: .any, "x"), .scanReplyEnd, from: a)
        #expect(proxy.heard(b) == [] && proxy.closed(a) == nil)
        #expect(proxy.dropped.spoofed == 1 && proxy.dropped.tooShort == 1 && proxy.dropped.noReceiver == 2)
        #expect(proxy.dropped.unexpected == 1)
        #expect(proxy.engine.droppedMessages.count == 4)
    }

    @Test func allFourKindsAreRouted() {
        let proxy = Proxy()
        let (a, b) = (proxy.player(2), proxy.player(3))
        var info = ProxyInfo()
        info.sourceIPv4 = .player(2)
        info.destinationIPv4 = .player(3)
        info.transport = .tcp
        var goodbye = ProxyDisconnectMessage()
        goodbye.info = info
        let packets: [Packet] = [
            .proxyConnect(info), .proxyConnectReply(info), .datagram(from: .player(2), to: .player(3), "x"),
            .proxyDisconnect(goodbye),
        ]
        for packet in packets { proxy.send(packet, from: a) }
        #expect(proxy.heard(b) == packets)
    }

    // MARK: The master's word

    @Test func whoLeavesIsToldToTheMasterOnce() {
        let proxy = Proxy()
        let (a, b, c) = (proxy.player(2), proxy.player(3), proxy.player(4))
        proxy.end(a)
        proxy.disconnect(b)
        proxy.kick(c)
        #expect(proxy.left == [.player(2), .player(3), .player(4)] && proxy.players.isEmpty)
        proxy.stateChanged(.player(2))
        #expect(proxy.left.count == 3)
    }

    @Test func theMastersWordClosesASessionAndItsTokens() {
        let proxy = Proxy()
        let (a, b) = (proxy.player(2), proxy.player(3))
        proxy.announce(.of(4))
        proxy.stateChanged(.player(2), isConnected: true)
        #expect(proxy.closed(a) == nil, "to hear that a player is here changes nothing")
        proxy.stateChanged(.player(2))
        proxy.stateChanged(.player(4))
        #expect(proxy.closed(a) == "left_network" && proxy.closed(b) == nil)
        #expect(proxy.engine.waitingTokens == 0 && proxy.left == [])
        let late = proxy.connect()
        proxy.show(4, from: late)
        proxy.pass(.seconds(1))
        #expect(proxy.closed(late) == "no_token")
    }

    @Test func aStopPartsFromAllWithoutAWordToTheMaster() {
        let proxy = Proxy()
        let (player, stranger, waiting) = (proxy.player(2), proxy.connect(), proxy.connect())
        proxy.show(9, from: waiting)
        proxy.announce(.of(4))
        proxy.stop()
        proxy.stop()
        #expect([player, stranger, waiting].allSatisfy { proxy.closed($0) == "server_stopping" })
        #expect(proxy.left == [] && proxy.engine.waitingTokens == 0)
        #expect(proxy.engine.nextDeadline == nil && proxy.engine.roomCount == 0)
    }

    @Test func afterManyReconnectsNothingIsLeft() {
        let proxy = Proxy()
        for number in UInt32(0)..<10_000 {
            let peer = proxy.player(2 + number % 100)
            if number.isMultiple(of: 2) { proxy.end(peer) } else { proxy.disconnect(peer) }
            if number.isMultiple(of: 7) { proxy.end(proxy.connect()) }
        }
        #expect(proxy.engine.sessions.count == 0 && proxy.players.isEmpty && proxy.engine.waitingTokens == 0)
        #expect(proxy.engine.nextDeadline == nil && proxy.left.count == 10_000)
    }

    // MARK: The host in this process

    @Test func theHostGetsWhatIsForItAndForAll() {
        let proxy = Proxy()
        let (a, b) = (proxy.player(2), proxy.player(3))
        proxy.setHost()
        proxy.send(
            .datagram(to: .host, "mine"), .datagram(to: .player(3), "not mine"), .datagram(to: .broadcast, "all"),
            .datagram(to: .legacyBroadcast, "too"), .datagram(from: .player(3), to: .host, "spoofed"), from: a)
        let texts = proxy.deliveredToHost.map { $0.map { String(buffer: $0.data) } }
        #expect(texts == ["mine", "all", "too"])
        #expect(proxy.deliveredToHost.allSatisfy { $0?.info.sourceIPv4 == .player(2) })
        #expect(proxy.heard(b).count == 3 && proxy.dropped.spoofed == 1)
    }

    @Test func theHostSpeaksUnderItsAddress() throws {
        let proxy = Proxy()
        let (a, b) = (proxy.player(2), proxy.player(3))
        #expect(throws: HostTrafficError.noAddress) { try proxy.sayFromHost(to: .broadcast, "x") }
        proxy.setHost()
        #expect(try proxy.sayFromHost(to: .legacyBroadcast, "all"))
        for player in [a, b] {
            #expect(proxy.heard(player) == [.datagram(from: .host, to: .broadcast, "all")])
        }
        #expect(try proxy.sayFromHost(to: .player(3), "one", source: .host))
        #expect(proxy.heard(a) == [] && proxy.heard(b).count == 1)
        #expect(try !proxy.sayFromHost(to: .player(9), "nobody"))
        #expect(throws: HostTrafficError.foreignSource) {
            try proxy.sayFromHost(to: .broadcast, "x", source: .player(2))
        }
        #expect(proxy.deliveredToHost.isEmpty, "it does not hear itself")
    }

    @Test func theHostsOwnTokenWaitsForNobody() {
        let proxy = Proxy()
        proxy.announce(.of(1))
        proxy.setHost()
        #expect(proxy.engine.waitingTokens == 0)
        proxy.announce(.of(1))
        #expect(proxy.engine.waitingTokens == 0)
    }
}
