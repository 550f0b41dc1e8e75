import NIOCore
import RelayCore
import RelayTesting

@testable import LDN

/// A master with clients, spoken to in packets.
final class Master {
    private(set) var harness: EngineHarness<LDNEngine>
    private var readers: [PeerID: FrameReader] = [:]

    init(seed: UInt64 = 1, _ change: (inout LDNConfiguration) -> Void = { _ in }) {
        var configuration = LDNConfiguration()
        change(&configuration)
        harness = EngineHarness(LDNEngine(configuration: configuration, random: .seeded(seed)))
    }

    var engine: LDNEngine { harness.engine }
    var rooms: [RoomSnapshot] { harness.engine.rooms(at: harness.now) }
    var events: [String] { harness.events.map(\.name) }
    var probes: [PeerID: Endpoint] { harness.probes }
    var paused: Set<PeerID> { harness.paused }
    var connected: Set<PeerID> { harness.connected }
    var dropped: DroppedPackets { harness.engine.dropped }

    func connect(from address: String = "198.51.100.1") -> PeerID { harness.connect(from: address) }

    /// A session that has a name, and the MAC address it was given.
    func session(
        from address: String = "198.51.100.1", passphrase: String = "", showing shown: InitializeMessage = .init()
    ) -> (peer: PeerID, identity: InitializeMessage) {
        let peer = connect(from: address)
        send(.passphrase(.of(passphrase)), .initialize(shown), from: peer)
        let answer = heard(peer)
        guard answer.count == 1, case .initialize(let identity) = answer[0] else {
            preconditionFailure("Initialize was answered with \(answer)")
        }
        return (peer, identity)
    }

    /// A session that hosts, and its network as it was told.
    func host(
        _ request: CreateAccessPointRequest = .of("host"), from address: String = "198.51.100.1",
        passphrase: String = ""
    ) -> (peer: PeerID, info: NetworkInfo) {
        let (peer, _) = session(from: address, passphrase: passphrase)
        send(.createAccessPoint(request, advertiseData: ByteBuffer()), from: peer)
        if harness.probes[peer] != nil { answerProbe(of: peer, isReachable: true) }
        return (peer, connectedInfo(heard(peer)))
    }

    /// A session that has joined, and the network as it was told.
    func player(
        of network: NetworkInfo, as name: String = "player", from address: String = "203.0.113.1",
        passphrase: String = ""
    ) -> (peer: PeerID, info: NetworkInfo) {
        let (peer, _) = session(from: address, passphrase: passphrase)
        send(.connect(.to(network, as: name)), from: peer)
        return (peer, connectedInfo(heard(peer)))
    }

    private func connectedInfo(_ packets: [Packet]) -> NetworkInfo {
        guard case .connected(let info)? = packets.last else {
            preconditionFailure("Connected was expected, not \(packets.map(\.word))")
        }
        return info
    }

    func send(_ packets: Packet..., from peer: PeerID) {
        var bytes = ByteBuffer()
        for packet in packets { packet.encode(into: &bytes) }
        send(bytes.readableBytesView, from: peer)
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
            preconditionFailure("the master said what is no packet: \(error)")
        }
        readers[peer] = reader
        return packets
    }

    /// What a peer was sent, by the words for packets.
    func words(_ peer: PeerID) -> [String] { heard(peer).map(\.word) }

    func heardBytes(_ peer: PeerID) -> [UInt8] { harness.take(peer) }
    func forgetHeard(_ peers: PeerID...) { for peer in peers { _ = heard(peer) } }
    func answerProbe(of peer: PeerID, isReachable: Bool) { harness.answerProbe(of: peer, isReachable: isReachable) }
    func disconnect(_ peer: PeerID) { harness.disconnect(peer) }
    func end(_ peer: PeerID) { harness.end(peer) }
    func pass(_ duration: Duration) { harness.advance(by: duration) }
    func drain() { harness.beginDrain() }
    func stop() { harness.stop() }
    func kick(_ peer: PeerID) { harness.kick(peer) }

    func reconfigure(_ change: (inout LDNConfiguration) -> Void) {
        var configuration = harness.engine.configuration
        change(&configuration)
        harness.engine.reconfigure(configuration)
    }

    /// Why the master parted from a peer; `nil` while it has not.
    func closed(_ peer: PeerID) -> String? { harness.closed[peer]?.word }
}

extension PassphraseMessage {
    static func of(_ text: String) -> PassphraseMessage {
        var message = PassphraseMessage()
        message.passphrase = ByteBuffer(string: text)
        return message
    }
}

extension CreateAccessPointRequest {
    static func of(
        _ name: String, title: Int64 = 0x0100_1520_0200_0000, scene: UInt16 = 1, version: UInt16 = 515,
        most: UInt8 = 8
    ) -> CreateAccessPointRequest {
        var request = CreateAccessPointRequest()
        request.userConfig.userName = ByteBuffer(string: name)
        request.networkConfig.intentID.localCommunicationID = title
        request.networkConfig.intentID.sceneID = scene
        request.networkConfig.localCommunicationVersion = version
        request.networkConfig.nodeCountMax = most
        request.ryuNetworkConfig.gameVersion = ByteBuffer(string: "1.2.3")
        return request
    }

