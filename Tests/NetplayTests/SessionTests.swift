import Netplay
import RelayCore
import RelayTesting
import Testing

@Suite("Tunnel sessions")
struct SessionTests {
    private let header = [UInt8]("RANP".utf8) + [UInt8](repeating: 7, count: 20)

    @Test func hostGetsAnID() {
        var tunnel = Tunnel()
        let host = tunnel.harness.connect()
        tunnel.harness.receive(Message.openSession, from: host)
        let reply = tunnel.harness.take(host)
        #expect(reply.count == 16)
        #expect(reply.starts(with: Message.session))
        #expect(!reply.hasSuffix(Message.none))
        #expect(tunnel.harness.engine.roomCount == 1)
    }

    @Test func guestWhoseBytesComeEarlyIsLinkedInOrder() {
        var tunnel = Tunnel()
        let (host, session) = tunnel.host()
        let guest = tunnel.guest(of: session, saying: header)
        tunnel.harness.receive([1, 2, 3], from: guest)
        #expect(tunnel.harness.take(guest).isEmpty)
        let notices = tunnel.announced(to: host)
        #expect(notices.count == 1)
        let link = tunnel.harness.connect(from: "198.51.100.1")
        tunnel.harness.receive(Message.link + notices[0] + [9], from: link)
        #expect(tunnel.harness.take(link) == header + [1, 2, 3])
        #expect(tunnel.harness.take(guest) == [9])
        tunnel.harness.receive([4], from: guest)
        tunnel.harness.receive([5], from: link)
        #expect(tunnel.harness.take(link) == [4])
        #expect(tunnel.harness.take(guest) == [5])
    }

    @Test func everythingMayComeByteByByte() {
        var tunnel = Tunnel()
        let host = tunnel.harness.connect()
        for byte in Message.openSession { tunnel.harness.receive([byte], from: host) }
        let session = Array(tunnel.harness.take(host).dropFirst(4))
        let guest = tunnel.harness.connect()
        for byte in Message.session + session + header {
            tunnel.harness.advance(by: .milliseconds(20))
            tunnel.harness.receive([byte], from: guest)
        }
        let id = tunnel.announced(to: host)[0]
        for byte in Message.address + id { tunnel.harness.receive([byte], from: host) }
        #expect(tunnel.harness.take(host).starts(with: Message.address + id))
        let link = tunnel.harness.connect()
        for byte in Message.link + id { tunnel.harness.receive([byte], from: link) }
        #expect(tunnel.harness.take(link) == header)
    }

    @Test func addressAnswers() {
        var tunnel = Tunnel()
        let (host, session) = tunnel.host(from: "198.51.100.1")
        let (_, otherSession) = tunnel.host(from: "198.51.100.2")
        let mapped = [UInt8](repeating: 0, count: 10) + [255, 255]
        let guest = tunnel.guest(of: session, from: "203.0.113.9")
        let guestID = tunnel.announced(to: host)[0]
        let six = tunnel.guest(of: session, from: "2001:db8::5")
        let sixID = tunnel.announced(to: host)[0]

        func answer(_ id: [UInt8]) -> [UInt8] {
            tunnel.harness.receive(Message.address + id, from: host)
            return tunnel.harness.take(host)
        }
        let guestAnswer = Message.address + guestID + mapped + [203, 0, 113, 9]
        #expect(answer(guestID) == guestAnswer)
        #expect(
            answer(sixID) == Message.address + sixID + [0x20, 1, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [5])
        #expect(answer(Message.none) == Message.address + Message.none + mapped + [198, 51, 100, 1])
        let unknown = Message.address + [UInt8](repeating: 0, count: 28)
        #expect(answer([UInt8](repeating: 3, count: 12)) == unknown)
        #expect(answer(otherSession) == unknown)
        _ = tunnel.link(for: guestID)
        #expect(answer(guestID) == guestAnswer)
        tunnel.harness.disconnect(guest)
        tunnel.harness.disconnect(six)
        #expect(answer(guestID) == unknown)
    }

    @Test func guestsOfOtherSessionsHaveNoAddressForMe() {
        var tunnel = Tunnel()
        let (host, _) = tunnel.host()
        let (other, session) = tunnel.host()
        _ = tunnel.guest(of: session)
        let id = tunnel.announced(to: other)[0]
        tunnel.harness.receive(Message.address + id, from: host)
        #expect(tunnel.harness.take(host) == Message.address + [UInt8](repeating: 0, count: 28))
    }

