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
        var protocolName: String?
    }

    /// Those that stand for one name alone: one look-up, however many there are.
    private var plain: [Key: Ban] = [:]
    private var patterns: [Key: (pattern: NamePattern, ban: Ban)] = [:]

    public init() {}

    public var isEmpty: Bool { plain.isEmpty && patterns.isEmpty }

    /// How many are looked through for each name.
    public var patternCount: Int { patterns.count }

    /// Adds a ban, in place of one of the same pattern.
    public mutating func add(_ ban: Ban) {
        let pattern = NamePattern(ban.pattern)
        let key = Self.key(ban.kind, ban.pattern, ban.protocolName)
        if pattern.isPlain { plain[key] = ban } else { patterns[key] = (pattern, ban) }
    }

    public mutating func remove(_ kind: Kind, _ pattern: String, of protocolName: String?) {
        let key = Self.key(kind, pattern, protocolName)
        plain[key] = nil
        patterns[key] = nil
    }

    /// The ban that keeps a name out of a protocol now.
    public func ban(of name: String, _ kind: Kind, in protocolName: String, at now: Instant) -> Ban? {
        func holds(_ ban: Ban) -> Bool { ban.until.map { now < $0 } ?? true }
        for place in [protocolName, nil] {
            if let ban = plain[Self.key(kind, name, place)], holds(ban) { return ban }
        }
        for (key, (pattern, ban)) in patterns where key.kind == kind && holds(ban) {
            guard key.protocolName == nil || key.protocolName == protocolName, pattern.matches(name) else { continue }
            return ban
        }
        return nil
    }

    private static func key(_ kind: Kind, _ pattern: String, _ protocolName: String?) -> Key {
        Key(kind: kind, name: NamePattern.key(of: pattern), protocolName: protocolName)
    }
}
