import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import LDN

@Suite("LDN against hostile clients")
struct HostileTests {
    @Test(
        "a malformed stream ends, or is answered as if the fault were not there", arguments: try MalformedVector.all())
    func malformed(_ vector: MalformedVector) throws {
        let outcomes: [String: (closed: String?, words: [String])] = [
            "bad-magic": ("bad_magic", []),
            "bad-magic-byteswapped": ("bad_magic", []),
            "bad-version": ("bad_version", []),
            "negative-size": ("bad_size", []),
            "size-too-big": ("bad_size", []),
            "unknown-id": (nil, ["ScanReply host", "ScanReplyEnd"]),
            "short-payload": (nil, ["ScanReply host", "ScanReplyEnd"]),
            "header-padding-nonzero": (nil, ["ScanReply host", "ScanReplyEnd"]),
            "long-payload": (nil, ["ScanReply host", "ScanReplyEnd"]),
            "ssid-length-200": (nil, ["ScanReplyEnd"]),
            "advertise-440": (nil, []),
            // The second is an answer to a ping, and is not answered.
            "two-in-one": (nil, ["ScanReply host", "ScanReplyEnd"]),
        ]
        let outcome = try #require(outcomes[vector.name])
        for length in [vector.bytes.count, 1, 13] {
            let master = Master()
            _ = master.host()
            let peer = master.connect()
            for start in stride(from: 0, to: vector.bytes.count, by: length) where master.connected.contains(peer) {
                master.send(vector.bytes[start..<min(start + length, vector.bytes.count)], from: peer)
            }
            #expect(master.closed(peer) == outcome.closed)
            #expect(master.words(peer) == outcome.words)
        }
    }

    @Test("what follows a fault in the stream does nothing")
    func afterFault() {
        let master = Master()
        let (_, info) = master.host()
        let (peer, _) = master.session()
        let bytes = Array(Packet.connect(.to(info)).encoded.readableBytesView)
        master.send([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] + bytes, from: peer)
        #expect(master.closed(peer) == "bad_magic")
        #expect(master.rooms.first?.peers.count == 1)
    }

