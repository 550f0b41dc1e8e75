import Netplay
import RelayCore
import RelayTesting

/// The tunnel as tests talk to it: RetroArch's messages, by name.
struct Tunnel {
    var harness: EngineHarness<NetplayEngine>

    init(seed: UInt64 = 1, _ change: (inout NetplayConfiguration) -> Void = { _ in }) {
        var configuration = NetplayConfiguration()
        change(&configuration)
        harness = EngineHarness(NetplayEngine(configuration: configuration, random: .seeded(seed)))
    }

    /// A host with an open session, and the 12 bytes that name the session.
    mutating func host(from address: String = "198.51.100.1") -> (peer: PeerID, session: [UInt8]) {
        let peer = harness.connect(from: address)
        harness.receive(Message.openSession, from: peer)
        let reply = harness.take(peer)
        return (peer, Array(reply.dropFirst(4)))
    }

    /// A guest that has asked to join.
    mutating func guest(of session: [UInt8], saying early: [UInt8] = [], from address: String = "203.0.113.1") -> PeerID
    {
        let peer = harness.connect(from: address)
        harness.receive(Message.session + session + early, from: peer)
        return peer
    }

    /// A link for the guest the host was last told of.
    mutating func link(for guest: [UInt8], from address: String = "198.51.100.1") -> PeerID {
        let peer = harness.connect(from: address)
        harness.receive(Message.link + guest, from: peer)
        return peer
    }

    /// A host, and a guest joined to its link.
    mutating func pair() -> (host: PeerID, session: [UInt8], guest: PeerID, link: PeerID) {
        let (host, session) = host()
        let guest = guest(of: session)
        let link = link(for: announced(to: host)[0])
        return (host, session, guest, link)
    }

    /// The ids of the guests the host was told of since it was last read.
    mutating func announced(to host: PeerID) -> [[UInt8]] {
        let said = harness.take(host)
        return stride(from: 0, to: said.count, by: 16).map { Array(said[$0..<min($0 + 16, said.count)]) }
            .filter { $0.starts(with: Message.link) }.map { Array($0.dropFirst(4)) }
    }

    func reason(_ peer: PeerID) -> String? { harness.closed[peer]?.word }
}

enum Message {
    static let session = Array("RATS".utf8)
    static let link = Array("RATL".utf8)
    static let address = Array("RATA".utf8)
    static let ping = Array("RATP".utf8)
    static let none = [UInt8](repeating: 0, count: 12)
    static let openSession = session + none
}
