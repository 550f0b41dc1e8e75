import NIOCore
import RelayCore
import Testing

@testable import LDN

@Suite("LDN sessions")
struct SessionTests {
    @Test("a client that comes for the first time is given an id and a local MAC address, each another")
    func initialize() {
        let master = Master()
        let identities = (0..<100).map { _ in master.session().identity }
        #expect(Set(identities.map(\.id)).count == 100)
        #expect(Set(identities.map(\.macAddress)).count == 100)
        #expect(identities.allSatisfy { $0.macAddress.octet(0) & 3 == 2 && $0.id != .zero })
    }

    @Test("a second Initialize is passed over")
    func twice() {
        let master = Master()
        let (peer, _) = master.session()
        master.send(.initialize(InitializeMessage()), from: peer)
        #expect(master.words(peer).isEmpty)
        #expect(master.dropped.unexpected == 1)
    }

    @Test("a client that returns gets its MAC address again, under a new id")
    func returning() {
        let master = Master()
        let (first, identity) = master.session()
        master.disconnect(first)
        let (second, again) = master.session(showing: identity)
        #expect(again.macAddress == identity.macAddress)
        #expect(again.id != identity.id)
        master.disconnect(second)
        // Only its last id counts.
        #expect(master.session(showing: identity).identity.macAddress != identity.macAddress)
        #expect(master.session(showing: again).identity.macAddress == identity.macAddress)
    }

    @Test("nobody else gets a MAC address by asking for it")
    func notMine() throws {
        let master = Master()
        let (first, identity) = master.session()
        // The session lasts: whoever shows its identity is somebody else.
        #expect(master.session(showing: identity).identity.macAddress != identity.macAddress)
        master.disconnect(first)
        var guess = identity
        guess.id = ClientID(high: identity.id.high, low: identity.id.low ^ 1)
        #expect(master.session(showing: guess).identity.macAddress != identity.macAddress)
        // What one console firmware sends, all of them alike.
        var fixed = InitializeMessage()
        fixed.macAddress = MACAddress(high: 0, low: 0x0200_5E00_5301)
        let given = (0..<3).map { _ in master.session(showing: fixed).identity.macAddress }
        #expect(Set(given).count == 3 && !given.contains(fixed.macAddress))
    }

    @Test("MAC addresses are remembered for so long, and of so many")
    func memory() {
        let master = Master { $0.maxRememberedClients = 3 }
        let clients = (0..<5).map { _ in master.session() }
        for client in clients { master.disconnect(client.peer) }
        #expect(master.engine.macs.count == 3)
        #expect(master.session(showing: clients[1].identity).identity.macAddress != clients[1].identity.macAddress)
        #expect(master.session(showing: clients[4].identity).identity.macAddress == clients[4].identity.macAddress)
        master.pass(.seconds(8 * 86_400))
        #expect(master.session(showing: clients[3].identity).identity.macAddress != clients[3].identity.macAddress)
    }

    @Test("the memory does not grow with clients that come and go")
    func comingAndGoing() {
        let master = Master { $0.maxRememberedClients = 10 }
        var shown = InitializeMessage()
        for round in 0..<2000 {
            let (peer, identity) = master.session(showing: round.isMultiple(of: 3) ? InitializeMessage() : shown)
            shown = identity
            master.disconnect(peer)
            #expect(master.engine.macs.count <= 11)
        }
    }

    @Test("what comes before Initialize is answered as it must be")
    func early() {
        let master = Master()
        let (_, info) = master.host()
        let peer = master.connect()
        master.send(.scan(ScanFilter()), from: peer)
        #expect(master.words(peer) == ["ScanReply host", "ScanReplyEnd"])
        master.send(.createAccessPoint(.of("x"), advertiseData: ByteBuffer()), from: peer)
        #expect(master.words(peer) == ["NetworkError -1"])
        master.send(.createAccessPoint(.p2p(), advertiseData: ByteBuffer()), from: peer)
        #expect(master.words(peer) == ["NetworkError -1"])
        #expect(master.probes.isEmpty)
        master.send(.connect(.to(info)), from: peer)
        #expect(master.words(peer) == ["NetworkError 5"])
        master.send(.connectPrivate(.to(info.networkID.sessionID)), from: peer)
        #expect(master.words(peer) == ["NetworkError 5"])
        master.send(.pinging(1, 4), from: peer)
        #expect(master.words(peer) == ["Ping 1 4"])
    }

