package import JSONRelay
package import LANBridge
package import LDN
package import Netplay
package import RelayCore
package import SOEGateway

/// Everything an operator can set; a protocol is served when its section is there.
package struct Configuration: Sendable, Equatable {
    package var log = Log()
    /// How long a drain waits for rooms to end.
    package var drainTimeout = Duration.seconds(600)
    package var limits = Admission.Limits()
    package var bans: [Ban] = []
    package var portMapping = PortMapping()
    package var json: JSON?
    package var netplay: Netplay?
    package var lobby: Lobby?
    package var ldn: LDN?
    package var soe: SOE?
    package var lan: LAN?
    package var admin: Admin?
    /// What looked odd while reading, but is no error: to be logged.
    package var warnings: [ConfigurationError.Diagnostic] = []

    package init() {}

    /// Every section there is, with its defaults: what the example shows.
    static var complete: Configuration {
        var configuration = Configuration()
        configuration.json = JSON()
        configuration.netplay = Netplay()
        configuration.lobby = Lobby()
        configuration.soe = SOE()
        configuration.lan = LAN()
        configuration.netplay?.rooms = Rooms()
        configuration.ldn = LDN()
        configuration.ldn?.api = LDN.API()
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

        /// How addresses of strangers are written.
        package enum Addresses: String, CaseIterable, Sendable {
            case plain, hashed
        }

        package var level = Level.info
        package var format = Format.text
        package var addresses = Addresses.plain
        /// `nil` is standard error.
        package var file: String?

        package init() {}
    }

    /// What the router in front of this machine is asked for.
    package struct PortMapping: Sendable, Equatable {
        package enum Mode: String, CaseIterable, Sendable {
            case off, upnp
        }

        package var mode = Mode.off
        /// How long a mapping lasts that is not renewed.
        package var lease = Duration.seconds(60)

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
        package var rooms: Rooms?
        /// Hosts that are started on request; `nil` without the section.
        package var dedicated: Dedicated?

        package init() {}
    }

    /// The listeners of netplay rooms without a host.
    package struct Rooms: Sendable, Equatable {
        package var listen = Endpoint.everywhere(port: 55436)
        /// Proxies that are trusted to say, by the PROXY protocol, whom they connect for.
        package var proxyProtocolFrom: [IPPrefix] = []
        /// TCP_USER_TIMEOUT.
        package var userTimeout = Duration.seconds(60)
        package var password: Secret?
        package var rooms = RoomConfiguration()

        package init() {}
    }

    /// The lobby's listeners.
    package struct Lobby: Sendable, Equatable {
        package var listen = Endpoint.everywhere(port: 8080)
        /// Where rooms are kept; `nil` is in memory.
        package var database: String?
        package var rules = LobbyConfiguration()
        /// Whether hosts may be asked if they answer whose addresses are none of the internet.
        package var allowPrivateTargets = false
        /// Proxies that are trusted to say, in headers of HTTP, whom they ask for.
        package var trustedProxies: [IPPrefix] = []
        /// A file in MaxMind's format that has the countries of addresses.
        package var countryDatabase: String?
        /// Requests of one IPv4 address or IPv6 /64.
        package var requests = TokenBucket.Rate(perSecond: 20, burst: 100)
        package var readTimeout = Duration.seconds(5)
        package var writeTimeout = Duration.seconds(5)

        package init() {}
    }

    /// The SOE gateway: where clients come in, and whom it speaks to for them.
    package struct SOE: Sendable, Equatable {
        package var listen = Endpoint.everywhere(port: 20260)
        package var backend = ServerAddress(host: "127.0.0.1", port: 20261)
        /// What sessions are encrypted with from their first message on, in hexadecimal digits.
        package var key: Secret?
        package var gateway = GatewayConfiguration()

        package init() {}
    }

    /// The LAN relay: where ends of tunnels come in, and which rooms there are.
    package struct LAN: Sendable, Equatable {
        package var listen = Endpoint.everywhere(port: 4443)
        /// How players reach it.
        package var publicAddress: ServerAddress?
        /// The file of its own certificate and key; `nil` makes one for each run.
        package var identity: String? = "/var/lib/baton/lan-identity.pem"
        /// A certificate that an authority signed, and its key.
        package var certificate: String?
        package var key: String?
        package var rooms: [LANRoom] = []
        package var maxConnections = 1024
        package var relay = LANBridgeConfiguration()

        package init() {}
    }

    /// A room of the LAN relay that the operator has written down.
    package struct LANRoom: Sendable, Equatable {
        package var name = ""
        package var password: Secret?
        package var tokens: [String] = []
        package var gatewayPassword: Secret?
        package var isIsolated = false
        package var protected: [IPAddress] = []

        package init() {}
    }

    /// Dedicated hosts: where requests come in, what may be hosted, and how guests come to it.
    package struct Dedicated: Sendable, Equatable {
        package var listen = Endpoint.everywhere(port: 55437)
        /// The program, found in PATH unless it is a path.
        package var retroarch = "retroarch"
        /// The folder of the cores; `nil` for where the system has them.
        package var cores: String?
        /// The folder of their info files; `nil` for where the system has them.
        package var coreInfo: String?
        package var content = "/var/lib/baton/content"
        /// The tunnel server that guests come through; without one they come to `desk.ports`.
        package var relay: ServerAddress?
        package var lobby: LobbyAddress?
        package var nick = "Baton"
        package var password: Secret?
        package var desk = DedicatedConfiguration()

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
        /// `nil` without the section.
        package var api: API?

        package init() {}

        /// The listeners for statistics and the list of public games.
        package struct API: Sendable, Equatable {
            package var listen = Endpoint.everywhere(port: 30457)
            /// A file that says how titles are called.
            package var gameList: String?
            /// Proxies that are trusted to say, in headers of HTTP, whom they ask for.
            package var trustedProxies: [IPPrefix] = []
            /// Requests of one IPv4 address or IPv6 /64.
            package var requests = TokenBucket.Rate(perSecond: 20, burst: 100)
            package var readTimeout = Duration.seconds(5)
            package var writeTimeout = Duration.seconds(5)

            package init() {}
        }
    }

    /// The listener for health checks, metrics, the API and the dashboard.
    package struct Admin: Sendable, Equatable {
        package var listen = [Endpoint.loopback(port: 9550)]
        /// What a caller must present; without one, only loopback is served and nothing can be changed.
        package var token: Secret?
        /// Tokens of people and programs, each with a name.
        package var tokens: [Token] = []
        /// Names under which the listener is asked for; only needed without a token.
        package var hosts: [String] = []
        /// The file that keeps bans; without one a restart forgets them.
        package var bansDatabase: String?

        package init() {}

        /// One token, for one person or program.
        package struct Token: Sendable, Equatable {
            package enum Access: String, CaseIterable, Sendable {
                case read, full
            }

            package var name = ""
            package var token: Secret?
            package var access = Access.read
            /// Until when it is good; for ever without.
            package var expires: Timestamp?

            package init() {}
        }

        /// Every token there is: `token` is the one named `admin`.
        package var allTokens: [Token] {
            guard let token else { return tokens }
            var admin = Token()
            (admin.name, admin.token, admin.access) = ("admin", token, .full)
            return [admin] + tokens
        }
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
