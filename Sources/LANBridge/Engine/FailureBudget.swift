import RelayCore

/// How often an address has failed to say a room's secret; for a bounded number of addresses.
struct FailureBudget {
    private struct Failures {
        var count: Int
        var since: Instant
    }

    private var subjects: [IPPrefix: Failures] = [:]
    private let memory: Int

    init(memory: Int = 16_384) {
        self.memory = memory
    }

    var count: Int { subjects.count }

    func isSpent(_ address: IPAddress, limit: Int, window: Duration, at now: Instant) -> Bool {
        guard limit > 0, let failures = subjects[.household(of: address)] else { return false }
        return failures.count >= limit && now - failures.since < window
    }

    mutating func fail(_ address: IPAddress, window: Duration, at now: Instant) {
        let subject = IPPrefix.household(of: address)
        if let failures = subjects[subject], now - failures.since < window {
            subjects[subject]?.count = failures.count + 1
            return
        }
        if subjects.count >= memory {
            subjects = subjects.filter { now - $0.value.since < window }
            // So many failing addresses are an attack; who began first is forgotten first.
            if subjects.count >= memory {
                let oldest = subjects.sorted { $0.value.since < $1.value.since }.prefix(memory / 4)
                for entry in oldest { subjects.removeValue(forKey: entry.key) }
            }
        }
        subjects[subject] = Failures(count: 1, since: now)
    }
}
