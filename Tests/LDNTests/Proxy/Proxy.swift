import NIOCore
import RelayCore
import RelayTesting

@testable import LDN

/// A P2P proxy with joiners, spoken to in packets.
final class Proxy {
    private(set) var harness: EngineHarness<P2PProxyEngine>
    private var readers: [PeerID: FrameReader] = [:]

    init(_ change: (inout P2PProxyConfiguration) -> Void = { _ in }) {
        var configuration = P2PProxyConfiguration()
        change(&configuration)
        harness = EngineHarness(P2PProxyEngine(configuration: configuration))
    }

    var engine: P2PProxyEngine { harness.engine }
    var dropped: DroppedProxyPackets { harness.engine.dropped }
    var players: [VirtualAddress] { harness.engine.playerAddresses }
    /// What the master is to be told: who has left.
    var left: [VirtualAddress] {
        harness.events.compactMap { event in
            if case .playerLeft(_, let address)? = event as? P2PProxyEvent { address } else { nil }
        }
    }
    /// What the host was given.
    var deliveredToHost: [HostDatagram?] { harness.deliveredHere.map { HostDatagram($0.bytes) } }

    func connect(from address: String = "203.0.113.1") -> PeerID { harness.connect(from: address) }

    func announce(_ token: ExternalProxyToken) {
        harness.update { engine, now, out in engine.addWaitingToken(token, at: now, into: &out) }
    }

    func stateChanged(_ address: VirtualAddress, isConnected: Bool = false) {
        var state = ExternalProxyConnectionState()
        state.ipAddress = address
        state.isConnected = isConnected
        harness.update { engine, now, out in
            engine.handleExternalProxyStateChange(state, at: now, into: &out)
        }
    }

    func setHost(_ address: VirtualAddress = .host) {
        harness.update { engine, _, _ in engine.setHostVirtualIP(address) }
    }

    func sayFromHost(
        to destination: VirtualAddress, _ text: String, source: VirtualAddress = .any
    ) throws(HostTrafficError) -> Bool {
        var header = ProxyDataHeader()
        header.info.sourceIPv4 = source
        header.info.sourcePort = 49152
        header.info.destinationIPv4 = destination
        header.info.destinationPort = 7777
        return try harness.update { engine, _, out throws(HostTrafficError) in
            try engine.broadcastFromHost(header, data: ByteBuffer(string: text), into: &out)
        }
    }

    /// A joiner that has been announced and let in.
    func player(_ last: UInt32, from address: String = "203.0.113.1") -> PeerID {
        announce(.of(last))
        let peer = connect(from: address)
        show(last, from: peer)
        precondition(heard(peer).count == 1, "a player gets its address")
        return peer
    }

    func show(_ last: UInt32, from peer: PeerID) { send(.showing(last), from: peer) }

    func send(_ packets: Packet..., from peer: PeerID) {
        var bytes = ByteBuffer()
        for packet in packets { packet.encode(into: &bytes) }
        harness.receive(bytes, from: peer)
    }

    func send(_ bytes: some Sequence<UInt8>, from peer: PeerID) { harness.receive(bytes, from: peer) }

    /// The packets a peer was sent since it was last asked.
    func heard(_ peer: PeerID) -> [Packet] {
        var bytes = ByteBuffer(bytes: harness.take(peer))
        var packets: [Packet] = []
        var reader = readers[peer] ?? FrameReader()
        do {
            while let frame = try reader.next(from: &bytes) { packets.append(try Packet(frame)) }
        } catch {
            preconditionFailure("the proxy said what is no packet: \(error)")
        }
        readers[peer] = reader
        return packets
    }

    func heardBytes(_ peer: PeerID) -> [UInt8] { harness.take(peer) }
    func end(_ peer: PeerID) { harness.end(peer) }
    func disconnect(_ peer: PeerID) { harness.disconnect(peer) }
    func kick(_ peer: PeerID) { harness.kick(peer) }
    func pass(_ duration: Duration) { harness.advance(by: duration) }
    func stop() { harness.stop() }

    /// Why the proxy parted from a peer; `nil` while it has not.
    func closed(_ peer: PeerID) -> String? { harness.closed[peer]?.word }
}

extension ExternalProxyToken {
    /// The token of the player 10.114.0.`last`, good from `address`, or from anywhere.
    static func of(_ last: UInt32, at address: String? = nil) -> ExternalProxyToken {
        var token = ExternalProxyToken()
        token.virtualIP = .player(last)
        token.token = ProxyToken(high: 7, low: UInt64(last))
        if let ip = address.flatMap({ IPAddress($0) }) {
            token.physicalIP = PhysicalAddress(ip)
            token.addressFamily = ip.family
        }
        return token
    }
}

extension Packet {
    /// The token of the player 10.114.0.`last`, shown to the proxy.
    static func showing(_ last: UInt32) -> Packet {
        var config = ExternalProxyConfig()
        config.token = ExternalProxyToken.of(last).token
        return .externalProxy(config)
    }

    static func welcome(_ last: UInt32) -> Packet {
        var config = ProxyConfig()
        config.proxyIP = .player(last)
        config.proxySubnetMask = .mask
        return .proxyConfig(config)
    }
}
