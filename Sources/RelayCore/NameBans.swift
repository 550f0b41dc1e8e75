/// Which names may not be used, by protocol or in all.
public struct NameBans: Sendable {
    /// What a ban of a name is about.
    public enum Kind: Hashable, Sendable {
        /// What a protocol calls a peer: an id, a nick.
        case name
        case room
    }

    public struct Ban: Hashable, Sendable {
        public var kind: Kind
        public var pattern: String
        /// `nil` is every protocol.
        public var protocolName: String?
        /// `nil` is for ever.
        public var until: Instant?
        public var reason: String

        public init(kind: Kind, pattern: String, protocolName: String?, until: Instant?, reason: String) {
            self.kind = kind
            self.pattern = pattern
            self.protocolName = protocolName
            self.until = until
            self.reason = reason
        }
    }

    private struct Key: Hashable {
        var kind: Kind
        var name: String
    }

    /// The bans of one name: that of all protocols, and those of one.
    private struct Named {
        var everywhere: Ban?
        var byProtocol: [String: Ban]?

        var isEmpty: Bool { everywhere == nil && byProtocol == nil }

        mutating func set(_ ban: Ban?, for protocolName: String?) {
            guard let protocolName else {
                everywhere = ban
                return
            }
            byProtocol = byProtocol ?? [:]
            byProtocol?[protocolName] = ban
            if byProtocol?.isEmpty == true { byProtocol = nil }
        }
    }

    /// Those that stand for one name alone: one look-up, however many there are.
    private var plain: [Key: Named] = [:]
    private var patterns: [(pattern: NamePattern, ban: Ban)] = []

    public init() {}

    public var isEmpty: Bool { plain.isEmpty && patterns.isEmpty }

    /// How many are looked through for each name.
    public var patternCount: Int { patterns.count }

    /// Adds a ban, in place of one of the same pattern.
    public mutating func add(_ ban: Ban) {
        remove(ban.kind, ban.pattern, of: ban.protocolName)
        let pattern = NamePattern(ban.pattern)
        if pattern.isPlain {
            plain[Self.key(ban.kind, ban.pattern), default: Named()].set(ban, for: ban.protocolName)
        } else {
            patterns.append((pattern, ban))
        }
    }

    public mutating func remove(_ kind: Kind, _ pattern: String, of protocolName: String?) {
        let folded = NamePattern(pattern)
        if folded.isPlain {
            let key = Self.key(kind, pattern)
            plain[key]?.set(nil, for: protocolName)
            if plain[key]?.isEmpty == true { plain[key] = nil }
        } else {
            patterns.removeAll { $0.ban.kind == kind && $0.ban.protocolName == protocolName && $0.pattern == folded }
        }
    }

    /// The ban that keeps a name out of a protocol now, that of one name before that of a pattern.
    public func ban(of name: String, _ kind: Kind, in protocolName: String, at now: Instant) -> Ban? {
        func holds(_ ban: Ban) -> Bool { ban.until.map { now < $0 } ?? true }
        if !plain.isEmpty, let named = plain[Self.key(kind, name)] {
            if let ban = named.byProtocol?[protocolName], holds(ban) { return ban }
            if let ban = named.everywhere, holds(ban) { return ban }
        }
        guard !patterns.isEmpty else { return nil }
        let folded = NamePattern.folded(name)
        return patterns.first { pattern, ban in
            guard ban.kind == kind, ban.protocolName == nil || ban.protocolName == protocolName else { return false }
            return holds(ban) && pattern.matches(folded: folded)
        }?.ban
    }

    private static func key(_ kind: Kind, _ name: String) -> Key { Key(kind: kind, name: NamePattern.key(of: name)) }
}