    @Test("NodeCountMax 255 and a ninth player")
    func ninthPlayer() {
        let master = Master()
        let (_, info) = master.host(.of("h", most: 255))
        for number in 0..<7 { #expect(master.player(of: info, as: "\(number)").info.ldn.nodeCount == number + 2) }
        let (ninth, _) = master.session()
        master.send(.connect(.to(info)), from: ninth)
        #expect(master.words(ninth) == ["NetworkError 2"])
        master.send(.scan(ScanFilter()), from: ninth)
        #expect(master.words(ninth) == ["ScanReply h 0 1 2 3 4 5 6", "ScanReplyEnd"])
    }

    @Test("joining one's own network again and leaving")
    func joiningTwice() {
        let master = Master()
        let (host, info) = master.host()
        let (peer, _) = master.player(of: info)
        for _ in 0..<20 { master.send(.connect(.to(info)), from: peer) }
        #expect(master.rooms.first?.peers.count == 2)
        master.disconnect(peer)
        master.send(.connect(.to(info)), from: host)
        master.disconnect(host)
        #expect(master.rooms.isEmpty)
    }

    @Test("hundreds of clients that say Initialize and go")
    func comeAndGo() {
        let master = Master()
        for _ in 0..<1000 {
            let peer = master.connect()
            master.send(.initialize(InitializeMessage()), from: peer)
            master.disconnect(peer)
        }
        #expect(master.session().identity.macAddress != .zero)
        #expect(master.engine.sessions.count == 1)
    }

    @Test("all players of a network going at once, in any order")
    func allAtOnce() {
        for seed in UInt64(0)..<50 {
            var random = RandomSource.seeded(seed)
            let master = Master()
            let (host, info) = master.host(seed.isMultiple(of: 2) ? .of("h") : .p2p())
            var peers = [host] + (0..<7).map { master.player(of: info, as: "\($0)").peer }
            peers.shuffle(using: &random)
            for peer in peers { master.disconnect(peer) }
            #expect(master.rooms.isEmpty && master.engine.sessions.count == 0)
            #expect(master.engine.nextDeadline == nil)
        }
    }

    @Test("sizes that overflow")
    func overflow() {
        for size in [Int32.max, Int32.max - 11, 131_060, -1, .min] {
            let master = Master()
            let peer = master.connect()
            master.send(WireTests.header(10, Int(size)), from: peer)
            #expect(master.closed(peer) == "bad_size")
        }
    }

    @Test("three joiners that wait for nothing stall nobody")
    func waitingStallsNobody() {
        let master = Master()
        let (host, info) = master.host()
        let waiting = (0..<3).map { _ in master.session().peer }
        for peer in waiting { master.send(.createAccessPoint(.p2p(), advertiseData: ByteBuffer()), from: peer) }
        #expect(master.player(of: info).info.places == "host player")
        master.forgetHeard(host)
        master.send(.datagram(to: .player(1), "x"), from: host)
        #expect(master.words(host) == ["ProxyData 10.114.0.1 10.114.0.1 x"])
    }

    @Test("every packet of the wire, from clients in every state, in any order and mutated")
    func anything() throws {
        let vectors = try PacketVector.all().map(\.bytes)
        for seed in UInt64(0)..<60 {
            var random = RandomSource.seeded(seed)
            let master = Master(seed: seed)
            var peers: [PeerID] = []
            for _ in 0..<400 {
                if peers.count < 12, Int.random(in: 0..<6, using: &random) == 0 {
                    peers.append(master.connect(from: "192.0.2.\(Int.random(in: 0...3, using: &random))"))
                }
                guard let peer = peers.randomElement(using: &random), var bytes = vectors.randomElement(using: &random)
                else { continue }
                if Bool.random(using: &random), bytes.count > 12 {
                    bytes[Int.random(in: 12..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                if Int.random(in: 0..<40, using: &random) == 0 { bytes[Int.random(in: 0..<12, using: &random)] ^= 1 }
                if master.connected.contains(peer) { master.send(bytes, from: peer) }
                if Bool.random(using: &random) {
                    master.answerProbe(of: peer, isReachable: Bool.random(using: &random))
                }
                if Int.random(in: 0..<50, using: &random) == 0 { master.disconnect(peer) }
                if !master.connected.contains(peer) { peers.removeAll { $0 == peer } }
                for peer in peers { _ = master.heard(peer) }
                checkInvariants(of: master.engine)
            }
            master.stop()
            #expect(master.engine.sessions.count == 0 && master.engine.roomCount == 0)
        }
    }

    @Test(
        "names of strangers are harmless to show",
        arguments: [
            (Array("<img src=x>\"'&".utf8), "imgsrcx"), ([0xFF, 0xFE, 0x41], "A"), (Array("a_b-c.d e".utf8), "a_b-cde"),
            (Array("ゼルダ9".utf8), "ゼルダ9"), (Array("x\u{202E}y\u{7}\n".utf8), "xy"), ([], ""),
        ] as [([UInt8], String)])
    func names(given: [UInt8], shown: String) {
        #expect(PublicText.name(ByteBuffer(bytes: given)) == shown)
    }
}

/// What must hold of a master at any moment.
func checkInvariants(of engine: LDNEngine, _ note: Comment? = nil) {
    var playing: Set<PeerID> = []
    for (id, network) in engine.networks.all {
        let nodes = network.info.ldn.nodes
        #expect(nodes.count == 8, note)
        #expect(nodes.filter(\.isConnected).count == network.members.count, note)
        #expect(Int(network.info.ldn.nodeCount) == network.members.count, note)
        #expect((1...Int(network.info.ldn.nodeCountMax)).contains(network.members.count), note)
        #expect(Set(network.members.map(\.address)).count == network.members.count, note)
        #expect(network.members.first?.peer == network.host && network.members.first?.nodeID == 0, note)
        for member in network.members {
            let node = nodes[member.nodeID]
            let session = engine.sessions[member.peer]
            #expect(node.isConnected && node.ipv4Address == member.address, note)
            #expect(session?.network?.id == id && session?.address == member.address, note)
            #expect(session?.identity?.macAddress == node.macAddress, note)
            let isNew = playing.insert(member.peer).inserted
            #expect(isNew, note)
        }
    }
    let inNetworks = engine.sessions.all.filter { $0.value.network != nil }.map(\.peer)
    #expect(Set(inNetworks) == playing, note)
    let macs = engine.sessions.all.compactMap(\.value.identity?.macAddress)
    #expect(Set(macs).count == macs.count, note)
}