    @Test func bareNetplayIsAnsweredInItsOwnWords() {
        var tunnel = Tunnel()
        let peer = tunnel.harness.connect()
        tunnel.harness.receive(header, from: peer)
        #expect(tunnel.harness.take(peer) == Array("RANP".utf8) + [UInt8](repeating: 0, count: 20))
        #expect(tunnel.reason(peer) == "bare_netplay")
    }

    @Test(arguments: ["GET / HTTP/1.1\r\n", "RATA000000000000", "RATP", "POKE"])
    func otherOpeningsAreClosed(_ text: String) {
        var tunnel = Tunnel()
        let peer = tunnel.harness.connect()
        tunnel.harness.receive(Array(text.utf8), from: peer)
        #expect(tunnel.reason(peer) == "unknown_opening")
        #expect(tunnel.harness.take(peer).isEmpty)
    }

    @Test func deadAndForeignIDsAreClosed() {
        var tunnel = Tunnel()
        let (host, session) = tunnel.host()
        let guest = tunnel.guest(of: session)
        let guestID = tunnel.announced(to: host)[0]
        let joinsAGuest = tunnel.guest(of: guestID)
        #expect(tunnel.reason(joinsAGuest) == "unknown_session")
        let linksNobody = tunnel.link(for: Message.none)
        #expect(tunnel.reason(linksNobody) == "unknown_guest")
        let linksASession = tunnel.link(for: session)
        #expect(tunnel.reason(linksASession) == "unknown_guest")
        tunnel.harness.disconnect(host)
        #expect(tunnel.reason(guest) == "host_left")
        let late = tunnel.guest(of: session)
        #expect(tunnel.reason(late) == "unknown_session")
        #expect(tunnel.harness.engine.roomCount == 0)
    }

    @Test func secondLinkForAGuestLoses() {
        var tunnel = Tunnel()
        let (host, session) = tunnel.host()
        let guest = tunnel.guest(of: session)
        let id = tunnel.announced(to: host)[0]
        let winner = tunnel.link(for: id)
        let loser = tunnel.link(for: id)
        #expect(tunnel.reason(loser) == "unknown_guest")
        tunnel.harness.receive([1], from: winner)
        #expect(tunnel.harness.take(guest) == [1])
    }

    @Test func unknownWordEndsTheSession() {
        var tunnel = Tunnel()
        let (host, session) = tunnel.host()
        let guest = tunnel.guest(of: session)
        tunnel.harness.receive(Array("WHAT".utf8), from: host)
        #expect(tunnel.reason(host) == "unknown_word")
        #expect(tunnel.reason(guest) == "host_left")
    }

    @Test func sessionsAreBounded() {
        var tunnel = Tunnel { $0.maxSessions = 2 }
        let (first, _) = tunnel.host()
        _ = tunnel.host()
        let third = tunnel.harness.connect()
        tunnel.harness.receive(Message.openSession, from: third)
        #expect(tunnel.reason(third) == "sessions_full")
        tunnel.harness.disconnect(first)
        #expect(tunnel.host().session.count == 12)
    }

    @Test func membersAreBoundedAndTheHostIsOne() {
        var tunnel = Tunnel()
        let (_, session) = tunnel.host()
        let guests = (0..<7).map { _ in tunnel.guest(of: session) }
        #expect(guests.allSatisfy { tunnel.reason($0) == nil })
        let eighth = tunnel.guest(of: session)
        #expect(tunnel.reason(eighth) == "session_full")
        tunnel.harness.disconnect(guests[0])
        let next = tunnel.guest(of: session)
        #expect(tunnel.reason(next) == nil)
    }

    @Test func waitingGuestsOfOneAddressAreBounded() {
        var tunnel = Tunnel {
            $0.maxClients = 0
            $0.maxPendingPerAddress = 3
        }
        let (host, session) = tunnel.host()
        let crowd = (0..<3).map { _ in tunnel.guest(of: session, from: "203.0.113.1") }
        let another = tunnel.guest(of: session, from: "203.0.113.1")
        #expect(tunnel.reason(another) == "address_pending")
        let neighbour = tunnel.guest(of: session, from: "203.0.113.2")
        #expect(tunnel.reason(neighbour) == nil)
        _ = tunnel.link(for: tunnel.announced(to: host)[0])
        let later = tunnel.guest(of: session, from: "203.0.113.1")
        #expect(tunnel.reason(later) == nil)
        #expect(crowd.allSatisfy { tunnel.reason($0) == nil })
    }

