import RelayCore

/// Who has which IP address in a room.
///
/// A client has at most one IPv4 address and 8 IPv6 addresses: those that a DHCP server of the LAN gave it, else those it
/// used before anybody else did. They are free again 10 minutes after its last frame from there. What machines of the LAN
/// use, and what the operator names, is protected: no client may have it.
struct AddressBook: Sendable {
    static let lifetime = Duration.seconds(600)
    private static let lifetimeNanoseconds = lifetime.wholeNanoseconds
    private static let maxIPv6 = 8
    private static let maxProtected = 4096

    private struct IPv4Holding: Sendable {
        /// 0 is none.
        var address: UInt32 = 0
        var seen = Instant.zero
        var isLeased = false
    }

    private struct IPv6Holding: Sendable {
        var address: IPAddress
        var seen: Instant
    }

    private struct Holdings: Sendable {
        var ipv4 = IPv4Holding()
        var ipv6: [IPv6Holding] = []
    }

    private var holdings: [Holdings] = []
    private var holdersOfIPv4: [UInt32: ClientPort] = [:]
    private var holdersOfIPv6: [IPAddress: ClientPort] = [:]
    private var protectedIPv4 = RecentTable<UInt32>(capacity: maxProtected, lifetime: lifetime)
    private var protectedIPv6 = RecentTable<IPAddress>(capacity: maxProtected, lifetime: lifetime)

    /// How many addresses are remembered.
    var count: Int { holdersOfIPv4.count + holdersOfIPv6.count + protectedIPv4.count + protectedIPv6.count }

    // MARK: Clients

    mutating func add(_ client: ClientPort) {
        while holdings.count <= client.index { holdings.append(Holdings()) }
        holdings[client.index].ipv6.reserveCapacity(Self.maxIPv6)
    }

    /// Frees all that a client has.
    mutating func remove(_ client: ClientPort) {
        guard client.index < holdings.count else { return }
        release(client)
        for held in holdings[client.index].ipv6 { holdersOfIPv6.removeValue(forKey: held.address) }
        holdings[client.index] = Holdings()
    }

    func ipv4(of client: ClientPort) -> UInt32? {
        guard client.index < holdings.count, holdings[client.index].ipv4.address != 0 else { return nil }
        return holdings[client.index].ipv4.address
    }

    /// Whether a client may not say it has this address: it is protected, or bound to another.
    @inline(__always)
    func isForeign(ipv4 address: UInt32, to client: ClientPort, at now: Instant) -> Bool {
        // An address a client holds is never protected: protecting it takes it from him.
        if holdings[client.index].ipv4.address == address { return false }
        if protectedIPv4.contains(address, at: now) { return true }
        guard let holder = holdersOfIPv4[address], holder != client else { return false }
        return isFresh(holdings[holder.index].ipv4.seen, at: now)
    }

    func isForeign(ipv6 address: IPAddress, to client: ClientPort, at now: Instant) -> Bool {
        if protectedIPv6.contains(address, at: now) { return true }
        guard let holder = holdersOfIPv6[address], holder != client else { return false }
        let held = holdings[holder.index].ipv6.first { $0.address == address }
        return held.map { isFresh($0.seen, at: now) } ?? false
    }

    /// A client used an address that is not foreign to it.
    @inline(__always)
    mutating func use(ipv4 address: UInt32, by client: ClientPort, at now: Instant) {
        if holdings[client.index].ipv4.address == address {
            holdings[client.index].ipv4.seen = now
        } else if address != 0 {
            let held = holdings[client.index].ipv4
            // What a DHCP server gave stays his while he uses it, whatever else he tries.
            if held.isLeased, isFresh(held.seen, at: now) { return }
            give(ipv4: address, to: client, isLeased: false, at: now)
        }
    }

    mutating func use(ipv6 address: IPAddress, by client: ClientPort, at now: Instant) {
        guard address != .anyIPv6 else { return }
        if let index = holdings[client.index].ipv6.firstIndex(where: { $0.address == address }) {
            holdings[client.index].ipv6[index].seen = now
            return
        }
        if let holder = holdersOfIPv6[address] {
            holdings[holder.index].ipv6.removeAll { $0.address == address }
        }
        if holdings[client.index].ipv6.count == Self.maxIPv6,
            let oldest = holdings[client.index].ipv6.indices.min(by: {
                holdings[client.index].ipv6[$0].seen < holdings[client.index].ipv6[$1].seen
            })
        {
            let given = holdings[client.index].ipv6.remove(at: oldest)
            holdersOfIPv6.removeValue(forKey: given.address)
        }
        holdings[client.index].ipv6.append(IPv6Holding(address: address, seen: now))
        holdersOfIPv6[address] = client
    }

    /// A DHCP server of the LAN gave a client an address.
    mutating func lease(ipv4 address: UInt32, to client: ClientPort, at now: Instant) {
        guard address != 0, !protectedIPv4.contains(address, at: now) else { return }
        give(ipv4: address, to: client, isLeased: true, at: now)
    }

    private mutating func give(ipv4 address: UInt32, to client: ClientPort, isLeased: Bool, at now: Instant) {
        if let holder = holdersOfIPv4[address] { release(holder) }
        release(client)
        holdings[client.index].ipv4 = IPv4Holding(address: address, seen: now, isLeased: isLeased)
        holdersOfIPv4[address] = client
    }

    private mutating func release(_ client: ClientPort) {
        holdersOfIPv4.removeValue(forKey: holdings[client.index].ipv4.address)
        holdings[client.index].ipv4 = IPv4Holding()
    }

    private func isFresh(_ seen: Instant, at now: Instant) -> Bool {
        now.nanoseconds - seen.nanoseconds <= Self.lifetimeNanoseconds
    }

    // MARK: The LAN

    /// A machine of the LAN uses an address.
    mutating func protect(ipv4 address: UInt32, at now: Instant) {
        guard address != 0 else { return }
        if let holder = holdersOfIPv4[address] { release(holder) }
        protectedIPv4.touch(address, at: now)
    }

    mutating func protect(ipv6 address: IPAddress, at now: Instant) {
        guard address != .anyIPv6 else { return }
        if let holder = holdersOfIPv6.removeValue(forKey: address) {
            holdings[holder.index].ipv6.removeAll { $0.address == address }
        }
        protectedIPv6.touch(address, at: now)
    }

    /// Protects an address for good.
    mutating func pin(_ address: IPAddress) {
        if let ipv4 = address.ipv4 {
            if let holder = holdersOfIPv4[ipv4] { release(holder) }
            protectedIPv4.pin(ipv4)
        } else {
            if let holder = holdersOfIPv6.removeValue(forKey: address) {
                holdings[holder.index].ipv6.removeAll { $0.address == address }
            }
            protectedIPv6.pin(address)
        }
    }
}
