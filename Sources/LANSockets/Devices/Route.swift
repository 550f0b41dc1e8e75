import CLinuxNet
package import RelayCore

/// A route of the main table.
package struct Route: Sendable, Hashable, Codable, CustomStringConvertible {
    package var destination: IPAddress
    /// Counted in the address's own form: 32 for one IPv4 address.
    package var prefix: Int
    package var gateway: IPAddress?
    /// The number of the interface.
    package var interface: Int32
    package var metric: UInt32 = 0
    /// The address of this machine that it says packets are to bear.
    package var source: IPAddress?

    package init(to destination: IPAddress, prefix: Int, interface: Int32) {
        self.destination = destination
        self.prefix = prefix
        self.interface = interface
    }

    package var isDefault: Bool { prefix == 0 }

    package var description: String {
        "\(destination)/\(prefix)\(gateway.map { " via \($0)" } ?? "") on interface \(interface)"
    }

    /// Where packets for an address go now.
    package static func best(to address: IPAddress) throws(NetworkFailure) -> Route {
        var found = clinuxnet_route()
        let code = address.withOctets { clinuxnet_find_route($0, &found) }
        try NetworkFailure.check(code, "find a route to \(address)")
        var route = Route(found)
        route.destination = address
        route.prefix = address.ipv4 == nil ? 128 : 32
        return route
    }

    /// Adds it. Returns `false` if there is one like it already.
    @discardableResult
    package func add() throws(NetworkFailure) -> Bool {
        var route = raw
        let code = clinuxnet_change_route(&route, 1)
        if code == -17 { return false }  // EEXIST
        try NetworkFailure.check(code, "add the route \(self)")
        return true
    }

    package func remove() throws(NetworkFailure) {
        var route = raw
        try NetworkFailure.check(clinuxnet_change_route(&route, 0), "remove the route \(self)")
    }

    init(_ raw: clinuxnet_route) {
        self.init(
            to: raw.prefix == 0
                ? (raw.is_ipv6 != 0 ? .anyIPv6 : IPAddress(ipv4: 0)) : IPAddress(octets: raw.destination),
            prefix: Int(raw.prefix), interface: raw.interface)
        metric = raw.metric
        if raw.has_gateway != 0 { gateway = IPAddress(octets: raw.gateway) }
        let source = IPAddress(octets: raw.source)
        if source != .anyIPv6 { self.source = source }
    }

    private var raw: clinuxnet_route {
        var route = clinuxnet_route()
        route.destination = destination.octets
        route.is_ipv6 = destination.ipv4 == nil ? 1 : 0
        route.prefix = CInt(prefix)
        route.interface = interface
        route.metric = metric
        if let gateway {
            route.gateway = gateway.octets
            route.has_gateway = 1
        }
        return route
    }
}

extension IPAddress: Codable {
    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let address = IPAddress(text) else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "no address"))
        }
        self = address
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
