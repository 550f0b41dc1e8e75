package import QUICTransport
package import RelayCore

/// The relay that an end of the tunnel calls.
package struct RelayTarget: Sendable {
    /// As in its certificate.
    package var name: String
    /// Where it may be; they are tried in turn.
    package var addresses: [Endpoint]
    package var trust: ServerTrust

    package init(name: String, addresses: [Endpoint], trust: ServerTrust) {
        self.name = name
        self.addresses = addresses
        self.trust = trust
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
