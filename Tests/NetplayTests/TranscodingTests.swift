import FuzzTargets
import RelayCore
import RelayTesting
import Testing

@testable import Netplay

@Suite("Pairs with and without compression")
struct TranscodingTests {
    private static let state = Messages.state(40_000)

    /// A pair whose headers have crossed.
    private static func pair(
        guest: Bool, link: Bool, _ change: (inout NetplayConfiguration) -> Void = { _ in }
    ) -> (tunnel: Tunnel, guest: PeerID, link: PeerID) {
        var tunnel = Tunnel(seed: 1, change)
        let (_, _, guestPeer, linkPeer) = tunnel.pair()
        tunnel.harness.receive(Messages.header(zlib: guest), from: guestPeer)
        tunnel.harness.receive(Messages.header(zlib: link), from: linkPeer)
        _ = tunnel.harness.take(guestPeer)
        _ = tunnel.harness.take(linkPeer)
        return (tunnel, guestPeer, linkPeer)
    }

    // MARK: Agreements

    @Test(arguments: [true, false])
    func eachSideBelievesInAnAgreement(_ isGuestRaw: Bool) {
        var tunnel = Tunnel()
        let (_, session, guest, link) = tunnel.pair()
        tunnel.harness.receive(Messages.header(zlib: !isGuestRaw), from: guest)
        #expect(tunnel.harness.take(link) == Messages.header(zlib: true))
        tunnel.harness.receive(Messages.header(zlib: isGuestRaw), from: link)
        #expect(tunnel.harness.take(guest) == Messages.header(zlib: !isGuestRaw))
        let (fromGuest, fromLink) = (
            Messages.savestate(Self.state, zlib: !isGuestRaw), Messages.savestate(Self.state, zlib: isGuestRaw)
        )
        tunnel.harness.receive(Messages.input(1) + fromLink + Messages.input(2), from: link)
        tunnel.harness.receive(Messages.input(3) + fromGuest + Messages.input(4), from: guest)
        tunnel.harness.advance(by: .milliseconds(1))
        #expect(tunnel.harness.take(guest) == Messages.input(1) + fromGuest + Messages.input(2))
        #expect(tunnel.harness.take(link) == Messages.input(3) + fromLink + Messages.input(4))
        let events = tunnel.harness.events.compactMap { $0 as? NetplayEvent }
        let id = events.compactMap { if case .sessionOpened(_, let id) = $0 { id } else { nil } }[0]
        #expect(events.last == .pairTranscoded(guest, isGuestRaw: isGuestRaw, session: id))
        let roles = tunnel.harness.engine.rooms(at: tunnel.harness.now)[0].peers.map(\.role)
        #expect(roles == ["host", "transcoded guest"])
        _ = session
    }

    @Test(arguments: [true, false])
    func pairsThatAgreeAreCopied(_ zlib: Bool) {
        var tunnel = Tunnel()
        let (_, _, guest, link) = tunnel.pair()
        let header = Messages.header(zlib: zlib)
        tunnel.harness.receive(header, from: guest)
        // Without zlib the host believes in it, and says itself that it has none.
        #expect(tunnel.harness.take(link) == Messages.header(zlib: true))
        tunnel.harness.receive(header, from: link)
        #expect(tunnel.harness.take(guest) == header)
        #expect(tunnel.harness.engine.transcodings.isEmpty)
        let anything = Messages.savestate(carrying: [1, 2, 3], rawSize: 1 << 30) + [0, 0, 0, 0x42, 1]
        tunnel.harness.receive(anything, from: link)
        #expect(tunnel.harness.take(guest) == anything)
        tunnel.harness.receive(anything, from: guest)
        #expect(tunnel.harness.take(link) == anything)
    }

