/// What can be fuzzed: every wire and every engine, under the name its corpus has.
package enum FuzzTarget: String, CaseIterable, Sendable {
    case jsonWire = "json-wire"
    case jsonEngine = "json-engine"
    case tunnelWire = "tunnel-wire"
    case tunnelEngine = "tunnel-engine"
    case transcoder
    case transcodedPair = "transcoded-pair"
    case roomWire = "room-wire"
    case roomEngine = "room-engine"
    case lobbyForm = "lobby-form"
    case hostingWire = "hosting-wire"
    case coreDescription = "core-description"
    case ldnWire = "ldn-wire"
    case ldnEngine = "ldn-engine"
    case ldnProxy = "ldn-proxy"
    case ldnClient = "ldn-client"
    case soeWire = "soe-wire"
    case soeEngine = "soe-engine"
    case soeCapture = "soe-capture"
    case soeGatewayWire = "soe-gateway-wire"
    case soeGatewayEngine = "soe-gateway-engine"
    case lanFilter = "lan-filter"
    case lanWire = "lan-wire"
    case lanRelay = "lan-relay"
    case lanClient = "lan-client"
    case lanGateway = "lan-gateway"

    /// Feeds the target one input. It returns whatever the input is; a trap is a finding.
    package func run(_ bytes: [UInt8]) {
        switch self {
        case .jsonWire: fuzzJSONWire(bytes)
        case .jsonEngine: fuzzJSONEngine(bytes)
        case .tunnelWire: fuzzTunnelWire(bytes)
        case .tunnelEngine: fuzzTunnelEngine(bytes)
        case .transcoder: fuzzTranscoder(bytes)
        case .transcodedPair: fuzzTranscodedPair(bytes)
        case .roomWire: fuzzRoomWire(bytes)
        case .roomEngine: fuzzRoomEngine(bytes)
        case .lobbyForm: fuzzLobbyForm(bytes)
        case .hostingWire: fuzzHostingWire(bytes)
        case .coreDescription: fuzzCoreDescription(bytes)
        case .ldnWire: fuzzLDNWire(bytes)
        case .ldnEngine: fuzzLDNEngine(bytes)
        case .ldnProxy: fuzzLDNProxy(bytes)
        case .ldnClient: fuzzLDNClient(bytes)
        case .soeWire: fuzzSOEWire(bytes)
        case .soeEngine: fuzzSOEEngine(bytes)
        case .soeCapture: fuzzSOECapture(bytes)
        case .soeGatewayWire: fuzzSOEGatewayWire(bytes)
        case .soeGatewayEngine: fuzzSOEGatewayEngine(bytes)
        case .lanFilter: fuzzLANFilter(bytes)
        case .lanWire: fuzzLANWire(bytes)
        case .lanRelay: fuzzLANRelay(bytes)
        case .lanClient: fuzzLANClient(bytes)
        case .lanGateway: fuzzLANGateway(bytes)
        }
    }
}
