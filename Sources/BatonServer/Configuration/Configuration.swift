package import JSONRelay
package import LDN
package import Netplay
package import RelayCore

/// Everything an operator can set; a protocol is served when its section is there.
package struct Configuration: Sendable, Equatable {
    package var log = Log()
    /// How long a drain waits for rooms to end.
    package var drainTimeout = Duration.seconds(600)
    package var limits = Admission.Limits()
    package var bans: [Ban] = []
    package var json: JSON?
    package var netplay: Netplay?
    package var ldn: LDN?
    package var admin: Admin?
    /// What looked odd while reading, but is no error: to be logged.
    package var warnings: [ConfigurationError.Diagnostic] = []

    package init() {}

    /// Every section there is, with its defaults: what the example shows.
    static var complete: Configuration {
        var configuration = Configuration()
        configuration.json = JSON()
        configuration.netplay = Netplay()
        configuration.ldn = LDN()
        configuration.admin = Admin()
        return configuration
    }

    package struct Log: Sendable, Equatable {
        /// The raw values are those of swift-log.
        package enum Level: String, CaseIterable, Sendable {
            case trace, debug, info, notice, warning, error, critical
        }

        package enum Format: String, CaseIterable, Sendable {
            case text, json
        }

        package var level = Level.info
        package var format = Format.text

        package init() {}
    }

    /// The JSON relay's listeners.
    package struct JSON: Sendable, Equatable {
        package var listen = Endpoint.everywhere(port: 5300)
        /// Proxies that are trusted to say, by the PROXY protocol, whom they connect for.
        package var proxyProtocolFrom: [IPPrefix] = []
        /// How much may wait for one slow client before it is disconnected.
        package var queueBytes = 256 << 10
        package var queueFrames = 512
        /// TCP_USER_TIMEOUT.
        package var userTimeout = Duration.seconds(60)
        package var relay = JSONRelayConfiguration()

        package init() {}
    }

    /// The netplay tunnel's listeners.
    package struct Netplay: Sendable, Equatable {
        package var listen = Endpoint.everywhere(port: 55435)
        /// Proxies that are trusted to say, by the PROXY protocol, whom they connect for.
        package var proxyProtocolFrom: [IPPrefix] = []
        /// TCP_USER_TIMEOUT.
        package var userTimeout = Duration.seconds(120)
        package var tunnel = NetplayConfiguration()

        package init() {}
    }

    /// The LDN master's listeners.
    package struct LDN: Sendable, Equatable {
        package var listen = Endpoint.everywhere(port: 30456)
        /// Proxies that are trusted to say, by the PROXY protocol, whom they connect for.
        package var proxyProtocolFrom: [IPPrefix] = []
        /// How much may wait for one slow player before it is disconnected.
        package var queueBytes = 512 << 10
        package var queueFrames = 4096
        /// TCP_USER_TIMEOUT.
        package var userTimeout = Duration.seconds(30)
        package var master = LDNConfiguration()

        package init() {}
    }

    /// The listener for health checks, metrics, the API and the dashboard.
    package struct Admin: Sendable, Equatable {
        package var listen = [Endpoint.loopback(port: 9550)]
        /// What a caller must present; without one, only loopback is served and nothing can be changed.
        package var token: Secret?

        package init() {}
    }
}

extension Endpoint {
    static func loopback(port: UInt16) -> Endpoint {
        Endpoint(address: IPAddress(ipv4: 0x7F00_0001), port: port)
    }

    /// Every address of both families.
    static func everywhere(port: UInt16) -> [Endpoint] {
        [Endpoint(address: IPAddress(ipv4: 0), port: port), Endpoint(address: IPAddress(high: 0, low: 0), port: port)]
    }
}