    @Test(arguments: ["POKE", "RANK", "RXNP", "HTTP/1.1 200 OK and more than a header has", "R"])
    func otherGuestsAreCopied(_ text: String) {
        var tunnel = Tunnel()
        let (_, _, guest, link) = tunnel.pair()
        let said = Array(text.utf8) + [UInt8](repeating: 0, count: 40)
        for byte in said {
            tunnel.harness.receive([byte], from: guest)
            #expect(tunnel.harness.take(link) == [byte])
        }
        let answer = Messages.header(zlib: true) + Messages.savestate(Self.state, zlib: true)
        tunnel.harness.receive(answer, from: link)
        #expect(tunnel.harness.take(guest) == answer)
        #expect(tunnel.harness.engine.transcodings.isEmpty)
    }

    @Test(arguments: ["FULL", "DENY"])
    func refusalsOfAHostAreCopied(_ magic: String) {
        var tunnel = Tunnel()
        let (_, _, guest, link) = tunnel.pair()
        tunnel.harness.receive(Messages.header(zlib: false), from: guest)
        let answer = Messages.header(zlib: true, magic: magic) + [0, 0, 0, 0x42]
        tunnel.harness.receive(answer, from: link)
        #expect(tunnel.harness.take(guest) == answer)
        #expect(tunnel.harness.engine.transcodings.isEmpty)
    }

    @Test func turnedOffEverythingIsCopied() {
        var tunnel = Tunnel { $0.transcode = false }
        let (_, _, guest, link) = tunnel.pair()
        tunnel.harness.receive(Messages.header(zlib: false), from: guest)
        #expect(tunnel.harness.take(link) == Messages.header(zlib: false))
        let answer = Messages.header(zlib: true) + Messages.savestate(Self.state, zlib: true)
        tunnel.harness.receive(answer, from: link)
        #expect(tunnel.harness.take(guest) == answer)
        #expect(tunnel.harness.engine.transcodings.isEmpty)
    }

    // MARK: Headers

    @Test(arguments: [true, false], [true, false])
    func headersPassByteByByte(_ guestHasZlib: Bool, _ linkHasZlib: Bool) {
        for cut in 0...24 {
            var tunnel = Tunnel()
            let (_, _, guest, link) = tunnel.pair()
            let (told, answered) = (Messages.header(zlib: true), Messages.header(zlib: guestHasZlib))
            for (index, byte) in Messages.header(zlib: guestHasZlib).enumerated() where index < cut {
                tunnel.harness.receive([byte], from: guest)
                #expect(tunnel.harness.take(link) == [told[index]], "byte \(index)")
            }
            tunnel.harness.receive(Messages.header(zlib: guestHasZlib)[cut...] + Messages.input(1), from: guest)
            #expect(tunnel.harness.take(link) == told[cut...] + Messages.input(1))
            for (index, byte) in Messages.header(zlib: linkHasZlib).enumerated() where index < cut {
                tunnel.harness.receive([byte], from: link)
                #expect(tunnel.harness.take(guest) == [answered[index]], "byte \(index)")
            }
            let state = Messages.savestate([1, 2, 3], zlib: linkHasZlib)
            tunnel.harness.receive(Messages.header(zlib: linkHasZlib)[cut...] + state, from: link)
            #expect(tunnel.harness.take(guest) == answered[cut...] + Messages.savestate([1, 2, 3], zlib: guestHasZlib))
        }
    }

    /// Hosts before 1.10 speak first. Then the guest is told zlib; one that has none takes that for none.
    @Test(arguments: [true, false], [true, false])
    func hostMaySpeakFirst(_ guestHasZlib: Bool, _ linkHasZlib: Bool) {
        var tunnel = Tunnel()
        let (_, _, guest, link) = tunnel.pair()
        tunnel.harness.receive(Messages.header(zlib: linkHasZlib), from: link)
        #expect(tunnel.harness.take(guest) == Messages.header(zlib: true))
        // No host says so much before it has heard its guest. If it does, nothing is lost.
        let state = Messages.savestate([1, 2, 3], zlib: linkHasZlib)
        tunnel.harness.receive(Messages.input(1) + state, from: link)
        #expect(tunnel.harness.take(guest) == Messages.input(1))
        #expect(tunnel.harness.paused == [link])
        tunnel.harness.receive(Messages.header(zlib: guestHasZlib), from: guest)
        #expect(tunnel.harness.take(link) == Messages.header(zlib: true))
        #expect(tunnel.harness.take(guest) == Messages.savestate([1, 2, 3], zlib: guestHasZlib))
        #expect(tunnel.harness.paused.isEmpty)
    }

