extension IPAddress {
    /// Whether a machine of the internet can have this address: none of those set aside for private networks, loopback,
    /// links, groups, documentation, tests or translation (RFC 6890 and its registries).
    public var isGlobal: Bool {
        if let ipv4 { return !Self.isSpecial(ipv4) }
        if let embedded = embeddedIPv4 { return !Self.isSpecial(embedded) }
        // Only 2000::/3 is given out, and of it not all.
        return high >> 61 == 1 && !Self.specialPrefixes.contains { $0.contains(self) }
    }

    /// The IPv4 address that traffic to a 6to4 (2002::/16) or NAT64 (64:ff9b::/96) address ends at.
    private var embeddedIPv4: UInt32? {
        if high >> 48 == 0x2002 { return UInt32(truncatingIfNeeded: high >> 16) }
        if high == 0x0064_FF9B_0000_0000, low >> 32 == 0 { return UInt32(truncatingIfNeeded: low) }
        return nil
    }

    private static func isSpecial(_ ipv4: UInt32) -> Bool {
        specialBlocks.contains { ipv4 >> (32 - $0.bits) == $0.first >> (32 - $0.bits) }
    }

    private static let specialBlocks: [(first: UInt32, bits: UInt32)] = [
        (0x0000_0000, 8), (0x0A00_0000, 8), (0x6440_0000, 10), (0x7F00_0000, 8), (0xA9FE_0000, 16),
        (0xAC10_0000, 12), (0xC000_0000, 24), (0xC000_0200, 24), (0xC058_6300, 24), (0xC0A8_0000, 16),
        (0xC612_0000, 15), (0xC633_6400, 24), (0xCB00_7100, 24), (0xE000_0000, 3),
    ]

    private static let specialPrefixes: [IPPrefix] =
        ["2001::/23", "2001:db8::/32", "3fff::/20"].compactMap { IPPrefix($0) }
}
