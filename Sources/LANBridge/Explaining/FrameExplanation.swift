public import RelayCore

/// Who sends a frame to the relay.
public enum FrameSender: String, Sendable, CaseIterable, Codable {
    case client
    case gateway
}

/// What the filter does with a frame and why, for people and programs.
public struct FrameExplanation: Sendable, Equatable, Encodable {
    /// The place of the frame in its file, from 0.
    public var index: Int
    public var name: String?
    /// `forward` or `drop`.
    public var verdict: String
    /// `ok`, or the word for the rule that matched.
    public var reason: String
    /// Who gets it; absent if it is dropped.
    public var targets: [String]?
    /// The class of frames it is counted with; absent if it is dropped.
    public var limit: String?

    public init(index: Int, name: String?, verdict: FrameVerdict, sender: FrameSender, in context: RoomContext) {
        self.index = index
        self.name = name
        switch verdict {
        case .drop(let reason):
            self.verdict = "drop"
            self.reason = reason.word
        case .forward(let targets, let limit):
            self.verdict = "forward"
            reason = "ok"
            self.targets = Self.names(of: targets, sender: sender, in: context)
            self.limit = limit.word
        }
    }

    private static func names(of targets: FrameTargets, sender: FrameSender, in context: RoomContext) -> [String] {
        let clients = context.clients.map(\.id)
        switch targets {
        case .gateway: return [context.gatewayID]
        case .client(let port): return clients.indices.contains(port.index) ? [clients[port.index]] : []
        case .others: return sender == .client ? [context.gatewayID] + clients.dropFirst() : clients
        }
    }
}

/// Judges frames in a room that a file describes.
public struct FrameExplainer: Sendable {
    public let context: RoomContext
    private var filter: FrameFilter
    private var count = 0

    public init(_ context: RoomContext) {
        self.context = context
        filter = context.filter(at: .zero)
    }

    /// What happens to the next frame, with all that the frames before it have taught and cost.
    public mutating func next(
        _ frame: RawSpan, name: String? = nil, from sender: FrameSender, at now: Instant
    ) -> FrameExplanation {
        let verdict =
            sender == .client
            ? filter.judge(frame, from: ClientPort(index: 0), at: now) : filter.judgeFromGateway(frame, at: now)
        defer { count += 1 }
        return FrameExplanation(index: count, name: name, verdict: verdict, sender: sender, in: context)
    }

    /// What happens to the next frame if it is the first of its room.
    public mutating func nextOnItsOwn(
        _ frame: RawSpan, name: String? = nil, from sender: FrameSender
    ) -> FrameExplanation {
        filter = context.filter(at: .zero)
        return next(frame, name: name, from: sender, at: .zero)
    }
}

extension DropReason {
    /// What the rule is about, as a sentence for people.
    public var sentence: String {
        switch self {
        case .runt: "shorter than an Ethernet header"
        case .oversize: "longer than the room carries"
        case .badSource: "the source address is a group's or zero"
        case .macSpoof: "the source address is not the one this player joined with"
        case .macLoop: "a player's address comes back from the LAN: a loop, or somebody there uses it"
        case .itself: "sent to its own sender"
        case .linkControl: "for switches only (STP, LACP, LLDP, pause and the like)"
        case .vlanTag: "has a VLAN tag"
        case .controlEtherType: "a protocol between switches, or of access lines"
        case .badLength: "its length field cannot be"
        case .llcControl: "a protocol between switches, in an LLC header"
        case .snapIP: "IP or ARP hidden in a SNAP header"
        case .badARP: "not an ARP request or reply for IPv4"
        case .arpSHA: "ARP says another hardware address than the frame has"
        case .arpSpoof: "ARP claims an address that is another's"
        case .badIP: "an IP header that does not hold"
        case .sourceRoute: "a source route"
        case .ipSpoof: "the IPv4 source is another's address"
        case .tinyFragment: "a fragment that hides or rewrites ports"
        case .dhcpServer: "only the LAN's DHCP server may answer"
        case .redirect: "an ICMP redirect"
        case .querier: "a multicast querier's question"
        case .routingProtocol: "a protocol between routers"
        case .fragmentedICMP6: "ICMPv6 in fragments"
        case .firstFragmentChain: "a first fragment without all of its headers"
        case .chainAfterFragment: "headers hidden in a later fragment"
        case .rogueRA: "only the LAN's router may advertise itself"
        case .badND: "neighbour discovery that no neighbour sends"
        case .ndSpoof: "neighbour discovery claims an address that is another's"
        case .ndLLA: "neighbour discovery says another hardware address than the frame has"
        case .unknownUnicast: "for nobody in this room"
        case .isolated: "players of this room see the LAN only, not each other"
        case .rateARP: "too many ARP frames"
        case .rateBroadcast: "too many broadcasts"
        case .rateMulticast: "too many multicasts"
        case .rateUnknownUnicast: "too many frames for addresses nobody has heard of"
        case .rateBytes: "too many bytes"
        case .noRelay: "there is no connection to the relay now"
        case .loop: "a second bridge joins the LAN and the room, so the gateway forwards nothing"
        }
    }
}
