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

    /// What is asked for of a ban: no more, so that many of them stay near each other in memory.
    private struct Verdict {
        var until: Instant?
        var reason: String

        init(_ ban: Ban) {
            (until, reason) = (ban.until, ban.reason)
        }

        func holds(at now: Instant) -> Bool { until.map { now < $0 } ?? true }
    }

    /// The bans of one name: that of all protocols, and those of one.
    private struct Named {
        var everywhere: Verdict?
        var byProtocol: [String: Verdict]?

        var isEmpty: Bool { everywhere == nil && byProtocol == nil }

        mutating func set(_ verdict: Verdict?, for protocolName: String?) {
            guard let protocolName else {
                everywhere = verdict
                return
            }
            byProtocol = byProtocol ?? [:]
            byProtocol?[protocolName] = verdict
            if byProtocol?.isEmpty == true { byProtocol = nil }
        }
    }

    private struct Pattern {
        var pattern: NamePattern
        var kind: Kind
        var protocolName: String?
        var verdict: Verdict
    }

    /// Those that stand for one name alone, by what it counts as: one look-up, however many there are.
    private var names: [String: Named] = [:]
    private var rooms: [String: Named] = [:]
    private var patterns: [Pattern] = []

    public init() {}

    public var isEmpty: Bool { names.isEmpty && rooms.isEmpty && patterns.isEmpty }

    /// How many are looked through for each name.
    public var patternCount: Int { patterns.count }

    /// Adds a ban, in place of one of the same pattern.
    public mutating func add(_ ban: Ban) {
        remove(ban.kind, ban.pattern, of: ban.protocolName)
        let pattern = NamePattern(ban.pattern)
        if pattern.isPlain {
            change(ban.kind, ban.pattern) { $0.set(Verdict(ban), for: ban.protocolName) }
        } else {
            patterns.append(
                Pattern(pattern: pattern, kind: ban.kind, protocolName: ban.protocolName, verdict: Verdict(ban)))
        }
    }

    public mutating func remove(_ kind: Kind, _ pattern: String, of protocolName: String?) {
        let folded = NamePattern(pattern)
        if folded.isPlain {
            change(kind, pattern) { $0.set(nil, for: protocolName) }
        } else {
            patterns.removeAll { $0.kind == kind && $0.protocolName == protocolName && $0.pattern == folded }
        }
    }

    /// Why a name is kept out of a protocol now; `nil` if it is not. A ban of one name comes before that of a pattern, and
    /// one of the protocol before that of all.
    public func reason(against name: String, _ kind: Kind, in protocolName: String, at now: Instant) -> String? {
        let plain = kind == .name ? names : rooms
        if !plain.isEmpty, let named = plain[NamePattern.key(of: name)] {
            if let verdict = named.byProtocol?[protocolName], verdict.holds(at: now) { return verdict.reason }
            if let verdict = named.everywhere, verdict.holds(at: now) { return verdict.reason }
        }
        guard !patterns.isEmpty else { return nil }
        let folded = NamePattern.folded(name)
        return patterns.first { ban in
            guard ban.kind == kind, ban.protocolName == nil || ban.protocolName == protocolName else { return false }
            return ban.verdict.holds(at: now) && ban.pattern.matches(folded: folded)
        }?.verdict.reason
    }

    private mutating func change(_ kind: Kind, _ name: String, _ change: (inout Named) -> Void) {
        let key = NamePattern.key(of: name)
        var named = (kind == .name ? names[key] : rooms[key]) ?? Named()
        change(&named)
        switch kind {
        case .name: names[key] = named.isEmpty ? nil : named
        case .room: rooms[key] = named.isEmpty ? nil : named
        }
    }
}
