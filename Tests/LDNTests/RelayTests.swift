import NIOCore
import RelayCore
import Testing

@testable import LDN

@Suite("LDN relay")
struct RelayTests {
    /// A host and two players, nobody having anything to read.
    private func trio() -> (master: Master, host: PeerID, a: PeerID, b: PeerID) {
        let master = Master()
        let (host, info) = master.host()
        let (a, b) = (master.player(of: info, as: "a").peer, master.player(of: info, as: "b").peer)
        master.forgetHeard(host, a, b)
        return (master, host, a, b)
    }

    @Test("a datagram goes to the player with its address")
    func unicast() throws {
        let (master, host, a, b) = trio()
        let bytes = try PacketVector.bytes(of: "proxydata-udp-unicast")
        master.send(bytes, from: a)
        #expect(master.heardBytes(host) == bytes)
        #expect(master.words(a).isEmpty && master.words(b).isEmpty)
        master.send(.datagram(to: .player(2), "to myself"), from: a)
        #expect(master.words(a) == ["ProxyData 10.114.0.2 10.114.0.2 to myself"])
    }

    @Test("a broadcast goes to all, its sender too")
    func broadcast() throws {
        let (master, host, a, b) = trio()
        let bytes = try PacketVector.bytes(of: "proxydata-udp-broadcast")
        master.send(bytes, from: host)
        for peer in [host, a, b] { #expect(master.heardBytes(peer) == bytes) }
    }

    @Test("a broadcast to 192.168.0.255 goes to all too, and stays what it is; a source of zero is filled in")
    func legacyBroadcast() throws {
        let (master, host, a, b) = trio()
        master.send(try PacketVector.bytes(of: "proxydata-udp-legacy-broadcast"), from: a)
        let routed = try PacketVector.bytes(of: "proxydata-udp-legacy-broadcast-routed")
        for peer in [host, a, b] { #expect(master.heardBytes(peer) == routed) }
    }

    @Test(
        "all four kinds are relayed",
        arguments: ["proxyconnect", "proxydata-tcp", "proxydisconnect", "proxydata-empty"])
    func kinds(name: String) throws {
        let (master, host, a, _) = trio()
        let bytes = try PacketVector.bytes(of: name)
        master.send(bytes, from: a)
        #expect(master.heardBytes(host) == bytes)
    }

    @Test("an answer finds its way back")
    func reply() throws {
        let (master, host, a, _) = trio()
        let bytes = try PacketVector.bytes(of: "proxyconnectreply")
        master.send(bytes, from: host)
        #expect(master.heardBytes(a) == bytes)
    }

    @Test("what is not the sender's own, not whole, for nobody or from outside is passed over")
    func dropping() {
        let (master, host, a, b) = trio()
        master.send(.datagram(from: .player(3), to: .broadcast, "spoofed"), from: a)
        master.send(.datagram(from: .player(9), to: .player(1), "spoofed"), from: a)
        #expect(master.dropped.spoofed == 2)
        master.send(.datagram(to: .broadcast, "ab", length: 3), from: a)
        master.send(.datagram(to: .broadcast, "ab", length: .max), from: a)
        master.send(WireTests.frame(20, Array(repeating: 0, count: 19)), from: a)
        master.send(WireTests.frame(18, Array(repeating: 0, count: 15)), from: a)
        master.send(WireTests.frame(21, Array(repeating: 0, count: 19)), from: a)
        #expect(master.dropped.tooShort == 5)
        master.send(.datagram(to: .player(9), "nobody"), from: a)
        master.send(.datagram(to: .any, "nobody"), from: a)
        #expect(master.dropped.noReceiver == 2)
        let (stranger, _) = master.session()
        master.send(.datagram(to: .broadcast, "outside"), from: stranger)
        master.send(.datagram(to: .broadcast, "unnamed"), from: master.connect())
        master.send(.disconnect(DisconnectMessage()), .datagram(to: .broadcast, "left"), from: b)
        #expect(master.dropped.notRelayed == 3)
        #expect(master.words(host) == ["SyncNetwork host a -b"])
        #expect(master.words(a) == ["SyncNetwork host a -b"])
        // Less data than came is fine.
        master.send(.datagram(to: .player(1), "abc", length: 2), from: a)
        #expect(master.words(host) == ["ProxyData 10.114.0.2 10.114.0.1 abc"])
    }

    @Test("players of other networks hear nothing, whatever the address")
    func isolation() {
        let (master, _, a, _) = trio()
        let (other, info) = master.host(.of("other"))
        let (player, _) = master.player(of: info)
        master.forgetHeard(other)
        master.send(.datagram(to: .broadcast, "x"), .datagram(to: .player(1), "y"), from: a)
        #expect(master.words(other).isEmpty && master.words(player).isEmpty)
    }

    @Test("the bytes that came are the bytes that go, one storage for all who get them")
    func noCopies() throws {
        let master = Master()
        let (host, info) = master.host()
        let (a, _) = master.player(of: info, as: "a")
        var engine = master.engine
        let received = ByteBuffer(bytes: try PacketVector.bytes(of: "proxydata-udp-broadcast"))
        var out = Outbox()
        engine.receive(received, from: host, at: .zero, into: &out)
        try #require(out.count == 2)
        for index in 0..<out.count {
            guard case .forward(let bytes, to: _) = out[index] else {
                Issue.record("not forwarded")
                return
            }
            #expect(Self.start(bytes) == Self.start(received))
        }
        // Where the source has to be filled in, there is one copy.
        out.removeAll()
        let incomplete = ByteBuffer(bytes: try PacketVector.bytes(of: "proxydata-udp-legacy-broadcast"))
        engine.receive(incomplete, from: a, at: .zero, into: &out)
        try #require(out.count == 2)
        guard case .forward(let first, to: _) = out[0], case .forward(let second, to: _) = out[1] else {
            Issue.record("not forwarded")
            return
        }
        #expect(Self.start(first) == Self.start(second) && Self.start(first) != Self.start(incomplete))
        #expect(Array(incomplete.readableBytesView) == (try PacketVector.bytes(of: "proxydata-udp-legacy-broadcast")))
    }

    private static func start(_ bytes: ByteBuffer) -> UnsafeRawPointer? {
        bytes.withUnsafeReadableBytes { $0.baseAddress }
    }
}
