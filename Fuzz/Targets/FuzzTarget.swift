/// What can be fuzzed: every wire and every engine, under the name its corpus has.
package enum FuzzTarget: String, CaseIterable, Sendable {
    case jsonWire = "json-wire"
    case jsonEngine = "json-engine"
    case tunnelWire = "tunnel-wire"
    case tunnelEngine = "tunnel-engine"
    case soeWire = "soe-wire"
    case soeEngine = "soe-engine"

    /// Feeds the target one input. It returns whatever the input is; a trap is a finding.
    package func run(_ bytes: [UInt8]) {
        switch self {
        case .jsonWire: fuzzJSONWire(bytes)
        case .jsonEngine: fuzzJSONEngine(bytes)
        case .tunnelWire: fuzzTunnelWire(bytes)
        case .tunnelEngine: fuzzTunnelEngine(bytes)
        case .soeWire: fuzzSOEWire(bytes)
        case .soeEngine: fuzzSOEEngine(bytes)
        }
    }
}
