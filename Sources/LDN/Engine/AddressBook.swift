import RelayCore

/// What one address may still do. Its sessions share it.
final class AddressAccount {
    var sessions = 0
    var creates: TokenBucket
    var scans: TokenBucket
    var joins: TokenBucket
    var probes: TokenBucket
    var bytes: TokenBucket

    init(at now: Instant) {
        let full = TokenBucket(at: now)
        (creates, scans, joins, probes, bytes) = (full, full, full, full, full)
    }

    /// Whether nothing would change if it were forgotten.
    func isFresh(at now: Instant) -> Bool {
        sessions == 0 && [creates, scans, joins, probes, bytes].allSatisfy { $0.isFull(at: now) }
    }
}

/// The accounts of all addresses that are, or were a moment ago, connected.
struct AddressBook {
    /// Holding more accounts than this, those without a session are forgotten.
    private static let memory = 65_536

    private var accounts: [IPAddress: AddressAccount] = [:]

    /// The account of an address, or of the /64 an IPv6 address lies in.
    mutating func account(of address: IPAddress, at now: Instant) -> AddressAccount {
        let subject = Self.subject(address)
        if let account = accounts[subject] { return account }
        if accounts.count >= Self.memory { accounts = accounts.filter { $0.value.sessions > 0 } }
        let account = AddressAccount(at: now)
        accounts[subject] = account
        return account
    }

    /// A session of that address has ended.
    mutating func release(_ address: IPAddress, at now: Instant) {
        let subject = Self.subject(address)
        guard let account = accounts[subject] else { return }
        account.sessions -= 1
        if account.isFresh(at: now) { accounts[subject] = nil }
    }

    private static func subject(_ address: IPAddress) -> IPAddress {
        address.ipv4 == nil ? IPAddress(high: address.high, low: 0) : address
    }
}
