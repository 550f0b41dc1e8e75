import Netplay
import RelayCore
import RelayTesting
import Testing

@Suite("Tunnel pairs")
struct PairTests {
    @Test func endCrossesAndTheOtherDirectionMayFinish() {
        var tunnel = Tunnel()
        let (_, _, guest, link) = tunnel.pair()
        tunnel.harness.receive([1], from: link)
        tunnel.harness.end(link)
        #expect(tunnel.harness.take(guest) == [1])
        #expect(tunnel.harness.finished.contains(guest))
        #expect(!tunnel.harness.finished.contains(link))
        tunnel.harness.receive([2], from: guest)
        #expect(tunnel.harness.take(link) == [2])
        tunnel.harness.end(guest)
        #expect(tunnel.harness.closed[guest] != nil)
        #expect(tunnel.harness.closed[link] != nil)
    }

    @Test func lostPeerTakesItsPartnerAlong() {
        var tunnel = Tunnel()
        let (host, _, guest, link) = tunnel.pair()
        tunnel.harness.disconnect(link)
        #expect(tunnel.reason(guest) == "partner_left")
        #expect(tunnel.harness.connected == [host])
    }

    @Test func halfClosedPairThatFallsSilentEnds() {
        var tunnel = Tunnel { $0.halfCloseTimeout = .seconds(10) }
        let (_, _, guest, link) = tunnel.pair()
        tunnel.harness.end(guest)
        for _ in 0..<5 {
            tunnel.harness.advance(by: .seconds(9))
            tunnel.harness.receive([1], from: link)
        }
        #expect(tunnel.harness.connected.contains(link))
        tunnel.harness.advance(by: .seconds(10))
        #expect(tunnel.reason(guest) == "half_closed")
    }

    @Test func pairOutlivesTheHostsControlLine() {
        var tunnel = Tunnel()
        let (host, session, guest, link) = tunnel.pair()
        let waiting = tunnel.guest(of: session)
        tunnel.harness.disconnect(host)
        #expect(tunnel.reason(waiting) == "host_left")
        tunnel.harness.receive([1], from: guest)
        #expect(tunnel.harness.take(link) == [1])
    }

    @Test func oneDirectionKeepsThePairAlive() {
        var tunnel = Tunnel { $0.idleTimeout = .seconds(120) }
        let (_, _, guest, link) = tunnel.pair()
        for _ in 0..<20 {
            tunnel.harness.advance(by: .seconds(100))
            tunnel.harness.receive([1], from: guest)
        }
        #expect(tunnel.harness.connected.isSuperset(of: [guest, link]))
        tunnel.harness.advance(by: .seconds(119))
        #expect(tunnel.harness.connected.contains(link))
        tunnel.harness.advance(by: .seconds(1))
        #expect(tunnel.reason(guest) == "idle")
        #expect(tunnel.harness.closed[link] != nil)
    }

    @Test func fasterSideIsNotReadWhileTheSlowerOneIsFull() {
        var tunnel = Tunnel()
        let (_, _, guest, link) = tunnel.pair()
        tunnel.harness.writability(of: link, is: false)
        #expect(tunnel.harness.paused == [guest])
        tunnel.harness.writability(of: link, is: true)
        #expect(tunnel.harness.paused.isEmpty)
        tunnel.harness.writability(of: guest, is: false)
        #expect(tunnel.harness.paused == [link])
    }

    @Test func earlyBytesAreBounded() {
        var tunnel = Tunnel { $0.maxEarlyBytes = 1000 }
        let (host, session) = tunnel.host()
        let guest = tunnel.guest(of: session)
        tunnel.harness.receive([UInt8](repeating: 1, count: 999), from: guest)
        #expect(tunnel.harness.paused.isEmpty)
        tunnel.harness.receive([2], from: guest)
        #expect(tunnel.harness.paused == [guest])
        let link = tunnel.link(for: tunnel.announced(to: host)[0])
        #expect(tunnel.harness.paused.isEmpty)
        #expect(tunnel.harness.take(link).count == 1000)
    }

    @Test func guestThatHangsUpWhileItWaitsIsForgotten() {
        var tunnel = Tunnel()
        let (host, session) = tunnel.host()
        let guest = tunnel.guest(of: session)
        let id = tunnel.announced(to: host)[0]
        tunnel.harness.end(guest)
        #expect(!tunnel.harness.connected.contains(guest))
        let link = tunnel.link(for: id)
        #expect(tunnel.reason(link) == "unknown_guest")
    }
}
