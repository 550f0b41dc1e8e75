import NIOCore
import RelayCore
import Testing

@testable import LDN

@Suite("LDN membership")
struct MembershipTests {
    @Test("a joiner is told its address before the network, the others what it is like now")
    func joining() {
        let master = Master()
        let (host, info) = master.host()
        let (first, _) = master.player(of: info, as: "a")
        master.forgetHeard(host, first)
        let (second, _) = master.session()
        master.send(.connect(.to(info, as: "b")), from: second)
        #expect(master.words(second) == ["ProxyConfig 10.114.0.3 255.255.0.0", "Connected host a b"])
        #expect(master.words(first) == ["SyncNetwork host a b"])
        #expect(master.words(host) == ["SyncNetwork host a b"])
    }

    @Test("both forms of both requests lead in")
    func forms() {
        let master = Master()
        let (_, info) = master.host()
        let (a, b, c, d) = (
            master.session().peer, master.session().peer, master.session().peer, master.session().peer
        )
        var packed = ConnectRequest.to(info, as: "a")
        packed.isPacked = true
        master.send(.connect(packed), from: a)
        master.send(.connect(.to(info, as: "b")), from: b)
        var packedPrivate = ConnectPrivateRequest.to(info.networkID.sessionID)
        packedPrivate.isPacked = true
        packedPrivate.userConfig.userName = ByteBuffer(string: "c")
        master.send(.connectPrivate(packedPrivate), from: c)
        master.send(.connectPrivate(.to(info.networkID.sessionID)), from: d)
        #expect(master.words(d).last == "Connected host a b c ")
    }

