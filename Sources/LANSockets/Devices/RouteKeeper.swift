package import RelayCore

/// Keeps the way to the relay off the virtual card, and what the party's DHCP server says about other ways with it.
///
/// The relay's addresses get routes of their own, to where they are reached now; they are renewed when the network
/// changes, and removed at the end. A default route on the virtual card is removed as soon as it appears.
package final class RouteKeeper {
    private var relays: [IPAddress]
    private let journal: ChangeJournal
    private let tap: () -> Int32?
    private let metric: UInt32
    private var isCardUp = false
    package private(set) var pinned: [IPAddress: Route] = [:]
    /// Why a relay's address has no route of its own.
    package private(set) var failures: [IPAddress: NetworkFailure] = [:]
    /// How many default routes of the virtual card were removed.
    package private(set) var suppressed = 0
    /// Of the removals that will be told of, how many are its own.
    private var ownRemovals = 0

    /// - Parameters:
    ///   - metric: of the routes by which broadcasts and multicasts that name no card leave by the virtual one.
    ///   - tap: the number of the virtual card's interface.
    package init(to relays: [IPAddress], metric: UInt32, journal: ChangeJournal, tap: @escaping () -> Int32?) {
        self.relays = relays
        self.metric = metric
        self.journal = journal
        self.tap = tap
    }

    /// Pins what is not pinned, or no longer as it should be.
    package func renew() {
        for relay in relays where !relay.isLoopback {
            let old = pinned.removeValue(forKey: relay)
            // Only without it shows where packets would go.
            if let old, (try? old.remove()) != nil { ownRemovals += 1 }
            pin(relay)
            if old != pinned[relay] { journal.set(routes: Array(pinned.values)) }
        }
    }

    /// The relay has other addresses now.
    func follow(_ relays: [IPAddress]) {
        for gone in self.relays where !relays.contains(gone) {
            failures[gone] = nil
            try? pinned.removeValue(forKey: gone)?.remove()
        }
        self.relays = relays
        journal.set(routes: Array(pinned.values))
        renew()
    }

    private func pin(_ relay: IPAddress) {
        failures[relay] = nil
        do throws(NetworkFailure) {
            let route = try Route.best(to: relay)
            guard route.interface != tap() else {
                throw NetworkFailure(101, "reach \(relay) but through the virtual card itself")
            }
            journal.set(routes: Array(pinned.values) + [route])
            // Somebody else's route that is the same does as well, and is not ours to remove.
            if try route.add() { pinned[relay] = route }
        } catch {
            failures[relay] = error
        }
    }

    /// A route appeared on the virtual card.
    func appeared(_ route: Route) {
        guard route.isDefault else { return }
        if (try? route.remove()) != nil { suppressed += 1 }
    }

    /// The virtual card is up: from now on broadcasts go there.
    package func cardIsUp() {
        isCardUp = true
        leadBroadcasts()
    }

    /// Linux sends what games broadcast to 255.255.255.255, and multicasts, by the default route if they name no card:
    /// these routes have it go to the party. The kernel takes them away with the card, and with its last address.
    func leadBroadcasts() {
        guard isCardUp, let card = tap() else { return }
        for (address, prefix) in [(IPAddress(ipv4: 0xFFFF_FFFF), 32), (IPAddress(ipv4: 0xE000_0000), 4)] {
            var route = Route(to: address, prefix: prefix, interface: card)
            route.metric = metric
            _ = try? route.add()
        }
    }

    /// Pins anew if somebody has changed the way since.
    package func check() {
        leadBroadcasts()
        let isKept = pinned.allSatisfy { relay, route in (try? Route.best(to: relay))?.interface == route.interface }
        if !isKept || !failures.isEmpty { renew() }
    }

    /// A route was removed; whether somebody else did it to one of those that are kept here.
    func wasTaken(_ route: Route) -> Bool {
        guard isOwn(route) else { return false }
        if ownRemovals > 0 {
            ownRemovals -= 1
            return false
        }
        return true
    }

    /// Whether a route is one of those that are kept here.
    func isOwn(_ route: Route) -> Bool {
        relays.contains(route.destination) && route.prefix == (route.destination.ipv4 == nil ? 128 : 32)
    }

    /// Removes what was added.
    package func restore() {
        for route in pinned.values { try? route.remove() }
        pinned.removeAll()
        journal.set(routes: [])
    }
}
