public import NIOCore

/// A game's own protection of its network, which the master neither keeps nor compares.
public struct SecurityConfig: WireStruct {
    public var securityMode = SecurityMode.all
    public var passphraseSize: UInt16 = 0
    public var passphrase = ByteBuffer()

    public init() {}

    package var size: Int { 0x44 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.value(&securityMode, "SecurityMode", at: 0x00)
        fields.integer(&passphraseSize, "PassphraseSize", at: 0x02)
        fields.bytes(&passphrase, "Passphrase", at: 0x04, count: 64)
    }
}

/// Names a private network.
public struct SecurityParameter: WireStruct {
    public var data = ByteBuffer()
    public var sessionID = SessionID.zero

    public init() {}

    package var size: Int { 0x20 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.bytes(&data, "Data", at: 0x00, count: 16)
        fields.octets(&sessionID, "SessionId", at: 0x10)
    }
}

/// Who plays.
public struct UserConfig: WireStruct {
    /// UTF-8, ended by a NUL if it is shorter than 33 bytes.
    public var userName = ByteBuffer()
    public var unknown1 = ByteBuffer()

    public init() {}

    package var size: Int { 0x30 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.bytes(&userName, "UserName", at: 0x00, count: 33)
        fields.bytes(&unknown1, "Unknown1", at: 0x21, count: 15)
    }
}

/// What a network shall be like.
public struct NetworkConfig: WireStruct {
    public var intentID = IntentID()
    public var channel: UInt16 = 0
    /// How many players, the host included. Any number may come.
    public var nodeCountMax: UInt8 = 0
    public var reserved1: UInt8 = 0
    public var localCommunicationVersion: UInt16 = 0
    public var reserved2 = ByteBuffer()

    public init() {}

    package var size: Int { 0x20 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.structure(&intentID, "IntentId", at: 0x00)
        fields.integer(&channel, "Channel", at: 0x10)
        fields.integer(&nodeCountMax, "NodeCountMax", at: 0x12)
        fields.integer(&reserved1, "Reserved1", at: 0x13)
        fields.integer(&localCommunicationVersion, "LocalCommunicationVersion", at: 0x14)
        fields.bytes(&reserved2, "Reserved2", at: 0x16, count: 10)
    }
}

/// An address that is kept for a client.
public struct AddressEntry: WireStruct {
    public var ipv4Address = VirtualAddress.any
    public var macAddress = MACAddress.zero
    public var reserved: UInt16 = 0

    public init() {}

    package var size: Int { 0x0C }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.value(&ipv4Address, "Ipv4Address", at: 0x00)
        fields.octets(&macAddress, "MacAddress", at: 0x04)
        fields.integer(&reserved, "Reserved", at: 0x0A)
    }
}

/// The addresses that a private network keeps.
public struct AddressList: WireStruct {
    /// Always eight on the wire; the first without an address ends the list.
    public var addresses: [AddressEntry] = []

    public init() {}

    package var size: Int { 0x60 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.array(&addresses, "Addresses", at: 0x00, count: 8)
    }
}

/// What a host adds for the emulators' sake: the game's version, and where its P2P proxy is.
public struct RyuNetworkConfig: WireStruct {
    /// UTF-8, ended by a NUL if it is shorter than 16 bytes.
    public var gameVersion = ByteBuffer()
    public var privateIP = PhysicalAddress.zero
    public var addressFamily = AddressFamily.none
    /// Not 0: the host runs a P2P proxy, reached from the internet at this port.
    public var externalProxyPort: UInt16 = 0
    /// The proxy's port in the host's own network.
    public var internalProxyPort: UInt16 = 0

    public init() {}

    package var size: Int { 0x28 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.bytes(&gameVersion, "GameVersion", at: 0x00, count: 16)
        fields.octets(&privateIP, "PrivateIp", at: 0x10)
        fields.value(&addressFamily, "AddressFamily", at: 0x20)
        fields.integer(&externalProxyPort, "ExternalProxyPort", at: 0x24)
        fields.integer(&internalProxyPort, "InternalProxyPort", at: 0x26)
    }
}

/// `CreateAccessPoint`; what the game advertises follows it, to the end of the payload.
public struct CreateAccessPointRequest: WireStruct {
    public var securityConfig = SecurityConfig()
    public var userConfig = UserConfig()
    public var networkConfig = NetworkConfig()
    public var ryuNetworkConfig = RyuNetworkConfig()

    public init() {}

    package var size: Int { 0xBC }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.structure(&securityConfig, "SecurityConfig", at: 0x00)
        fields.structure(&userConfig, "UserConfig", at: 0x44)
        fields.structure(&networkConfig, "NetworkConfig", at: 0x74)
        fields.structure(&ryuNetworkConfig, "RyuNetworkConfig", at: 0x94)
    }
}

/// `CreateAccessPointPrivate`; what the game advertises follows it, to the end of the payload.
public struct CreateAccessPointPrivateRequest: WireStruct {
    public var securityConfig = SecurityConfig()
    public var securityParameter = SecurityParameter()
    public var userConfig = UserConfig()
    public var networkConfig = NetworkConfig()
    public var addressList = AddressList()
    public var ryuNetworkConfig = RyuNetworkConfig()

    public init() {}

    package var size: Int { 0x13C }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.structure(&securityConfig, "SecurityConfig", at: 0x00)
        fields.structure(&securityParameter, "SecurityParameter", at: 0x44)
        fields.structure(&userConfig, "UserConfig", at: 0x64)
        fields.structure(&networkConfig, "NetworkConfig", at: 0x94)
        fields.structure(&addressList, "AddressList", at: 0xB4)
        fields.structure(&ryuNetworkConfig, "RyuNetworkConfig", at: 0x114)
    }
}

/// `SetAcceptPolicy`: whom the host lets in from now on.
public struct SetAcceptPolicyRequest: WireStruct {
    public var stationAcceptPolicy = AcceptPolicy.acceptAll

    public init() {}

    package var size: Int { 0x1 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.value(&stationAcceptPolicy, "StationAcceptPolicy", at: 0x00)
    }
}

/// `Reject`: the host puts a player out. The master tells that player so with the same packet.
public struct RejectRequest: WireStruct {
    /// Whose place; any number may come.
    public var nodeID: UInt32 = 0
    public var disconnectReason = DisconnectReason.none

    public init() {}

    package var size: Int { 0x8 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.integer(&nodeID, "NodeId", at: 0x00)
        fields.value(&disconnectReason, "DisconnectReason", at: 0x04)
    }
}