    @Test func earlyBytesGoTheSameWay() {
        var tunnel = Tunnel()
        let (host, session) = tunnel.host()
        let early = Messages.header(zlib: false) + Messages.input(1) + Messages.savestate(Self.state, zlib: false)
        let guest = tunnel.guest(of: session, saying: Array(early.prefix(7)))
        tunnel.harness.receive(Array(early.dropFirst(7)), from: guest)
        let link = tunnel.harness.connect(from: "198.51.100.1")
        let opening = Message.link + tunnel.announced(to: host)[0]
        tunnel.harness.receive(opening + Messages.header(zlib: true) + Messages.savestate([7], zlib: true), from: link)
        tunnel.harness.advance(by: .milliseconds(1))
        let expected = Messages.header(zlib: true) + Messages.input(1) + Messages.savestate(Self.state, zlib: true)
        #expect(tunnel.harness.take(link) == expected)
        #expect(tunnel.harness.take(guest) == Messages.header(zlib: false) + Messages.savestate([7], zlib: false))
        #expect(tunnel.harness.paused.isEmpty)
    }

    // MARK: Rules broken

    @Test func brokenSavestateEndsThePair() {
        var (tunnel, guest, link) = Self.pair(guest: false, link: true)
        let broken = Messages.savestate(carrying: [1, 2, 3, 4], rawSize: 100)
        tunnel.harness.receive(Messages.input(1) + broken, from: link)
        #expect(tunnel.reason(link) == "bad_savestate")
        #expect(tunnel.reason(guest) == "partner_left")
        #expect(tunnel.harness.take(guest).starts(with: Messages.input(1)))
        #expect(tunnel.harness.engine.transcodings.isEmpty)
    }

    @Test func tooLargeSavestateEndsThePair() {
        var (tunnel, guest, link) = Self.pair(guest: true, link: false) { $0.maxStateBytes = 1 << 20 }
        let tooLarge = bytes(0x42) + bytes(1 << 20) + bytes(1) + bytes(1 << 20 + 1)
        tunnel.harness.receive(tooLarge, from: guest)
        #expect(tunnel.reason(guest) == "savestate_too_large")
        #expect(tunnel.reason(link) == "partner_left")
    }

    /// States that are being compressed are bounded all together, and what is bounded comes back.
    @Test func statesKeptAreBounded() {
        var tunnel = Tunnel {
            $0.maxStateBytes = 1 << 20
            $0.maxClients = 0
        }
        let (host, session) = tunnel.host()
        let head = bytes(0x42) + bytes(8 + 1000) + bytes(1) + bytes(1000)
        var pairs: [(guest: PeerID, link: PeerID)] = []
        for _ in 0..<40 {
            let guest = tunnel.guest(of: session, saying: Messages.header(zlib: true))
            let link = tunnel.link(for: tunnel.announced(to: host)[0])
            tunnel.harness.receive(Messages.header(zlib: false) + head, from: link)
            pairs.append((guest, link))
        }
        let full = pairs.filter { tunnel.reason($0.link) == "savestates_full" }
        #expect(!full.isEmpty && full.count < pairs.count)
        #expect(tunnel.harness.engine.keptStateBytes <= 4 << 20)
        for (guest, link) in pairs where tunnel.harness.connected.contains(link) {
            tunnel.harness.receive([UInt8](repeating: 5, count: 1000), from: link)
            tunnel.harness.disconnect(guest)
        }
        #expect(tunnel.harness.engine.keptStateBytes == 0)
        #expect(tunnel.harness.engine.transcodings.isEmpty)
    }
}
