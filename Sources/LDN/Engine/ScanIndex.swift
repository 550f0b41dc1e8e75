import RelayCore

/// Finds networks for scans without a look at those of other games and other passphrases.
struct ScanIndex {
    private struct Key: Hashable {
        var passphrase: Passphrase
        /// `nil`: of all titles.
        var title: Int64?
    }

    private struct Shelf {
        var joinable = Pile()
        var full = Pile()
    }

    /// Networks in no order, each found at once to be taken out.
    private struct Pile {
        private(set) var networks: [(network: Network, sceneID: UInt16)] = []
        private var positions: [SessionID: Int] = [:]

        mutating func insert(_ network: Network) {
            positions[network.id] = networks.count
            networks.append((network, network.sceneID))
        }

        mutating func remove(_ id: SessionID) {
            guard let position = positions.removeValue(forKey: id) else { return }
            let last = networks.removeLast()
            guard position < networks.count else { return }
            networks[position] = last
            positions[last.network.id] = position
        }
    }

    private var shelves: [Key: Shelf] = [:]
    private var listings: [SessionID: Network.Listing] = [:]

    /// Notes a new network, or that it is full, has room, hides.
    mutating func update(_ network: Network) {
        let (old, new) = (listings[network.id] ?? .hidden, network.listing)
        guard old != new else { return }
        listings[network.id] = new == .hidden ? nil : new
        for key in Self.keys(of: network) {
            change(key) { shelf in
                switch old {
                case .joinable: shelf.joinable.remove(network.id)
                case .full: shelf.full.remove(network.id)
                case .hidden: break
                }
                switch new {
                case .joinable: shelf.joinable.insert(network)
                case .full: shelf.full.insert(network)
                case .hidden: break
                }
            }
        }
    }

    mutating func remove(_ network: Network) {
        guard listings.removeValue(forKey: network.id) != nil else { return }
        for key in Self.keys(of: network) {
            change(key) { shelf in
                shelf.joinable.remove(network.id)
                shelf.full.remove(network.id)
            }
        }
    }

    /// At most `limit` networks with that passphrase and, unless `nil`, that title and scene; those with room first.
    ///
    /// Where there are more than that, each scan begins at another one, so that none stays unseen.
    func networks(
        _ passphrase: Passphrase, title: Int64?, sceneID: UInt16?, except own: Network?, limit: Int,
        random: inout RandomSource
    ) -> [Network] {
        guard let shelf = shelves[Key(passphrase: passphrase, title: title)] else { return [] }
        var found: [Network] = []
        for pile in [shelf.joinable.networks, shelf.full.networks] where !pile.isEmpty {
            let start = pile.count > limit ? Int.random(in: 0..<pile.count, using: &random) : 0
            for candidate in [pile[start...], pile[..<start]].joined() {
                if found.count >= limit { return found }
                if let sceneID, candidate.sceneID != sceneID { continue }
                if candidate.network !== own { found.append(candidate.network) }
            }
        }
        return found
    }

    private mutating func change(_ key: Key, _ body: (inout Shelf) -> Void) {
        body(&shelves[key, default: Shelf()])
        if let shelf = shelves[key], shelf.joinable.networks.isEmpty, shelf.full.networks.isEmpty { shelves[key] = nil }
    }

    private static func keys(of network: Network) -> [Key] {
        [Key(passphrase: network.passphrase, title: network.title), Key(passphrase: network.passphrase, title: nil)]
    }
}
