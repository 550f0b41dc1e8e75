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
        var numbers = Numbers(7)
        var list = BanList()
        // Half of the internet is banned from, so that the other half are strangers for certain.
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

    /// One in five is IPv6. The first bit behind the longest common prefix tells the halves apart.
    private static func address(inBannedHalf isBanned: Bool, _ numbers: inout Numbers) -> IPAddress {
        if Int.random(in: 0..<5, using: &numbers) == 0 {
            let high = UInt64.random(in: 0...(.max >> 16), using: &numbers)
            return IPAddress(high: (isBanned ? 0x2001 << 48 : 0x2A00 << 48) | high, low: numbers.next())
        }
        let number = UInt32.random(in: 0...(.max >> 1), using: &numbers)
        return IPAddress(ipv4: isBanned ? number | 1 << 31 : number)
    }

    /// Most block lists name single addresses and /24s most; nobody blocks more than a /8.
    private static func length(for address: IPAddress, _ numbers: inout Numbers) -> Int {
        let lengths = address.ipv4 == nil ? 16...128 : 8...32
        let usual = address.ipv4 == nil ? [128, 64, 48, 32] : [32, 24, 24, 16]
        if Bool.random(using: &numbers) { return usual.randomElement(using: &numbers) ?? 32 }
        return Int.random(in: lengths, using: &numbers)
    }
}
