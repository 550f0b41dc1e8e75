import RelayCore

/// Bans of addresses, and the addresses of those who come: as many as there are bans, so that the cache has to hold both.
struct AddressRun: BanRun {
    enum Kind {
        case addresses
        case ranges
    }

    private var admission = Admission(limits: .init())
    private var strangers: [IPAddress] = []
    private var banned: [IPAddress] = []

    init(_ kind: Kind, _ bans: Int) {
        var numbers = RandomSource.seeded(7)
        var list = BanList()
        while banned.count < bans {
            let address = Self.address(inBannedHalf: true, &numbers)
            let length = kind == .addresses ? nil : Self.length(for: address, &numbers)
            guard let prefix = IPPrefix(length.map { "\(address)/\($0)" } ?? "\(address)") else {
                preconditionFailure("\(address) is no prefix")
            }
            list.add(BanList.Ban(prefix: prefix, until: nil, reason: "cheats"))
            banned.append(address)
        }
        admission.madeBans = list
        strangers = (0..<bans).map { _ in Self.address(inBannedHalf: false, &numbers) }
        banned.shuffle(using: &numbers)
    }

    func look(for count: Int, ofBanned: Bool) {
        let people = ofBanned ? banned : strangers
        var (found, index) = (0, 0)
        for _ in 0..<count {
            if admission.ban(of: people[index], at: .zero) != nil { found += 1 }
            index = index + 1 == people.count ? 0 : index + 1
        }
        precondition(found == (ofBanned ? count : 0), "\(found) of \(count) are banned")
    }

    /// One in five is IPv6. The banned are of the odd /8 and of IPv6 the odd /16, strangers of the even ones between them, so
    /// that a stranger is one for certain, and has bans for neighbours.
    private static func address(inBannedHalf isBanned: Bool, _ numbers: inout RandomSource) -> IPAddress {
        let odd: UInt64 = isBanned ? 1 : 0
        if Int.random(in: 0..<5, using: &numbers) == 0 {
            let network = UInt64.random(in: 0x1000..<0x2000, using: &numbers) << 1 | odd
            return IPAddress(high: network << 48 | numbers.next() >> 16, low: numbers.next())
        }
        let network = UInt64.random(in: 0..<112, using: &numbers) << 1 | odd
        return IPAddress(ipv4: UInt32(truncatingIfNeeded: network << 24 | numbers.next() >> 40))
    }

    /// Most block lists name single addresses and /24s most; nobody blocks more than a /8.
    private static func length(for address: IPAddress, _ numbers: inout RandomSource) -> Int {
        let lengths = address.ipv4 == nil ? 16...128 : 8...32
        let usual = address.ipv4 == nil ? [128, 64, 48, 32] : [32, 24, 24, 16]
        if Bool.random(using: &numbers) { return usual.randomElement(using: &numbers) ?? 32 }
        return Int.random(in: lengths, using: &numbers)
    }
}
