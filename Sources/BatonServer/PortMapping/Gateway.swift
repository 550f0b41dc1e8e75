package import RelayCore

/// Looks for the router of the network this machine is in.
package protocol GatewayFinder: Sendable {
    /// Blocks for some seconds.
    func find() throws(PortMappingFailure) -> any Gateway
}

/// A router that maps ports when it is asked to. Each call blocks until the router has answered, or for some seconds.
package protocol Gateway: Sendable {
    /// Adds or renews an entry. Returns the router's external address if it tells.
    func add(_ entry: GatewayEntry) throws(PortMappingFailure) -> IPAddress?

    func remove(_ transport: PortMapping.Transport, externalPort: UInt16) throws(PortMappingFailure)
}

/// A line in a router's list of mappings.
package struct GatewayEntry: Sendable, Equatable {
    package var mapping: PortMapping
    package var externalPort: UInt16
    /// After how many seconds the router forgets it; 0 is never.
    package var leaseSeconds: Int64
}
