import NIOCore
import RelayCore
import Testing

@testable import LDN

@Suite("LDN scans")
struct ScanTests {
    /// What a scan by a session finds: the hosts' names.
    private func found(_ master: Master, _ filter: ScanFilter, by peer: PeerID) -> [String] {
        master.send(.scan(filter), from: peer)
        let packets = master.heard(peer)
        #expect(packets.last == .scanReplyEnd)
        return packets.dropLast().map { packet in
            if case .scanReply(let info) = packet { info.ldn.nodes[0].userName.nulTerminatedText } else { packet.word }
        }
    }

    private static func filter(_ flag: ScanFilterFlag, _ change: (inout ScanFilter) -> Void = { _ in }) -> ScanFilter {
        var filter = ScanFilter()
        filter.flag = flag
        change(&filter)
        return filter
    }

    @Test("only what the flag names is compared")
    func filters() {
        let master = Master()
        let (_, a) = master.host(.of("a", title: 1, scene: 1))
        _ = master.host(.of("b", title: 1, scene: 2))
        _ = master.host(.of("c", title: -1, scene: 1))
        let scanner = master.connect()
        func found(_ flag: ScanFilterFlag, _ change: (inout ScanFilter) -> Void) -> Set<String> {
            Set(self.found(master, Self.filter(flag, change), by: scanner))
        }
        let everything = Set(["a", "b", "c"])
        #expect(found([]) { $0.networkID = a.networkID } == everything)
        #expect(found([.localCommunicationID]) { $0.networkID.intentID.localCommunicationID = 1 } == ["a", "b"])
        #expect(found([.localCommunicationID]) { $0.networkID.intentID.localCommunicationID = -1 } == ["c"])
        #expect(found([.localCommunicationID]) { $0.networkID.intentID.localCommunicationID = 7 } == [])
        #expect(found([.sceneID]) { $0.networkID.intentID.sceneID = 1 } == ["a", "c"])
        #expect(
            found([.localCommunicationID, .sceneID]) {
                $0.networkID.intentID.localCommunicationID = 1
                $0.networkID.intentID.sceneID = 2
            } == ["b"])
        #expect(found([.sessionID]) { $0.networkID.sessionID = a.networkID.sessionID } == ["a"])
        #expect(found([.sessionID]) { $0.networkID.sessionID = .zero } == [])
        #expect(
            found([.sessionID, .sceneID]) {
                $0.networkID = a.networkID
                $0.networkID.intentID.sceneID = 2
            } == [])
        #expect(
            found([.sessionID, .localCommunicationID]) {
                $0.networkID = a.networkID
                $0.networkID.intentID.localCommunicationID = -1
            } == [])
        #expect(found([.macAddress]) { $0.macAddress = .zero } == everything)
        #expect(found([.networkType]) { $0.networkType = 2 } == everything)
        for type in [0, 1, 3, 0xFFFF_FF02] as [UInt32] {
            #expect(found([.networkType]) { $0.networkType = type } == [])
        }
        #expect(found([]) { $0.networkType = 0xFFFF_FF02 } == everything)
        #expect(found([.ssid]) { $0.ssid = a.common.ssid } == everything)
        #expect(found([.ssid]) { $0.ssid.length = 0 } == [])
        #expect(
            found([.ssid]) {
                $0.ssid = a.common.ssid
                $0.ssid.length = 31
            } == [])
        for length in [33, 34, 200, 255] as [UInt8] {
            let found = found([.ssid]) {
                $0.ssid = a.common.ssid
                $0.ssid.length = length
            }
            #expect(found == [])
        }
        #expect(
            found([.localCommunicationID, .sessionID, .networkType, .macAddress, .ssid, .sceneID]) {
                $0.networkID = a.networkID
                $0.networkType = 2
                $0.ssid = a.common.ssid
            } == ["a"])
    }

    @Test("a scan shows what is under the scanner's passphrase, and not its own network")
    func isolation() {
        let master = Master()
        let (publicHost, _) = master.host(.of("public"))
        let (secretHost, secret) = master.host(.of("secret"), passphrase: "Ryujinx-0badf00d")
        let scanner = master.connect()
        #expect(found(master, ScanFilter(), by: scanner) == ["public"])
        let byID = Self.filter([.sessionID]) { $0.networkID.sessionID = secret.networkID.sessionID }
        #expect(found(master, byID, by: scanner) == [])
        master.send(.passphrase(.of("Ryujinx-0badf00d")), from: scanner)
        #expect(found(master, ScanFilter(), by: scanner) == ["secret"])
        #expect(found(master, byID, by: scanner) == ["secret"])
        master.send(.passphrase(.of("Ryujinx-0BADF00D")), from: scanner)
        #expect(found(master, ScanFilter(), by: scanner) == ["public"])
        #expect(found(master, ScanFilter(), by: publicHost) == [])
        #expect(found(master, byID, by: secretHost) == [])
    }

    @Test("networks that reject all are hidden, others are not, and those that have ended are gone")
    func hiding() {
        let master = Master()
        let (host, info) = master.host(.of("h"))
        let scanner = master.connect()
        let byID = Self.filter([.sessionID]) { $0.networkID = info.networkID }
        for (policy, shown) in [(1, []), (2, ["h"]), (3, ["h"]), (1, []), (0, ["h"]), (77, ["h"])]
            as [(UInt8, [String])]
        {
            master.send(.policy(AcceptPolicy(rawValue: policy)), from: host)
            #expect(found(master, ScanFilter(), by: scanner) == shown)
            #expect(found(master, byID, by: scanner) == shown)
        }
        master.disconnect(host)
        #expect(found(master, ScanFilter(), by: scanner) == [])
    }

    @Test("networks with room come first, full ones after them")
    func order() {
        let master = Master()
        let (_, full) = master.host(.of("full", most: 2))
        let (player, _) = master.player(of: full)
        _ = master.host(.of("room"))
        _ = master.host(.of("single", most: 1))
        let scanner = master.connect()
        #expect(found(master, ScanFilter(), by: scanner).first == "room")
        #expect(found(master, ScanFilter(), by: scanner).count == 3)
        master.reconfigure { $0.maxScanReplies = 1 }
        #expect(found(master, ScanFilter(), by: scanner) == ["room"])
        master.reconfigure { $0.maxScanReplies = 2 }
        master.disconnect(player)
        #expect(Set(found(master, ScanFilter(), by: scanner)) == ["room", "full"])
    }

    @Test("of more networks than an answer holds, each is seen by some scan")
    func turns() {
        let master = Master { $0.maxScanReplies = 10 }
        for number in 0..<60 { _ = master.host(.of("\(number)")) }
        let scanner = master.connect()
        var seen: Set<String> = []
        for _ in 0..<100 {
            let names = found(master, ScanFilter(), by: scanner)
            #expect(names.count == 10 && Set(names).count == 10)
            seen.formUnion(names)
        }
        #expect(seen.count == 60)
    }

    @Test("an answer is one piece, whatever is found")
    func onePiece() {
        let master = Master()
        for number in 0..<80 { _ = master.host(.of("\(number)")) }
        var engine = master.engine
        var out = Outbox()
        let peer = PeerID(slot: 1000, generation: 0)
        engine.connect(peer, from: Endpoint(address: IPAddress(ipv4: 1), port: 1), at: .zero, into: &out)
        engine.receive(Packet.scan(ScanFilter()).encoded, from: peer, at: .zero, into: &out)
        #expect(out.count == 1)
        guard case .send(let answer, to: peer) = out[0] else {
            Issue.record("no answer")
            return
        }
        #expect(answer.readableBytes == 50 * (12 + 0x480) + 12)
        #expect(answer.readableBytes < 65_536)
    }

    @Test("an address that scans too often finds nothing, and is told so in time")
    func rate() {
        let master = Master { $0.scanRate = TokenBucket.Rate(perSecond: 1, burst: 2) }
        _ = master.host(.of("h"))
        let (scanner, other) = (master.connect(from: "192.0.2.1"), master.connect(from: "192.0.2.2"))
        let counts = (0..<3).map { _ in found(master, ScanFilter(), by: scanner).count }
        #expect(counts == [1, 1, 0])
        #expect(found(master, ScanFilter(), by: other) == ["h"])
        master.pass(.seconds(1))
        #expect(found(master, ScanFilter(), by: scanner) == ["h"])
    }

    @Test("however networks come, fill, hide and go, scans find those that are there")
    func index() {
        var random = RandomSource.seeded(3)
        var index = ScanIndex()
        var networks: [Network] = []
        for step in 0..<1000 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0,
                1 where networks.count < 40:
                let request = CreateAccessPointRequest.of(
                    "x", title: Int64.random(in: 0..<3, using: &random),
                    scene: UInt16.random(in: 0..<2, using: &random),
                    most: UInt8.random(in: 1...2, using: &random))
                let network = Network(
                    .random(from: &random), AccessPoint(request, advertiseData: ByteBuffer()), passphrase: .none,
                    host: PeerID(slot: UInt32(step), generation: 0), mac: .zero, proxy: nil)
                _ = network.add(network.host, mac: .zero, userName: ByteBuffer(), version: 1)
                networks.append(network)
                index.update(network)
            case 2:
                guard let network = networks.randomElement(using: &random) else { continue }
                network.setAcceptPolicy(AcceptPolicy(rawValue: UInt8.random(in: 0...1, using: &random)))
                index.update(network)
            default:
                guard let position = networks.indices.randomElement(using: &random) else { continue }
                index.remove(networks.remove(at: position))
            }
            for title in [nil, 0, 1, 2] as [Int64?] {
                let expected = networks.filter { $0.listing != .hidden && title ?? $0.title == $0.title }
                let found = index.networks(
                    .none, title: title, sceneID: nil, except: nil, limit: 100, random: &random)
                #expect(Set(found.map(\.id)) == Set(expected.map(\.id)) && found.count == expected.count)
                #expect(found.map(\.isFull) == found.map(\.isFull).sorted { !$0 && $1 })
            }
        }
    }
}
