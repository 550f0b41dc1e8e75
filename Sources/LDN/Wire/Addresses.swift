public import RelayCore

/// An IPv4 address of the game's own network, which exists between its players only.
///
/// On the wire it is a number whose most significant byte is the first octet, little-endian: 10.114.0.1 is `01 00 72 0A`.
public struct VirtualAddress: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// 0.0.0.0: the sender's own address, or none.
    public static let any = VirtualAddress(rawValue: 0)
    /// 10.114.0.0, the network all games are given.
    public static let network = VirtualAddress(rawValue: 0x0A72_0000)
    /// 255.255.0.0, its mask.
    public static let mask = VirtualAddress(rawValue: 0xFFFF_0000)
    /// 10.114.255.255: every player.
    public static let broadcast = VirtualAddress(rawValue: 0x0A72_FFFF)
    /// 192.168.0.255, by which some games mean every player.
    public static let legacyBroadcast = VirtualAddress(rawValue: 0xC0A8_00FF)
    /// 10.114.0.1, where clients take the host to be before they are told.
    public static let host = VirtualAddress(rawValue: 0x0A72_0001)

    public var isBroadcast: Bool { self == .broadcast || self == .legacyBroadcast }

    public var description: String { IPAddress(ipv4: rawValue).description }
}

/// Which kind of address a `PhysicalAddress` is: .NET's numbers, on every system.
public struct AddressFamily: RawRepresentable, Hashable, Sendable {
    public let rawValue: Int32

    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    public static let none = AddressFamily(rawValue: 0)
    public static let ipv4 = AddressFamily(rawValue: 2)
    public static let ipv6 = AddressFamily(rawValue: 23)
}

/// An address of the real network: 16 bytes in network order, IPv4 in the first four and zeros behind.
public struct PhysicalAddress: OctetString {
    public static let count = 16
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    public init(_ address: IPAddress) {
        if let ipv4 = address.ipv4 {
            self.init(high: UInt64(ipv4) << 32, low: 0)
        } else {
            self.init(high: address.high, low: address.low)
        }
    }

    /// The address, read as one of that family; `nil` for a family that no client uses.
    public func address(_ family: AddressFamily) -> IPAddress? {
        switch family {
        case .ipv4: IPAddress(ipv4: UInt32(truncatingIfNeeded: high >> 32))
        case .ipv6: IPAddress(high: high, low: low)
        default: nil
        }
    }
}

extension IPAddress {
    /// The family as this protocol numbers it. An IPv4 address is one, whichever socket it arrived on.
    public var family: AddressFamily { ipv4 == nil ? .ipv6 : .ipv4 }
}
