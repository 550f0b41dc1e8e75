/// `ExternalProxy`: where a joiner finds the P2P host, and the token it shows there, by sending this very packet.
public struct ExternalProxyConfig: WireStruct {
    public var proxyIP = PhysicalAddress.zero
    public var addressFamily = AddressFamily.none
    public var proxyPort: UInt16 = 0
    public var token = ProxyToken.zero

    public init() {}

    package var size: Int { 0x26 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.octets(&proxyIP, "ProxyIp", at: 0x00)
        fields.value(&addressFamily, "AddressFamily", at: 0x10)
        fields.integer(&proxyPort, "ProxyPort", at: 0x14)
        fields.octets(&token, "Token", at: 0x16)
    }
}

/// `ExternalProxyToken`: tells a P2P host of a joiner to come.
public struct ExternalProxyToken: WireStruct {
    /// The address the joiner is to have.
    public var virtualIP = VirtualAddress.any
    public var token = ProxyToken.zero
    /// Where it will come from; all zero if the host cannot tell, both being in one network.
    public var physicalIP = PhysicalAddress.zero
    public var addressFamily = AddressFamily.none

    public init() {}

    package var size: Int { 0x28 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.value(&virtualIP, "VirtualIp", at: 0x00)
        fields.octets(&token, "Token", at: 0x04)
        fields.octets(&physicalIP, "PhysicalIp", at: 0x14)
        fields.value(&addressFamily, "AddressFamily", at: 0x24)
    }
}

/// `ExternalProxyState`: a player has gone from the master or from the P2P host, who tells the other.
public struct ExternalProxyConnectionState: WireStruct {
    public var ipAddress = VirtualAddress.any
    public var isConnected = false

    public init() {}

    package var size: Int { 0x8 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.value(&ipAddress, "IpAddress", at: 0x00)
        fields.flag(&isConnected, "Connected", at: 0x04)
    }
}