    @Test("a client need not wait for the answer to its Initialize")
    func impatient() {
        let master = Master()
        let peer = master.connect()
        master.send(
            .passphrase(.of("")), .initialize(InitializeMessage()), .scan(ScanFilter()),
            .createAccessPoint(.of("a"), advertiseData: ByteBuffer()), from: peer)
        let words = master.words(peer)
        #expect(words.dropFirst() == ["ScanReplyEnd", "ProxyConfig 10.114.0.1 255.255.0.0", "Connected a"])
    }

    @Test("a silent client is pinged, and parted from when it stays silent")
    func silent() {
        let master = Master()
        let (peer, _) = master.session()
        master.pass(.milliseconds(9999))
        #expect(master.words(peer).isEmpty)
        master.pass(.milliseconds(1))
        #expect(master.words(peer) == ["Ping 0 0"])
        master.pass(.milliseconds(9999))
        #expect(master.closed(peer) == nil)
        master.pass(.milliseconds(1))
        #expect(master.closed(peer) == "unanswered_ping")
    }

    @Test("any packet shows that a client lives")
    func alive() {
        let master = Master()
        let (peer, _) = master.session()
        for id in 0..<300 {
            master.pass(.seconds(10))
            #expect(master.words(peer) == ["Ping 0 \(id % 256)"])
            master.pass(.seconds(5))
            if id.isMultiple(of: 2) {
                master.send(.pinging(0, UInt8(id % 256)), from: peer)
                #expect(master.words(peer).isEmpty)
            } else {
                master.send(.scan(ScanFilter()), from: peer)
                #expect(master.words(peer) == ["ScanReplyEnd"])
            }
        }
        #expect(master.closed(peer) == nil)
    }

    @Test("a busy client is never pinged")
    func busy() {
        let master = Master()
        let (peer, _) = master.session()
        for _ in 0..<30 {
            master.pass(.seconds(7))
            master.send(.passphrase(.of("")), from: peer)
        }
        #expect(master.words(peer).isEmpty)
    }

    @Test("a packet that never ends shows nothing")
    func trickle() {
        let master = Master()
        let (peer, _) = master.session()
        let packet = Packet.scan(ScanFilter()).encoded.readableBytesView
        for byte in packet.prefix(25) {
            guard master.connected.contains(peer) else { break }
            master.send([byte], from: peer)
            master.pass(.seconds(1))
        }
        #expect(master.closed(peer) == "unanswered_ping")
    }

    @Test("a client's own pings come straight back")
    func clientPings() {
        let master = Master()
        let (peer, _) = master.session()
        master.send(.pinging(1, 9), .pinging(1, 255), .pinging(7, 0), from: peer)
        #expect(master.words(peer) == ["Ping 1 9", "Ping 1 255", "Ping 7 0"])
    }

    @Test(
        "a passphrase is one that the clients make, or none",
        arguments: [
            ("", true), ("Ryujinx-0badf00d", false), ("Ryujinx-12345678\u{0}junk", false), ("Ryujinx-0BADF00D", true),
            ("Ryujinx-0badf00", true), ("Ryujinx-0badf00d0", true), ("ryujinx-0badf00d", true), ("Ryujinx-", true),
            ("Ryujinx-0badf00g", true), ("0badf00d", true), ("\u{0}Ryujinx-0badf00d", true), ("Ryujinx-+badf00d", true),
        ])
    func passphrases(text: String, isPublic: Bool) {
        #expect(Passphrase(.of(text)).isPublic == isPublic)
        // Behind a NUL a message has room for rubbish; what somebody types has not.
        #expect((Passphrase(text) == nil) == (isPublic || text.contains("\u{0}")))
    }

