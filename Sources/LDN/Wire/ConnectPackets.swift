// Joining and leaving. Programs disagree about the padding before the last field of both requests: each is out there
// in an aligned and a packed form, told apart by the payload's size.

/// `Connect`: a client wants to join the network it names.
public struct ConnectRequest: WireStruct {
    static let alignedSize = 0x500

    /// Whether the four bytes of padding at 0x7C are left out.
    public var isPacked = false
    public var securityConfig = SecurityConfig()
    public var userConfig = UserConfig()
    public var localCommunicationVersion: UInt32 = 0
    public var optionUnknown: UInt32 = 0
    /// As the client saw it in a scan. Only its session id counts.
    public var networkInfo = NetworkInfo()

    public init() {}

    /// An empty request of the form that a payload of so many bytes has.
    init(payloadLength: Int) {
        isPacked = payloadLength < Self.alignedSize
    }

    package var size: Int { isPacked ? 0x4FC : Self.alignedSize }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.structure(&securityConfig, "SecurityConfig", at: 0x00)
        fields.structure(&userConfig, "UserConfig", at: 0x44)
        fields.integer(&localCommunicationVersion, "LocalCommunicationVersion", at: 0x74)
        fields.integer(&optionUnknown, "OptionUnknown", at: 0x78)
        fields.structure(&networkInfo, "NetworkInfo", at: isPacked ? 0x7C : 0x80)
    }
}

/// `ConnectPrivate`: a client wants to join a private network.
public struct ConnectPrivateRequest: WireStruct {
    static let alignedSize = 0xC0

    /// Whether the four bytes of padding at 0x9C are left out.
    public var isPacked = false
    public var securityConfig = SecurityConfig()
    public var securityParameter = SecurityParameter()
    public var userConfig = UserConfig()
    public var localCommunicationVersion: UInt32 = 0
    public var optionUnknown: UInt32 = 0
    public var networkConfig = NetworkConfig()

    public init() {}

    /// An empty request of the form that a payload of so many bytes has.
    init(payloadLength: Int) {
        isPacked = payloadLength < Self.alignedSize
    }

    package var size: Int { isPacked ? 0xBC : Self.alignedSize }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.structure(&securityConfig, "SecurityConfig", at: 0x00)
        fields.structure(&securityParameter, "SecurityParameter", at: 0x44)
        fields.structure(&userConfig, "UserConfig", at: 0x64)
        fields.integer(&localCommunicationVersion, "LocalCommunicationVersion", at: 0x94)
        fields.integer(&optionUnknown, "OptionUnknown", at: 0x98)
        fields.structure(&networkConfig, "NetworkConfig", at: isPacked ? 0x9C : 0xA0)
    }
}

/// `Disconnect`: a client leaves its network, or is told that it is out of it.
public struct DisconnectMessage: WireStruct {
    /// Nobody reads it.
    public var disconnectIP: UInt32 = 0

    public init() {}

    package var size: Int { 0x4 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.integer(&disconnectIP, "DisconnectIP", at: 0x00)
    }
}
