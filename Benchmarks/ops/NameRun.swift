import RelayCore

/// Bans of names, and the names of those who come.
struct NameRun: BanRun {
    enum Kind {
        case names
        case patterns
    }

    private var bans = NameBans()
    private let strangers: [String]
    private let banned: [String]

    init(_ kind: Kind, _ count: Int) {
        for number in 0..<count {
            let pattern = kind == .names ? "Cheater \(number)" : "*cheat\(number)er*"
            bans.add(NameBans.Ban(kind: .name, pattern: pattern, protocolName: nil, until: nil, reason: "cheats"))
        }
        var numbers = RandomSource.seeded(7)
        strangers = (0..<count).map { "Player \($0)" }.shuffled(using: &numbers)
        banned = (0..<count).map { kind == .names ? "cheater \($0)" : "a Cheat\($0)er!" }.shuffled(using: &numbers)
    }

    func look(for count: Int, ofBanned: Bool) {
        let people = ofBanned ? banned : strangers
        var (found, index) = (0, 0)
        for _ in 0..<count {
            if bans.reason(against: people[index], .name, in: "json", at: .zero) != nil { found += 1 }
            index = index + 1 == people.count ? 0 : index + 1
        }
        precondition(found == (ofBanned ? count : 0), "\(found) of \(count) are banned")
    }
}
