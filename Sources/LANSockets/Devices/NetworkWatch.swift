import CLinuxNet

/// Tells of changes to routes, addresses and interfaces (rtnetlink).
final class NetworkWatch {
    enum Change {
        case routeAdded(Route)
        case routeRemoved(Route)
        /// An interface appeared, vanished, or went up or down.
        case link(Int32)
        case address(Int32)
        /// There were more changes than could be told.
        case lost
    }

    let descriptor: CInt
    private let changes = UnsafeMutableBufferPointer<clinuxnet_change>.allocate(capacity: 64)

    init() throws(NetworkFailure) {
        descriptor = try NetworkFailure.check(clinuxnet_watch_network(), "watch the network")
        changes.initialize(repeating: clinuxnet_change())
    }

    deinit {
        Descriptor.close(descriptor)
        changes.deallocate()
    }

    /// Hands over what has happened, a bounded number of changes at once.
    func read(_ body: (Change) -> Void) {
        for _ in 0..<32 {
            let count = clinuxnet_read_changes(descriptor, changes.baseAddress, CInt(changes.count))
            guard count > 0 else { return }
            for change in changes[..<Int(count)] { body(Change(change)) }
        }
    }
}

extension NetworkWatch.Change {
    fileprivate init(_ raw: clinuxnet_change) {
        switch raw.kind {
        case CLINUXNET_ROUTE_ADDED: self = .routeAdded(Route(raw.route))
        case CLINUXNET_ROUTE_REMOVED: self = .routeRemoved(Route(raw.route))
        case CLINUXNET_LINK_CHANGED: self = .link(raw.interface)
        case CLINUXNET_ADDRESS_CHANGED: self = .address(raw.interface)
        default: self = .lost
        }
    }
}
