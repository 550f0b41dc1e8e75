package import NIOCore

/// `ProxyConfig`: a player's address in the network. Whoever sends it relays.
public struct ProxyConfig: WireStruct {
    public var proxyIP = VirtualAddress.any
    public var proxySubnetMask = VirtualAddress.any

    public init() {}

    package var size: Int { 0x8 }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.value(&proxyIP, "ProxyIp", at: 0x00)
        fields.value(&proxySubnetMask, "ProxySubnetMask", at: 0x04)
    }
}

/// From which socket of a game to which other; all of `ProxyConnect` and its reply, the beginning of the rest.
public struct ProxyInfo: WireStruct {
    /// `any` is filled in by who relays.
    public var sourceIPv4 = VirtualAddress.any
    public var sourcePort: UInt16 = 0
    public var destinationIPv4 = VirtualAddress.any
    public var destinationPort: UInt16 = 0
    public var transport = TransportProtocol.udp

    static let length = 0x10
    static let sourceOffset = 0x00
    static let destinationOffset = 0x06

    public init() {}

    package var size: Int { Self.length }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.value(&sourceIPv4, "SourceIpV4", at: Self.sourceOffset)
        fields.integer(&sourcePort, "SourcePort", at: 0x04)
        fields.value(&destinationIPv4, "DestIpV4", at: Self.destinationOffset)
        fields.integer(&destinationPort, "DestPort", at: 0x0A)
        fields.value(&transport, "Protocol", at: 0x0C)
    }
}

/// The beginning of `ProxyData`; the datagram follows.
public struct ProxyDataHeader: WireStruct {
    public var info = ProxyInfo()
    /// The bytes of the datagram.
    public var dataLength: UInt32 = 0

    static let length = 0x14
    static let dataLengthOffset = 0x10

    public init() {}

    package var size: Int { Self.length }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.structure(&info, "Info", at: 0x00)
        fields.integer(&dataLength, "DataLength", at: Self.dataLengthOffset)
    }
}

/// `ProxyDisconnect`: a game has closed its end of a connection.
public struct ProxyDisconnectMessage: WireStruct {
    public var info = ProxyInfo()
    /// Always 0.
    public var disconnectReason: Int32 = 0

    static let length = 0x14

    public init() {}

    package var size: Int { Self.length }

    package mutating func walk(_ fields: inout some FieldWalker) {
        fields.structure(&info, "Info", at: 0x00)
        fields.integer(&disconnectReason, "DisconnectReason", at: 0x10)
    }
}

/// A packet between players, as whoever relays looks at it: the few fields that decide where it goes, read in place.
package struct ProxiedPacket {
    /// The packet as it came.
    package let frame: ByteBuffer
    package let source: VirtualAddress
    package let destination: VirtualAddress

    /// `nil` if the packet is too short for what it is, or `ProxyData` announces more data than came.
    package init?(_ frame: Frame) {
        let bytes = frame.bytes
        let payload = bytes.readerIndex + Frame.headerLength
        let count = bytes.readableBytes - Frame.headerLength
        guard count >= Self.headLength(of: frame.type),
            let source = bytes.getInteger(at: payload + ProxyInfo.sourceOffset, endianness: .little, as: UInt32.self),
            let destination = bytes.getInteger(
                at: payload + ProxyInfo.destinationOffset, endianness: .little, as: UInt32.self)
        else { return nil }
        if frame.type == .proxyData {
            let dataLength: UInt32? = bytes.getInteger(
                at: payload + ProxyDataHeader.dataLengthOffset, endianness: .little)
            guard let dataLength, Int(dataLength) <= count - ProxyDataHeader.length else { return nil }
        }
        self.frame = bytes
        self.source = VirtualAddress(rawValue: source)
        self.destination = VirtualAddress(rawValue: destination)
    }

    /// The packet as its receivers get it, from `sender`: the very bytes that came, or a copy where the sender left its
    /// address out; `nil` if it used somebody else's.
    package func bytes(from sender: VirtualAddress) -> ByteBuffer? {
        if source == sender { return frame }
        guard source == .any else { return nil }
        var filled = frame
        filled.setInteger(
            sender.rawValue, at: filled.readerIndex + Frame.headerLength + ProxyInfo.sourceOffset, endianness: .little)
        return filled
    }

    private static func headLength(of type: PacketType) -> Int {
        switch type {
        case .proxyData: ProxyDataHeader.length
        case .proxyDisconnect: ProxyDisconnectMessage.length
        default: ProxyInfo.length
        }
    }
}
