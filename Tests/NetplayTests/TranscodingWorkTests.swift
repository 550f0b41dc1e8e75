import FuzzTargets
import RelayCore
import RelayTesting
import Testing

@testable import Netplay

/// What takes more than one turn: slow readers, ends and losses while a savestate is on its way.
@Suite("Savestates under way")
struct TranscodingWorkTests {
    private static let state = Messages.state(1 << 20)
    private static let raw = Messages.savestate(state, zlib: false)
    private static let compressed = Messages.savestate(state, zlib: true)

    /// A guest without zlib and its link, whose host has it; their headers have crossed.
    private static func pair() -> (tunnel: Tunnel, host: PeerID, guest: PeerID, link: PeerID) {
        var tunnel = Tunnel()
        let (host, _, guest, link) = tunnel.pair()
        tunnel.harness.receive(Messages.header(zlib: false), from: guest)
        tunnel.harness.receive(Messages.header(zlib: true), from: link)
        _ = tunnel.harness.take(guest)
        _ = tunnel.harness.take(link)
        return (tunnel, host, guest, link)
    }

    /// Reads what has come, each time less than a turn brings, and lets the engine do its work.
    private static func readOn(_ tunnel: inout Tunnel, _ peer: PeerID) -> [UInt8] {
        var received = tunnel.harness.take(peer)
        if tunnel.harness.connected.contains(peer) { tunnel.harness.writability(of: peer, is: true) }
        for _ in 0..<200 {
            tunnel.harness.advance(by: .nanoseconds(1))
            received += tunnel.harness.take(peer)
        }
        return received
    }

    @Test func senderWaitsWhileHisSavestateIsInflated() {
        var (tunnel, _, guest, link) = Self.pair()
        tunnel.harness.receive(Self.compressed, from: link)
        #expect(tunnel.harness.paused == [link])
        #expect(tunnel.harness.pendingBytes(of: guest) < 128 << 10)
        #expect(Self.readOn(&tunnel, guest) == Self.raw)
        #expect(tunnel.harness.paused.isEmpty)
    }

    @Test func slowReaderStopsItsSenderAndNobodyElse() {
        var (tunnel, host, guest, link) = Self.pair()
        tunnel.harness.receive(Self.compressed, from: link)
        tunnel.harness.writability(of: guest, is: false)
        tunnel.harness.advance(by: .seconds(60))
        #expect(tunnel.harness.pendingBytes(of: guest) < 128 << 10)
        #expect(tunnel.harness.paused == [link])
        // Its own words, and other pairs, go on.
        tunnel.harness.receive(Messages.input(9), from: guest)
        #expect(tunnel.harness.take(link) == Messages.input(9))
        #expect(tunnel.harness.connected.isSuperset(of: [host, guest, link]))
        #expect(Self.readOn(&tunnel, guest) == Self.raw)
        #expect(tunnel.harness.paused.isEmpty)
    }

    @Test func bombAtAReaderThatNeverReadsStaysSmall() {
        var (tunnel, _, guest, link) = Self.pair()
        let bomb = Messages.savestate([UInt8](repeating: 0, count: 64 << 20), zlib: true)
        tunnel.harness.receive(bomb, from: link)
        tunnel.harness.writability(of: guest, is: false)
        tunnel.harness.advance(by: .seconds(30))
        #expect(tunnel.harness.pendingBytes(of: guest) < 128 << 10)
        #expect(tunnel.harness.engine.transcodings[guest]?[.link].transcoder.waitingBytes ?? .max <= bomb.count)
    }

    @Test func whatASenderWithoutBreaksPilesUpIsBounded() {
        var (tunnel, _, guest, link) = Self.pair()
        tunnel.harness.writability(of: guest, is: false)
        #expect(tunnel.harness.paused == [link])
        // What was under way when it was paused still comes; no network has so much under way.
        for _ in 0..<17 { tunnel.harness.receive([UInt8](repeating: 0, count: 64 << 10), from: link) }
        #expect(tunnel.reason(guest) == "slow_reader")
        #expect(tunnel.harness.closed[link] != nil)
    }

    // MARK: Ends

    @Test func endCrossesBehindASavestate() {
        var (tunnel, _, guest, link) = Self.pair()
        tunnel.harness.receive(Self.compressed, from: link)
        tunnel.harness.end(link)
        #expect(!tunnel.harness.finished.contains(guest))
        // The other direction goes on.
        tunnel.harness.receive(Messages.input(1), from: guest)
        #expect(tunnel.harness.take(link) == Messages.input(1))
        #expect(Self.readOn(&tunnel, guest) == Self.raw)
        #expect(tunnel.harness.finished == [guest])
        tunnel.harness.end(guest)
        #expect(tunnel.harness.closed[link] != nil)
        #expect(tunnel.harness.engine.transcodings.isEmpty)
    }