    @Test("what a joiner cannot join, and what it is told")
    func refusals() {
        let master = Master()
        let (host, info) = master.host(.of("h", most: 2))
        func answer(_ request: ConnectRequest, passphrase: String = "") -> [String] {
            let (peer, _) = master.session(passphrase: passphrase)
            master.send(.connect(request), from: peer)
            return master.words(peer)
        }
        var unknown = info
        unknown.networkID.sessionID = SessionID(high: 1, low: 2)
        #expect(answer(.to(unknown)) == ["NetworkError 6"])
        #expect(answer(.to(info), passphrase: "Ryujinx-00000000") == ["NetworkError 6"])
        #expect(answer(.to(info, version: 514)) == ["NetworkError 3"])
        #expect(answer(.to(info, version: 516)) == ["NetworkError 4"])
        // Compared as the 32 bits that came, not as the 16 that are kept.
        #expect(answer(.to(info, version: 515 + 65536)) == ["NetworkError 4"])
        master.send(.policy(.rejectAll), from: host)
        #expect(answer(.to(info)) == ["NetworkError 8"])
        for policy in [AcceptPolicy.blackList, .whiteList, .acceptAll] {
            master.send(.policy(policy), from: host)
            let (peer, _) = master.session()
            master.send(.connect(.to(info, as: "x")), from: peer)
            #expect(master.words(peer).last?.hasPrefix("Connected h") == true)
            #expect(answer(.to(info)) == ["NetworkError 2"])
            master.disconnect(peer)
        }
        #expect(
            Set(master.events).isSuperset(of: [
                "network_unknown", "version_too_low", "version_too_high", "network_rejects_all", "network_full",
            ]))
    }

    @Test("a passphrase keeps strangers out of private networks too")
    func passphrases() {
        let master = Master()
        let id = SessionID(high: 3, low: 4)
        let (host, _) = master.session(passphrase: "Ryujinx-0badf00d")
        master.send(.createAccessPointPrivate(.of(id), advertiseData: ByteBuffer()), from: host)
        let (peer, _) = master.session()
        master.send(.connectPrivate(.to(id)), from: peer)
        #expect(master.words(peer) == ["NetworkError 6"])
        master.send(.passphrase(.of("Ryujinx-0badf00d")), .connectPrivate(.to(id)), from: peer)
        #expect(master.words(peer).last == "Connected host ")
        // The network keeps what its host had when it opened it.
        master.send(.passphrase(.of("")), from: host)
        let (other, _) = master.session(passphrase: "Ryujinx-0badf00d")
        master.send(.connectPrivate(.to(id)), from: other)
        #expect(master.words(other).last == "Connected host  ")
    }

    @Test("an address that joins too often is told so")
    func rate() {
        let master = Master { $0.joinRate = TokenBucket.Rate(perSecond: 1, burst: 2) }
        let (_, info) = master.host()
        let (peer, _) = master.session(from: "192.0.2.1")
        for _ in 0..<3 { master.send(.connect(.to(info)), from: peer) }
        #expect(master.words(peer).last == "NetworkError 5")
        #expect(master.player(of: info, from: "192.0.2.2").info.ldn.nodeCount == 3)
    }

    @Test("who joins while it is in a network leaves that first")
    func moving() {
        let master = Master()
        let (host, info) = master.host()
        let (other, elsewhere) = master.host(.of("other"))
        let (peer, _) = master.player(of: info)
        master.forgetHeard(host)
        master.send(.connect(.to(elsewhere, as: "p")), from: peer)
        #expect(master.words(peer).last == "Connected other p")
        #expect(master.words(host) == ["SyncNetwork host -player"])
        // The same one again: one place, not two.
        master.send(.connect(.to(elsewhere, as: "p")), from: peer)
        #expect(master.words(peer).last == "Connected other p")
        master.forgetHeard(other)
        master.disconnect(peer)
        #expect(master.words(other) == ["SyncNetwork other -p"])
    }

    @Test("a host that joins its own network ends it, and so does one that joins another")
    func hostMoving() {
        let master = Master()
        let (host, info) = master.host()
        let (player, _) = master.player(of: info)
        master.forgetHeard(host)
        master.send(.connect(.to(info)), from: host)
        #expect(master.words(host) == ["NetworkError 6"])
        #expect(master.words(player) == ["SyncNetwork -host player", "Disconnect"])
        #expect(master.engine.roomCount == 0)
        master.disconnect(host)
        master.disconnect(player)
    }

    @Test("places are filled from the lowest, addresses never twice in a row")
    func places() {
        let master = Master()
        let (host, info) = master.host()
        let (a, b) = (master.player(of: info, as: "a").peer, master.player(of: info, as: "b").peer)
        master.disconnect(a)
        master.disconnect(b)
        master.forgetHeard(host)
        let (peer, _) = master.session()
        master.send(.connect(.to(info, as: "c")), from: peer)
        #expect(master.words(peer) == ["ProxyConfig 10.114.0.4 255.255.0.0", "Connected host c -b"])
        #expect(master.words(host) == ["SyncNetwork host c -b"])
    }

    @Test("a player behind a hole goes like any other: no ghosts")
    func ghosts() {
        let master = Master()
        let (host, info) = master.host()
        let (a, b) = (master.player(of: info, as: "a").peer, master.player(of: info, as: "b").peer)
        master.disconnect(a)
        master.forgetHeard(host, b)
        master.disconnect(b)
        guard case .syncNetwork(let last)? = master.heard(host).last else {
            Issue.record("no SyncNetwork")
            return
        }
        #expect(last.places == "host -a -b" && last.ldn.nodeCount == 1)
        // What stood in the places stays.
        #expect(last.ldn.nodes[2].userName.nulTerminatedText == "b" && last.ldn.nodes[2].macAddress != .zero)
    }

    @Test("a player that leaves is told nothing and stays connected")
    func leaving() {
        let master = Master()
        let (host, info) = master.host()
        let (peer, _) = master.player(of: info)
        master.forgetHeard(host)
        var message = DisconnectMessage()
        message.disconnectIP = 0xDEAD_BEEF
        master.send(.disconnect(message), from: peer)
        #expect(master.words(peer).isEmpty && master.connected.contains(peer))
        #expect(master.words(host) == ["SyncNetwork host -player"])
        master.send(.disconnect(message), from: peer)
        #expect(master.words(host).isEmpty)
    }

    @Test("when the host goes, all are out, and free for other networks", arguments: [true, false])
    func hostGone(connectionEnds: Bool) {
        let master = Master()
        let (host, info) = master.host()
        let (a, b) = (master.player(of: info, as: "a").peer, master.player(of: info, as: "b").peer)
        master.forgetHeard(a, b)
        if connectionEnds { master.disconnect(host) } else { master.send(.disconnect(DisconnectMessage()), from: host) }
        for peer in [a, b] { #expect(master.words(peer) == ["SyncNetwork -host a b", "Disconnect"]) }
        #expect(master.engine.roomCount == 0)
        master.send(.createAccessPoint(.of("a"), advertiseData: ByteBuffer()), from: a)
        #expect(master.words(a).last == "Connected a")
        master.send(.scan(ScanFilter()), from: b)
        #expect(master.words(b) == ["ScanReply a", "ScanReplyEnd"])
    }

    @Test("only the host changes a network, and all are told, the host too")
    func changes() {
        let master = Master()
        let (host, info) = master.host()
        let (peer, _) = master.player(of: info)
        master.forgetHeard(host)
        master.send(.policy(.rejectAll), .setAdvertiseData(ByteBuffer(string: "x")), from: peer)
        #expect(master.words(host).isEmpty && master.words(peer).isEmpty)
        #expect(master.dropped.notHost == 2)
        master.send(.policy(.rejectAll), from: host)
        for member in [host, peer] {
            guard case .syncNetwork(let now)? = master.heard(member).first else {
                Issue.record("no SyncNetwork")
                return
            }
            #expect(now.ldn.stationAcceptPolicy == .rejectAll)
        }
    }

    @Test("a host cannot flood its players with changes")
    func changeRate() {
        let master = Master { $0.changeRate = TokenBucket.Rate(perSecond: 1, burst: 5) }
        let (host, info) = master.host()
        let (peer, _) = master.player(of: info)
        for _ in 0..<10 where master.connected.contains(host) {
            master.send(.setAdvertiseData(ByteBuffer()), from: host)
        }
        #expect(master.closed(host) == "too_many_changes")
        #expect(master.words(peer).last == "Disconnect")
    }

    @Test("a rejected player is told so, is out, and can come back")
    func rejecting() {
        let master = Master()
        let (host, info) = master.host()
        let (a, b) = (master.player(of: info, as: "a").peer, master.player(of: info, as: "b").peer)
        master.forgetHeard(host, a, b)
        // With a hole before it: places count, not players.
        master.disconnect(a)
        master.forgetHeard(host, b)
        master.send(.rejecting(2, .rejected), from: host)
        #expect(master.words(b) == ["Reject 2 5", "Disconnect"])
        #expect(master.words(host) == ["SyncNetwork host -a -b", "RejectReply"])
        master.send(.connect(.to(info, as: "b")), from: b)
        #expect(master.words(b).last == "Connected host b -b")
    }

    @Test("a P2P host that rejects a player is told that it left the proxy")
    func rejectingP2P() {
        let master = Master()
        let (host, info) = master.host(.p2p())
        let (peer, _) = master.player(of: info, as: "a")
        master.forgetHeard(host)
        master.send(.rejecting(1), from: host)
        #expect(master.words(peer) == ["Reject 1 5", "Disconnect"])
        #expect(
            master.words(host) == ["ExternalProxyState 10.114.0.2 false", "SyncNetwork host -a", "RejectReply"])
    }

    @Test("nobody is put out where nobody is, nor by somebody else", arguments: [0, 2, 7, 8, 255, .max] as [UInt32])
    func rejectFailed(nodeID: UInt32) {
        let master = Master()
        let (host, info) = master.host()
        let (peer, _) = master.player(of: info)
        master.forgetHeard(host)
        master.send(.rejecting(nodeID), from: host)
        #expect(master.words(host) == ["NetworkError 9", "RejectReply"])
        master.send(.rejecting(0), from: peer)
        #expect(master.words(peer) == ["NetworkError 9", "RejectReply"])
        #expect(master.words(host).isEmpty)
    }

    @Test("an operator sees networks with their players")
    func rooms() throws {
        let master = Master()
        let (host, info) = master.host(.of("Zo\u{EB}<script>"))
        _ = master.player(of: info, as: "b")
        let (_, p2p) = master.host(.p2p(), from: "192.0.2.1")
        let rooms = master.rooms.sorted { $0.peers.count > $1.peers.count }
        #expect(rooms.map(\.id) == [info, p2p].map(\.networkID.sessionID.description))
        #expect(rooms.map(\.mode) == ["relay", "p2p"])
        try #require(rooms.count == 2)
        #expect(rooms[0].peers.map(\.name) == ["Zo\u{EB}script", "b"])
        #expect(rooms[0].peers.map(\.role) == ["host", "player"])
        #expect(rooms[0].peers[0].peer == host.description)
    }
}