    @Test func hostIsToldOfNoMoreGuestsThanItCanLink() {
        var tunnel = Tunnel { $0.maxClients = 0 }
        let (host, session) = tunnel.host()
        let guests = (0..<20).map { _ in tunnel.guest(of: session) }
        var ids = tunnel.announced(to: host)
        #expect(ids.count == 8)
        tunnel.harness.disconnect(guests[0])
        var linked = 1
        while !ids.isEmpty {
            ids += tunnel.announced(to: host)
            let link = tunnel.link(for: ids.removeFirst())
            if tunnel.reason(link) == nil { linked += 1 }
            ids += tunnel.announced(to: host)
        }
        #expect(linked == 20)
    }

    @Test func linkMustComeFromTheHostIfSo() {
        var tunnel = Tunnel { $0.linkFromOwnerOnly = true }
        let (host, session) = tunnel.host(from: "198.51.100.1")
        _ = tunnel.guest(of: session)
        let id = tunnel.announced(to: host)[0]
        let thief = tunnel.link(for: id, from: "192.0.2.66")
        #expect(tunnel.reason(thief) == "foreign_link")
        let link = tunnel.link(for: id, from: "198.51.100.1")
        #expect(tunnel.reason(link) == nil)
    }

    @Test func drainRefusesSessionsAndServesTheOnesThereAre() {
        var tunnel = Tunnel()
        let (host, session) = tunnel.host()
        tunnel.harness.beginDrain()
        let late = tunnel.harness.connect()
        tunnel.harness.receive(Message.openSession, from: late)
        #expect(tunnel.reason(late) == "server_draining")
        let guest = tunnel.guest(of: session)
        let link = tunnel.link(for: tunnel.announced(to: host)[0])
        tunnel.harness.receive([1], from: guest)
        #expect(tunnel.harness.take(link) == [1])
        tunnel.harness.disconnect(host)
        #expect(tunnel.harness.engine.roomCount == 1)
        tunnel.harness.end(guest)
        tunnel.harness.end(link)
        #expect(tunnel.harness.engine.roomCount == 0)
    }

    @Test func stopPartsFromEverybody() {
        var tunnel = Tunnel()
        let (host, session, guest, link) = tunnel.pair()
        let waiting = tunnel.guest(of: session)
        let silent = tunnel.harness.connect()
        tunnel.harness.stop()
        #expect(tunnel.harness.connected.isEmpty)
        #expect([host, guest, link, waiting, silent].allSatisfy { tunnel.harness.closed[$0] != nil })
        #expect(tunnel.harness.engine.nextDeadline == nil)
    }

    @Test func roomsAreShownWithTheirMembers() {
        var tunnel = Tunnel()
        let (_, session, _, _) = tunnel.pair()
        _ = tunnel.guest(of: session)
        let rooms = tunnel.harness.engine.rooms(at: tunnel.harness.now)
        #expect(rooms.count == 1)
        #expect(rooms[0].peers.map(\.role).sorted() == ["guest", "host", "pending guest"])
        #expect(rooms[0].id == base64(session))
    }

    @Test func kickedGuestTakesItsLinkWithItAndNobodyElse() {
        var tunnel = Tunnel()
        let (host, session, guest, link) = tunnel.pair()
        let other = tunnel.guest(of: session)
        tunnel.harness.kick(guest)
        #expect(tunnel.reason(guest) == "kicked")
        #expect(tunnel.reason(link) == "partner_left")
        #expect(tunnel.reason(host) == nil && tunnel.reason(other) == nil)
        tunnel.harness.kick(host)
        #expect(tunnel.reason(host) == "kicked" && tunnel.reason(other) == "host_left")
        #expect(tunnel.harness.engine.roomCount == 0)
    }
}

extension Array where Element: Equatable {
    fileprivate func hasSuffix(_ other: [Element]) -> Bool { suffix(other.count).elementsEqual(other) }
}
