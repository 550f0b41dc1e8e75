import NIOCore
import RelayCore

/// A joiner's connection to the host of a P2P network: section 10 of the protocol's notes.
struct ProxyLine: Sendable {
    enum Phase: Sendable, Equatable {
        case connecting
        /// The token was shown.
        case authenticating
        case open(VirtualAddress)
    }

    let endpoint: Endpoint
    /// What the master said, sent to the host as it is.
    let config: ExternalProxyConfig
    var phase = Phase.connecting
    /// Until when it must have gone on; `nil` once it is open.
    var deadline: Instant?
    var frames = FrameReader()

    /// `nil` if the host's address is of no known family.
    init?(_ config: ExternalProxyConfig, deadline: Instant) {
        guard let address = config.proxyIP.address(config.addressFamily) else { return nil }
        endpoint = Endpoint(address: address, port: config.proxyPort)
        self.config = config
        self.deadline = deadline
    }
}
