import NIOCore
import RelayCore

/// A host and its players.
///
/// A class, so that whoever relays finds the members with one look at the session. It holds its sessions by their
/// numbers only.
final class Network {
    struct Member {
        var peer: PeerID
        var address: VirtualAddress
        /// Its place among the eight.
        var nodeID: Int
    }

    /// How a scan sees a network.
    enum Listing {
        case joinable
        case full
        /// Its host rejects all.
        case hidden
    }

    let id: SessionID
    /// Its creator's. Only sessions with the same one find it.
    let passphrase: Passphrase
    let host: PeerID
    /// `nil` if the master relays.
    let proxy: HostProxy?
    /// Fit to be shown.
    let gameVersion: String
    /// All who are in it, the host first, by place.
    private(set) var members: [Member] = []
    /// What the players of the places are called, fit to be shown; of those who have gone, too.
    private(set) var names = Array(repeating: "", count: LdnNetworkInfo.places)
    private(set) var info = NetworkInfo()
    private var addresses: VirtualAddressPool
    /// `info` on the wire, until it changes.
    private var encoded: ByteBuffer?

    /// A network without players.
    init(
        _ id: SessionID, _ accessPoint: AccessPoint, passphrase: Passphrase, host: PeerID, mac: MACAddress,
        proxy: HostProxy?
    ) {
        self.id = id
        self.passphrase = passphrase
        self.host = host
        self.proxy = proxy
        gameVersion = PublicText.version(accessPoint.ryu.gameVersion)
        addresses = VirtualAddressPool(reserving: accessPoint.reserved)
        let wanted = accessPoint.network
        info.networkID.sessionID = id
        info.networkID.intentID.localCommunicationID = wanted.intentID.localCommunicationID
        info.networkID.intentID.sceneID = wanted.intentID.sceneID
        info.common.macAddress = mac
        info.common.ssid = Self.ssid
        info.common.channel = wanted.channel
        info.common.linkLevel = 3
        info.common.networkType = Self.networkType
        info.ldn.securityMode = accessPoint.securityMode
        info.ldn.nodeCountMax = min(max(wanted.nodeCountMax, 1), UInt8(LdnNetworkInfo.places))
        info.ldn.nodes = Array(repeating: NodeInfo(), count: LdnNetworkInfo.places)
        advertise(accessPoint.advertiseData)
    }

    /// What every network says of itself: no radio gave it a name.
    static let ssid: SSID = {
        var ssid = SSID()
        ssid.length = 32
        ssid.name = ByteBuffer(string: String(repeating: "12345678", count: 4))
        return ssid
    }()
    static let networkType: UInt8 = 2

    var title: Int64 { info.networkID.intentID.localCommunicationID }
    var sceneID: UInt16 { info.networkID.intentID.sceneID }
    var version: UInt16 { info.ldn.nodes[0].localCommunicationVersion }
    var isFull: Bool { members.count >= Int(info.ldn.nodeCountMax) }
    var rejectsAll: Bool { info.ldn.stationAcceptPolicy == .rejectAll }
    var listing: Listing { rejectsAll ? .hidden : isFull ? .full : .joinable }

    func member(at nodeID: UInt32) -> Member? {
        members.first { $0.nodeID == nodeID }
    }

    func member(of address: VirtualAddress) -> Member? {
        members.first { $0.address == address }
    }

    /// Gives a player the lowest free place; `nil` if there is none.
    func add(_ peer: PeerID, mac: MACAddress, userName: ByteBuffer, version: UInt16) -> Member? {
        guard !isFull, let nodeID = info.ldn.nodes.firstIndex(where: { !$0.isConnected }) else { return nil }
        let member = Member(peer: peer, address: addresses.take(for: mac), nodeID: nodeID)
        var node = NodeInfo()
        node.ipv4Address = member.address
        node.macAddress = mac
        node.nodeID = UInt8(truncatingIfNeeded: nodeID)
        node.isConnected = true
        node.userName = userName.copied
        node.localCommunicationVersion = version
        names[nodeID] = PublicText.name(userName)
        members.insert(member, at: members.firstIndex { $0.nodeID > nodeID } ?? members.endIndex)
        change { info in
            info.ldn.nodes[nodeID] = node
            info.ldn.nodeCount += 1
        }
        return member
    }

    /// Frees a player's place. What stands there stays, but for the player being connected.
    func remove(_ peer: PeerID) -> Member? {
        guard let index = members.firstIndex(where: { $0.peer == peer }) else { return nil }
        let member = members.remove(at: index)
        addresses.giveBack(member.address)
        change { info in
            info.ldn.nodes[member.nodeID].isConnected = false
            info.ldn.nodeCount -= 1
        }
        return member
    }

    func setAcceptPolicy(_ policy: AcceptPolicy) {
        change { $0.ldn.stationAcceptPolicy = policy }
    }

    /// Takes what the game wants others to know; `false` if it is too much.
    @discardableResult
    func advertise(_ data: ByteBuffer) -> Bool {
        guard data.readableBytes <= LdnNetworkInfo.maxAdvertiseData else { return false }
        change { info in
            info.ldn.advertiseDataSize = UInt16(truncatingIfNeeded: data.readableBytes)
            info.ldn.advertiseData = data.copied
        }
        return true
    }

    /// Appends a packet that consists of `info`: it is encoded once for all who get it.
    func write(_ type: PacketType, into bytes: inout ByteBuffer) {
        let payload = encoded ?? encode()
        encoded = payload
        Frame.writeHeader(type, payloadLength: payload.readableBytes, into: &bytes)
        bytes.writeImmutableBuffer(payload)
    }

    private func encode() -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.reserveCapacity(NetworkInfo.length)
        info.write(into: &bytes)
        return bytes
    }

    private func change(_ body: (inout NetworkInfo) -> Void) {
        body(&info)
        encoded = nil
    }
}

extension ByteBuffer {
    /// The same bytes in storage of their own: a small piece that is kept must not keep all that came with it.
    var copied: ByteBuffer { ByteBuffer(bytes: readableBytesView) }
}