    /// With a P2P proxy.
    static func p2p(
        privately address: String = "192.168.1.20", family: AddressFamily? = nil, inside: UInt16 = 39991,
        outside: UInt16 = 39990
    ) -> CreateAccessPointRequest {
        var request = of("host")
        let ip = IPAddress(address) ?? IPAddress(ipv4: 0)
        request.ryuNetworkConfig.privateIP = PhysicalAddress(ip)
        request.ryuNetworkConfig.addressFamily = family ?? ip.family
        request.ryuNetworkConfig.internalProxyPort = inside
        request.ryuNetworkConfig.externalProxyPort = outside
        return request
    }
}

extension CreateAccessPointPrivateRequest {
    static func of(_ id: SessionID, reserving entries: [AddressEntry] = []) -> CreateAccessPointPrivateRequest {
        var request = CreateAccessPointPrivateRequest()
        let open = CreateAccessPointRequest.of("host")
        request.userConfig = open.userConfig
        request.networkConfig = open.networkConfig
        request.ryuNetworkConfig = open.ryuNetworkConfig
        request.securityParameter.sessionID = id
        request.addressList.addresses = entries
        return request
    }
}

extension ConnectRequest {
    static func to(_ network: NetworkInfo, as name: String = "player", version: UInt32 = 515) -> ConnectRequest {
        var request = ConnectRequest()
        request.networkInfo = network
        request.userConfig.userName = ByteBuffer(string: name)
        request.localCommunicationVersion = version
        return request
    }
}

extension ConnectPrivateRequest {
    static func to(_ id: SessionID, version: UInt32 = 515) -> ConnectPrivateRequest {
        var request = ConnectPrivateRequest()
        request.securityParameter.sessionID = id
        request.localCommunicationVersion = version
        return request
    }
}

extension Packet {
    static func error(_ error: NetworkError) -> Packet {
        var message = NetworkErrorMessage()
        message.error = error
        return .networkError(message)
    }

    static func rejecting(_ nodeID: UInt32, _ reason: DisconnectReason = .rejected) -> Packet {
        var request = RejectRequest()
        request.nodeID = nodeID
        request.disconnectReason = reason
        return .reject(request)
    }

    static func policy(_ policy: AcceptPolicy) -> Packet {
        var request = SetAcceptPolicyRequest()
        request.stationAcceptPolicy = policy
        return .setAcceptPolicy(request)
    }

    static func proxyState(_ address: VirtualAddress, isConnected: Bool = false) -> Packet {
        var state = ExternalProxyConnectionState()
        state.ipAddress = address
        state.isConnected = isConnected
        return .externalProxyState(state)
    }

    static func config(_ address: UInt32) -> Packet {
        var config = ProxyConfig()
        config.proxyIP = VirtualAddress(rawValue: address)
        config.proxySubnetMask = .mask
        return .proxyConfig(config)
    }

    static func pinging(_ requester: UInt8, _ id: UInt8) -> Packet {
        var ping = PingMessage()
        ping.requester = requester
        ping.id = id
        return .ping(ping)
    }

    /// A datagram of a game.
    static func datagram(
        from source: VirtualAddress = .any, to destination: VirtualAddress, _ text: String, length: UInt32? = nil
    ) -> Packet {
        var header = ProxyDataHeader()
        header.info.sourceIPv4 = source
        header.info.sourcePort = 49152
        header.info.destinationIPv4 = destination
        header.info.destinationPort = 7777
        header.dataLength = length ?? UInt32(text.utf8.count)
        return .proxyData(header, data: ByteBuffer(string: text))
    }

    /// A word for it, with what matters in it.
    var word: String {
        switch self {
        case .syncNetwork(let info): "SyncNetwork \(info.places)"
        case .scanReply(let info): "ScanReply \(info.places)"
        case .connected(let info): "Connected \(info.places)"
        case .networkError(let message): "NetworkError \(message.error.rawValue)"
        case .proxyConfig(let config): "ProxyConfig \(config.proxyIP) \(config.proxySubnetMask)"
        case .reject(let request): "Reject \(request.nodeID) \(request.disconnectReason.rawValue)"
        case .externalProxyState(let state): "ExternalProxyState \(state.ipAddress) \(state.isConnected)"
        case .externalProxyToken(let token): "ExternalProxyToken \(token.virtualIP)"
        case .externalProxy: "ExternalProxy"
        case .ping(let ping): "Ping \(ping.requester) \(ping.id)"
        case .proxyData(let header, let data):
            "ProxyData \(header.info.sourceIPv4) \(header.info.destinationIPv4) \(String(buffer: data))"
        case .disconnect: "Disconnect"
        case .rejectReply: "RejectReply"
        case .scanReplyEnd: "ScanReplyEnd"
        default: "\(self)"
        }
    }
}

extension NetworkInfo {
    /// Who is where: a letter or word per place up to the last that was ever taken, `-` before those who have gone.
    var places: String {
        let used = ldn.nodes.prefix { $0.ipv4Address != .any }
        return used.map { ($0.isConnected ? "" : "-") + $0.userName.nulTerminatedText }.joined(separator: " ")
    }
}

extension VirtualAddress {
    /// 10.114.0.`last`.
    static func player(_ last: UInt32) -> VirtualAddress { VirtualAddress(rawValue: network.rawValue | last) }
}
