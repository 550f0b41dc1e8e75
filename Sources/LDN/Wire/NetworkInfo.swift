public import NIOCore

/// Which game: its title, and which of its scenes.
public struct IntentID: WireStruct {
    /// The title id. Signed, and -1 means the title that is running.
    public var localCommunicationID: Int64 = 0
    public var reserved1: UInt16 = 0
    public var sceneID: UInt16 = 0
    public var reserved2: UInt32 = 0

    public init() {}

    package var size: Int { 0x10 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.integer(&localCommunicationID, "LocalCommunicationId", at: 0x00)
        fields.integer(&reserved1, "Reserved1", at: 0x08)
        fields.integer(&sceneID, "SceneId", at: 0x0A)
        fields.integer(&reserved2, "Reserved2", at: 0x0C)
    }
}

/// Which network of which game.
public struct NetworkID: WireStruct {
    public var intentID = IntentID()
    public var sessionID = SessionID.zero

    public init() {}

    package var size: Int { 0x20 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.structure(&intentID, "IntentId", at: 0x00)
        fields.octets(&sessionID, "SessionId", at: 0x10)
    }
}

/// The name of a radio network.
public struct SSID: WireStruct {
    /// The most bytes a name has.
    static let maxLength = 33

    /// How much of `name` counts; more than 33 makes no sense, but may come.
    public var length: UInt8 = 0
    public var name = ByteBuffer()

    public init() {}

    package var size: Int { 0x22 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.integer(&length, "Length", at: 0x00)
        fields.bytes(&name, "Name", at: 0x01, count: Self.maxLength)
    }

    /// The bytes that count; `nil` if `length` makes no sense.
    var text: ByteBufferView? {
        length <= Self.maxLength ? name.readableBytesView.prefix(Int(length)) : nil
    }
}

/// One of the eight places of a network.
public struct NodeInfo: WireStruct {
    public var ipv4Address = VirtualAddress.any
    public var macAddress = MACAddress.zero
    /// 0 to 7; 0 is the host.
    public var nodeID: UInt8 = 0
    /// Whether a player is there. A place that was left keeps all other fields.
    public var isConnected = false
    /// UTF-8, ended by a NUL if it is shorter than 33 bytes.
    public var userName = ByteBuffer()
    public var reserved1: UInt8 = 0
    public var localCommunicationVersion: UInt16 = 0
    public var reserved2 = ByteBuffer()

    public init() {}

    package var size: Int { 0x40 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.value(&ipv4Address, "Ipv4Address", at: 0x00)
        fields.octets(&macAddress, "MacAddress", at: 0x04)
        fields.integer(&nodeID, "NodeId", at: 0x0A)
        fields.flag(&isConnected, "IsConnected", at: 0x0B)
        fields.bytes(&userName, "UserName", at: 0x0C, count: 33)
        fields.integer(&reserved1, "Reserved1", at: 0x2D)
        fields.integer(&localCommunicationVersion, "LocalCommunicationVersion", at: 0x2E)
        fields.bytes(&reserved2, "Reserved2", at: 0x30, count: 16)
    }
}

/// What the radio would say of a network.
public struct CommonNetworkInfo: WireStruct {
    /// The host's.
    public var macAddress = MACAddress.zero
    public var ssid = SSID()
    public var channel: UInt16 = 0
    public var linkLevel: UInt8 = 0
    /// 0 none, 1 general, 2 LDN, 3 all.
    public var networkType: UInt8 = 0
    public var reserved: UInt32 = 0

    public init() {}

    package var size: Int { 0x30 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.octets(&macAddress, "MacAddress", at: 0x00)
        fields.structure(&ssid, "Ssid", at: 0x06)
        fields.integer(&channel, "Channel", at: 0x28)
        fields.integer(&linkLevel, "LinkLevel", at: 0x2A)
        fields.integer(&networkType, "NetworkType", at: 0x2B)
        fields.integer(&reserved, "Reserved", at: 0x2C)
    }
}

/// What a game says of its network, and who is in it.
public struct LdnNetworkInfo: WireStruct {
    /// How many places there are.
    public static let places = 8
    /// The most bytes that a game can advertise.
    public static let maxAdvertiseData = 384

    public var securityParameter = ByteBuffer()
    public var securityMode = SecurityMode.all
    public var stationAcceptPolicy = AcceptPolicy.acceptAll
    public var unknown1: UInt8 = 0
    public var reserved1: UInt16 = 0
    public var nodeCountMax: UInt8 = 0
    /// How many places have a player.
    public var nodeCount: UInt8 = 0
    /// Always eight on the wire.
    public var nodes: [NodeInfo] = []
    public var reserved2: UInt16 = 0
    /// How much of `advertiseData` counts. A client may say more than there is.
    public var advertiseDataSize: UInt16 = 0
    public var advertiseData = ByteBuffer()
    public var unknown2 = ByteBuffer()
    public var authenticationID: UInt64 = 0

    public init() {}

    package var size: Int { 0x430 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.bytes(&securityParameter, "SecurityParameter", at: 0x000, count: 16)
        fields.value(&securityMode, "SecurityMode", at: 0x010)
        fields.value(&stationAcceptPolicy, "StationAcceptPolicy", at: 0x012)
        fields.integer(&unknown1, "Unknown1", at: 0x013)
        fields.integer(&reserved1, "Reserved1", at: 0x014)
        fields.integer(&nodeCountMax, "NodeCountMax", at: 0x016)
        fields.integer(&nodeCount, "NodeCount", at: 0x017)
        fields.array(&nodes, "Nodes", at: 0x018, count: Self.places)
        fields.integer(&reserved2, "Reserved2", at: 0x218)
        fields.integer(&advertiseDataSize, "AdvertiseDataSize", at: 0x21A)
        fields.bytes(&advertiseData, "AdvertiseData", at: 0x21C, count: Self.maxAdvertiseData)
        fields.bytes(&unknown2, "Unknown2", at: 0x39C, count: 140)
        fields.integer(&authenticationID, "AuthenticationId", at: 0x428)
    }
}

/// A network with all its players. It is always sent whole.
public struct NetworkInfo: WireStruct {
    static let length = 0x480

    public var networkID = NetworkID()
    public var common = CommonNetworkInfo()
    public var ldn = LdnNetworkInfo()

    public init() {}

    package var size: Int { Self.length }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.structure(&networkID, "NetworkId", at: 0x00)
        fields.structure(&common, "Common", at: 0x20)
        fields.structure(&ldn, "Ldn", at: 0x50)
    }
}

extension ByteBuffer {
    /// The text of a field that ends at its first NUL. It comes from strangers: what is no UTF-8 is replaced.
    public var nulTerminatedText: String {
        String(decoding: readableBytesView.prefix { $0 != 0 }, as: UTF8.self)
    }
}
