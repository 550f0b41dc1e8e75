import RelayCore

/// Which MAC address was given to which client, so that a client that returns gets its own again.
///
/// A returning client proves itself by the id that came with the address. No two sessions ever have one address.
struct MACMemory {
    private struct Holder {
        var id: ClientID
        /// When its session ended; `nil` while it lasts.
        var releasedAt: Instant?
    }

    private var holders: [MACAddress: Holder] = [:]
    /// Addresses that were released, oldest first. Some have been claimed again since, or released once more.
    private var released: [(address: MACAddress, at: Instant)] = []
    /// How many of `released` are done with; they are cut off now and then.
    private var forgotten = 0

    var count: Int { holders.count }

    /// Names a client that comes and shows what it was given last time; whatever else it shows is ignored.
    mutating func claim(
        _ shown: InitializeMessage, within age: Duration, at now: Instant, random: inout RandomSource
    ) -> InitializeMessage {
        var given = InitializeMessage()
        given.id = .random(from: &random)
        if let holder = holders[shown.macAddress], holder.id == shown.id, let released = holder.releasedAt,
            now < released + age
        {
            given.macAddress = shown.macAddress
        } else {
            repeat { given.macAddress = .local(from: &random) } while holders[given.macAddress] != nil
        }
        holders[given.macAddress] = Holder(id: given.id)
        return given
    }

    /// Notes that a client has gone, and forgets those who went too long ago or are too many.
    mutating func release(_ identity: InitializeMessage, keeping limit: Int, within age: Duration, at now: Instant) {
        holders[identity.macAddress]?.releasedAt = now
        released.append((identity.macAddress, now))
        while released.count - forgotten > limit || (forgotten < released.count && released[forgotten].at + age <= now)
        {
            let (address, at) = released[forgotten]
            if holders[address]?.releasedAt == at { holders[address] = nil }
            forgotten += 1
        }
        if forgotten > 64, forgotten > released.count / 2 {
            released.removeFirst(forgotten)
            forgotten = 0
        }
    }
}
