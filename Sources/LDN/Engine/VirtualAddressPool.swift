import RelayCore

/// Gives the players of one network their addresses in 10.114.0.0/16.
struct VirtualAddressPool {
    /// Addresses kept for certain clients; never given to others.
    private let reserved: [AddressEntry]
    private var taken: [VirtualAddress] = []
    /// The address given last; the next one comes after it.
    private var last = VirtualAddress.network

    /// - Parameter list: the first entry without an address ends it. Of entries that would give one address to two
    ///   clients, or two to one, the first counts.
    init(reserving list: [AddressEntry] = []) {
        var reserved: [AddressEntry] = []
        for entry in list.prefix(while: { $0.ipv4Address != .any }) where !entry.ipv4Address.isBroadcast {
            let clashes = reserved.contains {
                $0.ipv4Address == entry.ipv4Address || $0.macAddress == entry.macAddress
            }
            if !clashes { reserved.append(entry) }
        }
        self.reserved = reserved
    }

    /// The address kept for that client, else the next free one. A given back address comes last: only once all others
    /// have had their turn.
    mutating func take(for client: MACAddress) -> VirtualAddress {
        if let entry = reserved.first(where: { $0.macAddress == client }) { return entry.ipv4Address }
        repeat { last = Self.successor(of: last) } while isTaken(last)
        taken.append(last)
        return last
    }

    mutating func giveBack(_ address: VirtualAddress) {
        taken.removeAll { $0 == address }
    }

    private func isTaken(_ address: VirtualAddress) -> Bool {
        taken.contains(address) || reserved.contains { $0.ipv4Address == address }
    }

    /// The next address of the /16, the first one after the last; never that of the network or the broadcast.
    private static func successor(of address: VirtualAddress) -> VirtualAddress {
        let host = (address.rawValue &+ 1) & ~VirtualAddress.mask.rawValue
        let isUsable = host != 0 && host != ~VirtualAddress.mask.rawValue
        return VirtualAddress(rawValue: VirtualAddress.network.rawValue | (isUsable ? host : 1))
    }
}
