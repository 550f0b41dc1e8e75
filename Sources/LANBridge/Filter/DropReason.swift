/// Why a frame is not forwarded. The order is that of the checks: the first that matches decides.
public enum DropReason: UInt8, CaseIterable, Sendable {
    case runt
    case oversize
    case badSource
    case macSpoof
    case macLoop
    case itself
    case linkControl
    case vlanTag
    case controlEtherType
    case badLength
    case llcControl
    case snapIP
    case badARP
    case arpSHA
    case arpSpoof
    case badIP
    case sourceRoute
    case ipSpoof
    case tinyFragment
    case dhcpServer
    case redirect
    case querier
    case routingProtocol
    case fragmentedICMP6
    case firstFragmentChain
    case chainAfterFragment
    case rogueRA
    case badND
    case ndSpoof
    case ndLLA
    case unknownUnicast
    /// Between clients of a room that keeps them apart.
    case isolated
    case rateARP
    case rateBroadcast
    case rateMulticast
    case rateUnknownUnicast
    case rateBytes
    /// At an end of the tunnel: it has no relay now.
    case noRelay
    /// At a gateway: a second bridge makes a loop, so nothing is forwarded.
    case loop

    /// The word for it, as counted, logged and shown.
    public var word: String {
        switch self {
        case .runt: "runt"
        case .oversize: "oversize"
        case .badSource: "bad-source"
        case .macSpoof: "mac-spoof"
        case .macLoop: "mac-loop"
        case .itself: "self"
        case .linkControl: "link-control"
        case .vlanTag: "vlan-tag"
        case .controlEtherType: "control-ethertype"
        case .badLength: "bad-length"
        case .llcControl: "llc-control"
        case .snapIP: "snap-ip"
        case .badARP: "bad-arp"
        case .arpSHA: "arp-sha"
        case .arpSpoof: "arp-spoof"
        case .badIP: "bad-ip"
        case .sourceRoute: "source-route"
        case .ipSpoof: "ip-spoof"
        case .tinyFragment: "tiny-fragment"
        case .dhcpServer: "dhcp-server"
        case .redirect: "redirect"
        case .querier: "querier"
        case .routingProtocol: "routing-protocol"
        case .fragmentedICMP6: "fragmented-icmp6"
        case .firstFragmentChain: "first-fragment-chain"
        case .chainAfterFragment: "chain-after-fragment"
        case .rogueRA: "rogue-ra"
        case .badND: "bad-nd"
        case .ndSpoof: "nd-spoof"
        case .ndLLA: "nd-lla"
        case .unknownUnicast: "unknown-unicast"
        case .isolated: "isolated"
        case .rateARP: "rate-arp"
        case .rateBroadcast: "rate-broadcast"
        case .rateMulticast: "rate-multicast"
        case .rateUnknownUnicast: "rate-unknown-unicast"
        case .rateBytes: "rate-bytes"
        case .noRelay: "no-relay"
        case .loop: "loop"
        }
    }

    /// Whether no honest network card makes such a frame: 1,000 of these in 10 seconds end the connection.
    public var isMalformed: Bool {
        switch self {
        case .runt, .oversize, .badSource, .badLength: true
        default: false
        }
    }
}

/// What becomes of a frame.
public enum FrameVerdict: Equatable, Sendable {
    case drop(DropReason)
    case forward(FrameTargets, LimitClass)
}

/// Who gets a frame. Nobody ever gets his own.
public enum FrameTargets: Equatable, Sendable {
    /// The LAN side.
    case gateway
    /// One client, by its port.
    case client(ClientPort)
    /// Everybody else, the LAN side included unless the frame comes from there.
    case others
}

/// The place of a client in its room: a small number that is used again after it has gone.
public struct ClientPort: Hashable, Sendable {
    public let index: Int

    public init(index: Int) {
        self.index = index
    }
}

/// Which frames count against which limit.
public enum LimitClass: UInt8, CaseIterable, Sendable {
    case none
    case arp
    case broadcast
    case multicast
    case unknownUnicast

    /// The word for it, as shown.
    public var word: String {
        switch self {
        case .none: "none"
        case .arp: "arp"
        case .broadcast: "broadcast"
        case .multicast: "multicast"
        case .unknownUnicast: "unknown-unicast"
        }
    }
}
