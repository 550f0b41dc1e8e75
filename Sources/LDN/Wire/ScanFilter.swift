public import NIOCore

/// `Scan`: which networks a client wants to hear of. Only what `flag` names is compared.
public struct ScanFilter: WireStruct {
    public var networkID = NetworkID()
    /// Some old clients leave rubbish in its upper three bytes when they do not ask for it.
    public var networkType: UInt32 = 0
    public var macAddress = MACAddress.zero
    public var ssid = SSID()
    public var reserved = ByteBuffer()
    public var flag: ScanFilterFlag = []

    public init() {}

    package var size: Int { 0x60 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.structure(&networkID, "NetworkId", at: 0x00)
        fields.integer(&networkType, "NetworkType", at: 0x20)
        fields.octets(&macAddress, "MacAddress", at: 0x24)
        fields.structure(&ssid, "Ssid", at: 0x2A)
        fields.bytes(&reserved, "Reserved", at: 0x4C, count: 16)
        fields.value(&flag, "Flag", at: 0x5C)
    }
}