    @Test func bothMayEndWhileBothHaveSavestatesUnderWay() {
        var (tunnel, host, guest, link) = Self.pair()
        tunnel.harness.receive(Self.compressed, from: link)
        tunnel.harness.receive(Self.raw, from: guest)
        tunnel.harness.end(guest)
        tunnel.harness.end(link)
        #expect(tunnel.harness.connected.isSuperset(of: [guest, link]))
        #expect(Self.readOn(&tunnel, guest) == Self.raw)
        #expect(tunnel.harness.take(link) == Self.compressed)
        #expect(tunnel.harness.connected == [host])
    }

    @Test func endWithinAHeadDeliversWhatCame() {
        var (tunnel, _, guest, link) = Self.pair()
        tunnel.harness.receive(Messages.input(1) + [0, 0, 0, 0x42, 9], from: link)
        #expect(tunnel.harness.take(guest) == Messages.input(1))
        tunnel.harness.end(link)
        #expect(tunnel.harness.take(guest) == [0, 0, 0, 0x42, 9])
        #expect(tunnel.harness.finished == [guest])
    }

    // MARK: Losses

    @Test func lostSendersSavestateIsDeliveredFirst() {
        var (tunnel, host, guest, link) = Self.pair()
        tunnel.harness.receive(Self.compressed, from: link)
        tunnel.harness.writability(of: guest, is: false)
        tunnel.harness.disconnect(link)
        tunnel.harness.disconnect(host)
        #expect(tunnel.harness.connected == [guest])
        // A server that drains waits for this too.
        #expect(tunnel.harness.engine.roomCount == 1)
        tunnel.harness.receive(Messages.input(1), from: guest)
        #expect(Self.readOn(&tunnel, guest) == Self.raw)
        #expect(tunnel.reason(guest) == "partner_left")
        #expect(tunnel.harness.engine.roomCount == 0)
        #expect(tunnel.harness.engine.nextDeadline == nil)
    }

    @Test func lostGuestsSavestateIsDeliveredFirst() {
        var (tunnel, host, guest, link) = Self.pair()
        tunnel.harness.receive(Self.raw, from: guest)
        tunnel.harness.disconnect(guest)
        #expect(Self.readOn(&tunnel, link) == Self.compressed)
        #expect(tunnel.harness.connected == [host])
    }

    @Test func survivorThatDoesNotReadGoesToo() {
        var (tunnel, _, guest, link) = Self.pair()
        tunnel.harness.receive(Self.compressed, from: link)
        tunnel.harness.writability(of: guest, is: false)
        tunnel.harness.disconnect(link)
        tunnel.harness.advance(by: .seconds(9))
        #expect(tunnel.harness.connected.contains(guest))
        tunnel.harness.advance(by: .seconds(2))
        #expect(tunnel.reason(guest) == "partner_left")
        #expect(tunnel.harness.engine.transcodings.isEmpty)
    }

    @Test func survivorThatIsLostTooIsForgotten() {
        var (tunnel, host, guest, link) = Self.pair()
        tunnel.harness.receive(Self.compressed, from: link)
        tunnel.harness.writability(of: guest, is: false)
        tunnel.harness.disconnect(link)
        tunnel.harness.end(guest)
        tunnel.harness.disconnect(guest)
        #expect(tunnel.harness.connected == [host])
        #expect(tunnel.harness.engine.transcodings.isEmpty)
        tunnel.harness.advance(by: .seconds(30))
    }

    @Test func stopLeavesNobodyBehind() {
        var (tunnel, _, guest, link) = Self.pair()
        tunnel.harness.receive(Self.compressed, from: link)
        tunnel.harness.receive(Self.raw, from: guest)
        tunnel.harness.stop()
        #expect(tunnel.harness.connected.isEmpty)
        #expect(tunnel.harness.engine.nextDeadline == nil)
        #expect(tunnel.harness.engine.transcodings.isEmpty)
        #expect(tunnel.harness.engine.keptStateBytes == 0)
    }

    // MARK: Clocks

    @Test func pairIsNotIdleWhileASavestateIsBeingRead() {
        var (tunnel, _, guest, link) = Self.pair()
        tunnel.harness.receive(Self.compressed, from: link)
        var received: [UInt8] = []
        for _ in 0..<6 {
            tunnel.harness.writability(of: guest, is: false)
            tunnel.harness.advance(by: .seconds(100))
            received += tunnel.harness.take(guest)
            tunnel.harness.writability(of: guest, is: true)
        }
        #expect(tunnel.harness.connected.isSuperset(of: [guest, link]))
        received += Self.readOn(&tunnel, guest)
        #expect(received == Self.raw)
        tunnel.harness.advance(by: .seconds(121))
        #expect(tunnel.reason(guest) == "idle")
    }

    @Test func pairWhoseReaderSleepsIsIdle() {
        var (tunnel, host, guest, link) = Self.pair()
        tunnel.harness.receive(Self.raw, from: guest)
        tunnel.harness.writability(of: link, is: false)
        tunnel.harness.advance(by: .seconds(119))
        #expect(tunnel.harness.connected.contains(guest))
        tunnel.harness.advance(by: .seconds(1))
        #expect(tunnel.reason(guest) == "idle")
        // What it said might still be read.
        #expect(tunnel.harness.connected.contains(link))
        tunnel.harness.advance(by: .seconds(10))
        #expect(tunnel.harness.connected == [host])
    }
}
