/// The address of a network card: 48 bits, the first octet highest.
public struct MACAddress: Hashable, Sendable, CustomStringConvertible {
    /// Only the lower 48 bits are used.
    public let bits: UInt64

    public init(bits: UInt64) {
        self.bits = bits & 0xFFFF_FFFF_FFFF
    }

    /// Parses six pairs of hexadecimal digits with colons or dashes between; `nil` for anything else.
    public init?(_ text: some StringProtocol) {
        let octets = text.split(omittingEmptySubsequences: false) { $0 == ":" || $0 == "-" }
        guard octets.count == 6 else { return nil }
        var bits: UInt64 = 0
        for octet in octets {
            guard octet.utf8.count == 2, octet.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
                let value = UInt8(octet, radix: 16)
            else { return nil }
            bits = bits << 8 | UInt64(value)
        }
        self.init(bits: bits)
    }

    public static let zero = MACAddress(bits: 0)
    public static let broadcast = MACAddress(bits: 0xFFFF_FFFF_FFFF)

    /// Whether it names many stations: the lowest bit of the first octet. Broadcast is such an address.
    public var isGroup: Bool { bits >> 40 & 1 == 1 }
    /// Whether somebody made it up, as the second lowest bit of the first octet says.
    public var isLocal: Bool { bits >> 41 & 1 == 1 }
    /// Whether a station can have it.
    public var isStation: Bool { !isGroup && self != .zero }

    /// A new local address of a station.
    public static func random(using random: inout some RandomNumberGenerator) -> MACAddress {
        MACAddress(bits: random.next() & 0xFCFF_FFFF_FFFF | 0x0200_0000_0000)
    }

    /// `02:4c:41:4e:01:01`.
    public var description: String {
        stride(from: 40, through: 0, by: -8).map { shift in
            let octet = String(bits >> UInt64(shift) & 0xFF, radix: 16)
            return octet.count == 1 ? "0" + octet : octet
        }.joined(separator: ":")
    }
}
