import RelayCore

/// The tokens of joiners that are still to come, oldest first.
struct WaitingTokens: Sendable {
    private var tokens: [ExternalProxyToken] = []

    var count: Int { tokens.count }

    /// Keeps a token; of more than `limit` the oldest is forgotten.
    mutating func append(_ token: ExternalProxyToken, limit: Int) {
        tokens.append(token)
        if tokens.count > limit { tokens.removeFirst(tokens.count - limit) }
    }

    /// Takes out a token, which is then good no more; `nil` if it is not here, or not for this address.
    ///
    /// - Parameter address: where it was shown; `nil` if that does not matter.
    mutating func take(_ token: ProxyToken, from address: IPAddress?) -> ExternalProxyToken? {
        // All are looked at, so that the time taken does not tell where the one is.
        var found: Int?
        for (index, waiting) in tokens.enumerated() where waiting.token == token && waiting.isGood(from: address) {
            found = index
        }
        return found.map { tokens.remove(at: $0) }
    }

    /// Forgets the tokens of a player that will not come. Returns how many there were.
    @discardableResult
    mutating func remove(for address: VirtualAddress) -> Int {
        let before = tokens.count
        tokens.removeAll { $0.virtualIP == address }
        return before - tokens.count
    }

    mutating func removeAll() { tokens.removeAll() }
}

extension ExternalProxyToken {
    fileprivate func isGood(from address: IPAddress?) -> Bool {
        guard let address, physicalIP != .zero else { return true }
        guard let expected = physicalIP.address(addressFamily) else { return false }
        // An IPv4 address is one, in whichever form the master wrote it.
        return expected == address
    }
}
