import NIOCore
import RelayCore

/// A network as a host wants to open it.
struct AccessPoint {
    /// The id of a private network; a public one gets one.
    var id: SessionID?
    var userName: ByteBuffer
    var securityMode: SecurityMode
    var network: NetworkConfig
    var ryu: RyuNetworkConfig
    var reserved: [AddressEntry] = []
    var advertiseData: ByteBuffer

    init(_ request: CreateAccessPointRequest, advertiseData: ByteBuffer) {
        userName = request.userConfig.userName
        securityMode = request.securityConfig.securityMode
        network = request.networkConfig
        ryu = request.ryuNetworkConfig
        self.advertiseData = advertiseData
    }

    init(_ request: CreateAccessPointPrivateRequest, advertiseData: ByteBuffer) {
        id = request.securityParameter.sessionID
        userName = request.userConfig.userName
        securityMode = request.securityConfig.securityMode
        network = request.networkConfig
        ryu = request.ryuNetworkConfig
        reserved = request.addressList.addresses
        self.advertiseData = advertiseData
    }
}

/// Where joiners find the P2P proxy of a host.
struct HostProxy {
    /// From the internet: the host's address as the master sees it.
    let external: Endpoint
    /// From the host's own network; `nil` if it did not say.
    let `internal`: Endpoint?

    init(of host: IPAddress, _ config: RyuNetworkConfig) {
        external = Endpoint(address: host, port: config.externalProxyPort)
        let address = Self.privateAddress(config)
        `internal` =
            config.internalProxyPort == 0
            ? nil : address.map { Endpoint(address: $0, port: config.internalProxyPort) }
    }

    /// One client writes its IPv4 address the wrong way round. If only that makes sense of it, it is turned.
    private static func privateAddress(_ config: RyuNetworkConfig) -> IPAddress? {
        guard config.privateIP != .zero, let address = config.privateIP.address(config.addressFamily) else {
            return nil
        }
        guard let ipv4 = address.ipv4, !isPrivate(ipv4), isPrivate(ipv4.byteSwapped) else { return address }
        return IPAddress(ipv4: ipv4.byteSwapped)
    }

    /// Private networks (RFC 1918) and loopback.
    private static func isPrivate(_ address: UInt32) -> Bool {
        address >> 24 == 10 || address >> 20 == 0xAC1 || address >> 16 == 0xC0A8 || address >> 24 == 127
    }
}
