import Netplay
import RelayCore
import RelayTesting
import Testing

@Suite("Tunnel timers")
struct TimerTests {
    @Test func silentConnectionEnds() {
        var tunnel = Tunnel()
        let peer = tunnel.harness.connect()
        tunnel.harness.advance(by: .seconds(29))
        #expect(tunnel.harness.connected.contains(peer))
        tunnel.harness.advance(by: .seconds(1))
        #expect(tunnel.reason(peer) == "opening_timeout")
    }

    @Test func idMayTakeAsLongAgainAsTheFirstFourBytes() {
        var tunnel = Tunnel()
        let peer = tunnel.harness.connect()
        tunnel.harness.advance(by: .seconds(29))
        tunnel.harness.receive(Message.session, from: peer)
        tunnel.harness.advance(by: .seconds(29))
        tunnel.harness.receive([0], from: peer)
        #expect(tunnel.harness.connected.contains(peer))
        tunnel.harness.advance(by: .seconds(1))
        #expect(tunnel.reason(peer) == "opening_timeout")
    }

    @Test func guestWaitsSoLongForItsLink() {
        var tunnel = Tunnel()
        let (host, session) = tunnel.host()
        let guest = tunnel.guest(of: session)
        tunnel.harness.advance(by: .seconds(119))
        #expect(tunnel.harness.connected.contains(guest))
        tunnel.harness.advance(by: .seconds(1))
        #expect(tunnel.reason(guest) == "link_timeout")
        #expect(tunnel.harness.connected == [host])
    }

    @Test func silentHostIsPingedThreeTimesAndThenDropped() {
        var tunnel = Tunnel()
        let (host, _) = tunnel.host()
        for _ in 0..<3 {
            tunnel.harness.advance(by: .seconds(59))
            #expect(tunnel.harness.take(host).isEmpty)
            tunnel.harness.advance(by: .seconds(1))
            #expect(tunnel.harness.take(host) == Message.ping)
        }
        tunnel.harness.advance(by: .seconds(59))
        #expect(tunnel.harness.connected.contains(host))
        tunnel.harness.advance(by: .seconds(1))
        #expect(tunnel.reason(host) == "unanswered_pings")
    }

    @Test func pongStartsTheCountAnew() {
        var tunnel = Tunnel()
        let (host, _) = tunnel.host()
        for _ in 0..<20 {
            tunnel.harness.advance(by: .seconds(61))
            tunnel.harness.receive(Message.ping, from: host)
        }
        #expect(tunnel.harness.connected.contains(host))
    }

    @Test func addressQueryDelaysThePingButIsNoPong() {
        var tunnel = Tunnel()
        let (host, _) = tunnel.host()
        tunnel.harness.advance(by: .seconds(120))
        #expect(tunnel.harness.take(host) == Message.ping + Message.ping)
        tunnel.harness.advance(by: .seconds(30))
        tunnel.harness.receive(Message.address + Message.none, from: host)
        _ = tunnel.harness.take(host)
        tunnel.harness.advance(by: .seconds(59))
        #expect(tunnel.harness.take(host).isEmpty)
        tunnel.harness.advance(by: .seconds(1))
        #expect(tunnel.harness.take(host) == Message.ping)
        tunnel.harness.advance(by: .seconds(60))
        #expect(tunnel.reason(host) == "unanswered_pings")
    }

    @Test func addressQueryMustBeFinished() {
        var tunnel = Tunnel()
        let (host, _) = tunnel.host()
        tunnel.harness.receive(Message.address + [1], from: host)
        tunnel.harness.advance(by: .seconds(20))
        tunnel.harness.receive([2], from: host)
        tunnel.harness.advance(by: .seconds(10))
        #expect(tunnel.reason(host) == "address_query_timeout")
    }

    @Test func reloadedLimitsHoldForWhatComes() {
        var tunnel = Tunnel()
        let (_, session, guest, link) = tunnel.pair()
        var configuration = NetplayConfiguration()
        configuration.maxClients = 2
        configuration.maxSessions = 1
        tunnel.harness.engine.reconfigure(configuration)
        let late = tunnel.guest(of: session)
        #expect(tunnel.reason(late) == "session_full")
        #expect(tunnel.harness.connected.isSuperset(of: [guest, link]))
    }
}
