package import QUICTransport
package import RelayCore

/// The relay that an end of the tunnel calls.
package struct RelayTarget: Sendable {
    /// As in its certificate.
    package var name: String
    /// Where it may be; they are tried in turn.
    package var addresses: [Endpoint]
    package var trust: ServerTrust
    /// Finds out anew where it is, when nothing answers there; may take seconds, and finds nothing if it fails. `nil` for
    /// a relay that is known by its address.
    package var lookUp: (@Sendable () -> [Endpoint])?

    package init(
        name: String, addresses: [Endpoint], trust: ServerTrust, lookUp: (@Sendable () -> [Endpoint])? = nil
    ) {
        self.name = name
        self.addresses = addresses
        self.trust = trust
        self.lookUp = lookUp
    }
}

extension QUICConfiguration {
    /// What relays and ends of the tunnel speak.
    package static var lan: QUICConfiguration {
        var configuration = QUICConfiguration(applicationProtocol: "baton-lan/1")
        configuration.keepAlive = .seconds(5)
        configuration.idleTimeout = .seconds(15)
        return configuration
    }

    /// As an end of the tunnel has it: it gives up an attempt sooner, since another follows.
    package static var lanEnd: QUICConfiguration {
        var configuration = lan
        configuration.handshakeTimeout = .seconds(2)
        return configuration
    }
}
