package import LANBridge
package import RelayCore

/// One end of the tunnel as a program runs it: it makes or opens the card, changes what must be changed of the machine,
/// runs, and restores all of it.
package struct LANEnd {
    package var relay: RelayTarget
    package var endpoint: LANEndpointConfiguration
    package var observer = EndDriver.Observer()
    /// Told of what is changed of the machine, and of what was left from before.
    package var tell: (String) -> Void = { _ in }

    package init(relay: RelayTarget, endpoint: LANEndpointConfiguration) {
        self.relay = relay
        self.endpoint = endpoint
    }

    /// A player at home: a virtual card of this machine.
    ///
    /// - Parameters:
    ///   - name: what the card is called.
    ///   - metric: of the routes on it by which broadcasts and multicasts that name no card leave.
    ///   - stop: see `Privileges.stopSignals`.
    package func runClient(tap name: String, metric: UInt32, stop: CInt) throws -> CloseReason {
        undoLeftovers()
        let journal = ChangeJournal()
        let tap = try TAP(named: name, mac: endpoint.mac)
        let link = tap.link
        let routes = RouteKeeper(to: relay.addresses.map(\.address), metric: metric, journal: journal) { link.index }
        defer { routes.restore() }
        // Before the card goes up, whatever routes it brings.
        routes.renew()
        for (address, failure) in routes.failures { tell("no route of its own for \(address): \(failure)") }
        var observer = observer
        let joined = observer.joined
        observer.joined = { welcome throws(NetworkFailure) in
            try link.set(mtu: welcome.mtu)
            if !link.isUp {
                Self.refuseDefaultRoutes(on: link)
                try link.set(isUp: true)
                routes.cardIsUp()
            }
            try joined(welcome)
        }
        let driver = try EndDriver(
            endpoint, card: .tap(tap), relay: relay, routes: routes, random: .system, observer: observer)
        return try driver.run(stop: stop)
    }

    /// The gateway of a party: the card that faces its LAN.
    package func runGateway(interface name: String, stop: CInt) throws -> CloseReason {
        undoLeftovers()
        let link = Link(name)
        let journal = ChangeJournal()
        let unwanted = link.offloads.intersection([.joining])
        if !unwanted.isEmpty {
            journal.add(unwanted, of: link)
            link.set(unwanted, isOn: false)
            tell("switched off on \(name) while the gateway runs: joining of frames (GRO, LRO)")
        }
        defer { journal.restoreOffloads() }
        let card = try LANCard(link)
        let driver = try EndDriver(
            endpoint, card: .lan(card), relay: relay, routes: nil, random: .system, observer: observer)
        return try driver.run(stop: stop)
    }

    private func undoLeftovers() {
        for undone in ChangeJournal.undoLeftovers() { tell("of a run that died: \(undone)") }
    }

    /// The kernel itself takes default routes from IPv6 routers' advertisements.
    private static func refuseDefaultRoutes(on link: Link) {
        Kernel.set("net/ipv6/conf/\(link.name)/accept_ra_defrtr", "0")
    }
}
