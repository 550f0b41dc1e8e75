import RelayCore

/// Rows 16 and 19 to 30 for IPv6: what a client may send.
enum IPv6Rules {
    static func check(
        _ frame: borrowing RawSpan, from client: ClientPort, _ book: inout AddressBook, at now: Instant
    ) -> DropReason? {
        guard let chain = IPv6Chain(frame) else { return .badIP }
        if chain.hasSourceRoute { return .sourceRoute }
        if let reason = checkUpperLayer(frame, chain) { return reason }
        if let reason = checkChain(chain) { return reason }
        guard chain.end == .upperLayer, chain.proto == 58 else { return nil }
        return checkICMP6(frame, chain, from: client, &book, at: now)
    }

    /// Rows 19 to 22.
    @inline(__always)
    private static func checkUpperLayer(_ frame: borrowing RawSpan, _ chain: IPv6Chain) -> DropReason? {
        if IPv4Rules.isRoutingProtocol(chain.proto) { return .routingProtocol }
        guard chain.end == .upperLayer else { return nil }
        switch chain.proto {
        case 17:
            let destinationPort = frame.uint16(at: chain.offset + 2)
            if frame.uint16(at: chain.offset) == 547 || destinationPort == 546 { return .dhcpServer }
            let isRouting = IPv4Rules.isRouting(port: destinationPort, toGroup: isGroup(chain.destination))
            return isRouting ? .routingProtocol : nil
        case 58:
            switch frame.octet(at: chain.offset) {
            case 137: return .redirect
            case 130: return .querier
            default: return nil
            }
        default: return nil
        }
    }

    /// Rows 23 to 26.
    private static func checkChain(_ chain: IPv6Chain) -> DropReason? {
        if isGroup(chain.source) || chain.end == .tooLong { return .badIP }
        if chain.end == .cut, !chain.isFirstFragment { return .badIP }
        if chain.isFragmentedICMP6 { return .fragmentedICMP6 }
        if chain.end == .cut { return .firstFragmentChain }
        if chain.end == .laterFragment, IPv6Chain.isExtension(chain.proto) { return .chainAfterFragment }
        return nil
    }

    /// Rows 27 to 30.
    private static func checkICMP6(
        _ frame: borrowing RawSpan, _ chain: IPv6Chain, from client: ClientPort, _ book: inout AddressBook,
        at now: Instant
    ) -> DropReason? {
        let type = frame.octet(at: chain.offset)
        if type == 134 { return .rogueRA }
        guard let message = NeighborMessage(type: type) else { return nil }
        // No stack takes these in fragments (RFC 6980), and the rest of one could hold what is looked for below.
        if chain.isFirstFragment { return .fragmentedICMP6 }
        guard chain.hopLimit == 255, frame.octet(at: chain.offset + 1) == 0,
            let options = message.options(frame, chain)
        else { return .badND }
        let claimed = message == .advertisement ? frame.ipv6(at: chain.offset + 8) : chain.source
        if book.isForeign(ipv6: claimed, to: client, at: now) { return .ndSpoof }
        let hasForeignLinkAddress = options.linkAddresses > 0 && !options.areOwn
        let isProbeWithAddress =
            message == .solicitation && chain.source == .anyIPv6 && options.linkAddresses > 0
        if hasForeignLinkAddress || isProbeWithAddress { return .ndLLA }
        book.use(ipv6: claimed, by: client, at: now)
        return nil
    }

    static func isGroup(_ address: IPAddress) -> Bool { address.high >> 56 == 0xFF }
}

/// The messages of neighbour discovery that clients may send (RFC 4861).
enum NeighborMessage: UInt8 {
    case routerSolicitation = 133
    case solicitation = 135
    case advertisement = 136

    init?(type: UInt8) {
        self.init(rawValue: type)
    }

    /// What the options say about the sender's link address.
    struct Options {
        var linkAddresses = 0
        /// All of them are the frame's source.
        var areOwn = true
    }

    /// `nil` if the message is too short, or an option has no length or goes past the end.
    func options(_ frame: borrowing RawSpan, _ chain: IPv6Chain) -> Options? {
        var options = Options()
        var offset = chain.offset + (self == .routerSolicitation ? 8 : 24)
        guard offset <= chain.limit else { return nil }
        while offset < chain.limit {
            guard offset + 2 <= chain.limit else { return nil }
            let kind = frame.octet(at: offset)
            let length = Int(frame.octet(at: offset + 1)) * 8
            guard length > 0, offset + length <= chain.limit else { return nil }
            if kind == 1 || kind == 2 {
                options.linkAddresses += 1
                if frame.mac(at: offset + 2) != frame.mac(at: 6) { options.areOwn = false }
            }
            offset += length
        }
        return options
    }
}
