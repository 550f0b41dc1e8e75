import RelayCore

/// Keys that were seen lately, for a bounded number of keys: when there are too many, those seen longest ago go.
struct RecentTable<Key: Hashable & Sendable>: Sendable {
    private var seen: [Key: Instant] = [:]
    private let capacity: Int
    private let lifetime: Duration?

    /// `lifetime` of `nil` keeps keys until others need the room.
    init(capacity: Int, lifetime: Duration?) {
        self.capacity = capacity
        self.lifetime = lifetime
    }

    var count: Int { seen.count }

    func contains(_ key: Key, at now: Instant) -> Bool {
        guard !seen.isEmpty, let last = seen[key] else { return false }
        return isAlive(last, at: now)
    }

    mutating func touch(_ key: Key, at now: Instant) {
        if let index = seen.index(forKey: key) {
            seen.values[index] = max(seen.values[index], now)
            return
        }
        if seen.count >= capacity { makeRoom(at: now) }
        seen[key] = now
    }

    /// Takes a key in; whether it was not there.
    mutating func isNew(_ key: Key, at now: Instant) -> Bool {
        guard !contains(key, at: now) else { return false }
        seen.removeValue(forKey: key)
        touch(key, at: now)
        return true
    }

    /// Keeps a key whatever the time is.
    mutating func pin(_ key: Key) {
        seen[key] = Instant(nanoseconds: .max)
    }

    mutating func remove(_ key: Key) {
        seen.removeValue(forKey: key)
    }

    /// A quarter goes at once, so that it costs little for each.
    private mutating func makeRoom(at now: Instant) {
        seen = seen.filter { isAlive($0.value, at: now) }
        guard seen.count >= capacity else { return }
        let oldest = seen.filter { $0.value.nanoseconds < .max }.sorted { $0.value < $1.value }.prefix(capacity / 4 + 1)
        for entry in oldest { seen.removeValue(forKey: entry.key) }
    }

    private func isAlive(_ last: Instant, at now: Instant) -> Bool {
        guard let lifetime else { return true }
        return last.nanoseconds == .max || now.nanoseconds - last.nanoseconds <= lifetime.wholeNanoseconds
    }
}
