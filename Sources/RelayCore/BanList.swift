/// Who may not connect, until when, and why.
public struct BanList: Sendable, Equatable {
    public struct Ban: Sendable, Equatable {
        public var prefix: IPPrefix
        /// `nil` is for ever.
        public var until: Instant?
        /// What the operator wrote down.
        public var reason: String

        public init(prefix: IPPrefix, until: Instant?, reason: String) {
            self.prefix = prefix
            self.until = until
            self.reason = reason
        }
    }

    /// By length of prefix, longest first, so that a look-up costs one hash per length in use and not one per ban.
    private var bansByLength: [(bits: Int, bans: [IPPrefix: Ban])] = []

    public init() {}

    public init(_ bans: some Sequence<Ban>) {
        for ban in bans { add(ban) }
    }

    public mutating func add(_ ban: Ban) {
        let bits = ban.prefix.bits
        if let index = bansByLength.firstIndex(where: { $0.bits == bits }) {
            bansByLength[index].bans[ban.prefix] = ban
        } else {
            bansByLength.append((bits, [ban.prefix: ban]))
            bansByLength.sort { $0.bits > $1.bits }
        }
    }

    public mutating func remove(_ prefix: IPPrefix) {
        guard let index = bansByLength.firstIndex(where: { $0.bits == prefix.bits }) else { return }
        bansByLength[index].bans[prefix] = nil
        if bansByLength[index].bans.isEmpty { bansByLength.remove(at: index) }
    }

    /// The ban that keeps an address out now, the most precise one if there are several.
    public func ban(of address: IPAddress, at now: Instant) -> Ban? {
        for (bits, bans) in bansByLength {
            if let ban = bans[IPPrefix(address, bits: bits)], ban.until.map({ now < $0 }) ?? true { return ban }
        }
        return nil
    }

    public static func == (left: BanList, right: BanList) -> Bool {
        left.bansByLength.map(\.bans) == right.bansByLength.map(\.bans)
    }
}
