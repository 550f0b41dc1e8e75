package import RelayCore

/// A port of this machine that the router in front of it shall let in.
package struct PortMapping: Sendable, Equatable {
    /// The raw values are UPnP's.
    package enum Transport: String, Sendable {
        case tcp = "TCP"
        case udp = "UDP"
    }

    /// For the router's list ("Baton NAME") and for logs. Letters and digits only: it travels in XML as it is.
    package var name: String
    package var transport: Transport
    /// Where the router sends what comes. Address 0.0.0.0 is the one by which this machine reaches the router.
    package var target: Endpoint
    /// The router's ports that may be used; the first that is free is.
    package var externalPorts: ClosedRange<UInt16>

    package init(name: String, transport: Transport, target: Endpoint, externalPorts: ClosedRange<UInt16>) {
        self.name = name
        self.transport = transport
        self.target = target
        self.externalPorts = externalPorts
    }
}

/// Where the world reaches a mapped port.
package struct ExternalPort: Sendable, Equatable, CustomStringConvertible {
    /// `nil` if the router does not say its own.
    package var address: IPAddress?
    package var port: UInt16

    /// `203.0.113.7:55435`, or `*:55435`.
    package var description: String {
        address.map { Endpoint(address: $0, port: port).description } ?? "*:\(port)"
    }
}

/// What became of a mapping.
package struct PortMappingEvent: Sendable, Equatable {
    package enum Outcome: Sendable, Equatable {
        /// The router lets the port in: from now on, or at another address than before.
        case mapped(ExternalPort)
        case renewed(ExternalPort)
        /// It is not let in. Another attempt follows; `isNews` is false if the one before ended alike.
        case failed(PortMappingFailure, isNews: Bool)
        /// It is let in for the rest of the lease, in which renewal is tried again.
        case notRenewed(ExternalPort, PortMappingFailure, isNews: Bool)
        /// It is let in no more.
        case lost(ExternalPort, PortMappingFailure)
        /// Taken back, as nobody needs it any more.
        case removed(ExternalPort)
        /// Could not be taken back: it stays until its lease ends, or for ever.
        case left(ExternalPort, PortMappingFailure, isPermanent: Bool)
    }

    /// How many were wanted before it, at the same mapper.
    package var index: Int
    package var mapping: PortMapping
    package var outcome: Outcome
}

/// How a mapping stands.
package struct PortMappingStatus: Sendable, Equatable {
    package var mapping: PortMapping
    /// Set while the router lets the port in.
    package var external: ExternalPort?
    /// Why the last attempt failed; `nil` once one succeeded.
    package var failure: PortMappingFailure?
}