    @Test(
        "a passphrase is said as it is read", arguments: ["Ryujinx-0badf00d", "Ryujinx-00000000", "Ryujinx-ffffffff"])
    func passphraseText(text: String) {
        #expect(Passphrase(text)?.description == text)
        #expect((Passphrase(text)?.message).map { Passphrase($0) } == Passphrase(text))
        #expect(Passphrase.none.description.isEmpty && Passphrase(Passphrase.none.message) == .none)
    }

    @Test("different passphrases differ, those with rubbish behind their NUL do not")
    func passphraseEquality() {
        #expect(Passphrase(.of("Ryujinx-00000001")) != Passphrase(.of("Ryujinx-00000002")))
        #expect(Passphrase(.of("Ryujinx-00000000")) != Passphrase(.of("")))
        #expect(Passphrase(.of("Ryujinx-0000000a\u{0}x")) == Passphrase(.of("Ryujinx-0000000a")))
    }

    @Test("there are at most so many sessions, of all and of one address; those of a /64 count together")
    func sessionLimits() {
        let master = Master {
            $0.maxSessions = 4
            $0.maxSessionsPerAddress = 2
        }
        let first = master.connect(from: "192.0.2.1")
        _ = master.connect(from: "::ffff:192.0.2.1")
        #expect(master.closed(master.connect(from: "192.0.2.1")) == "address_sessions_full")
        _ = master.connect(from: "2001:db8::1")
        _ = master.connect(from: "2001:db8::2")
        #expect(master.closed(master.connect(from: "192.0.2.9")) == "sessions_full")
        master.disconnect(first)
        #expect(master.closed(master.connect(from: "2001:db8::3")) == "address_sessions_full")
        #expect(master.closed(master.connect(from: "192.0.2.1")) == nil)
    }

    @Test("an address that sends too much loses the session that does it")
    func bytes() {
        let master = Master { $0.byteRate = TokenBucket.Rate(perSecond: 1000, burst: 2000) }
        let (other, _) = master.session(from: "192.0.2.2")
        let (peer, _) = master.session(from: "192.0.2.1")
        for _ in 0..<50 where master.connected.contains(peer) {
            master.send(.passphrase(.of("")), from: peer)
        }
        #expect(master.closed(peer) == "too_many_bytes")
        #expect(master.connected.contains(other))
        master.pass(.seconds(3))
        let (again, _) = master.session(from: "192.0.2.1")
        for _ in 0..<60 {
            master.send(.passphrase(.of("")), from: again)
            master.pass(.milliseconds(200))
        }
        #expect(master.closed(again) == nil)
    }

    @Test("nobody who is turned away is told a number that some client reads as another error")
    func refusalsWithoutWords() {
        var engine = Master().engine
        for refusal in Admission.Refusal.allCases where refusal != .banned {
            #expect(engine.words(for: refusal, because: "") == nil)
        }
        var rejected = NetworkErrorMessage()
        rejected.error = .connectRejected
        #expect(engine.words(for: .banned, because: "floods") == Packet.networkError(rejected).encoded)
    }

    @Test("new settings reach sessions that exist")
    func reconfigure() {
        let master = Master()
        let (peer, info) = master.host()
        master.reconfigure {
            $0.maxNetworks = 1
            $0.enforceAcceptPolicy = false
        }
        let (other, _) = master.session()
        master.send(.createAccessPoint(.of("x"), advertiseData: ByteBuffer()), from: other)
        #expect(master.words(other) == ["NetworkError -1"])
        master.send(.policy(.rejectAll), from: peer)
        master.send(.connect(.to(info, as: "x")), from: other)
        #expect(master.words(other).last == "Connected host x")
    }
}
