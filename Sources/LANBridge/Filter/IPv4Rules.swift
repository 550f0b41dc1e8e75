import RelayCore

/// Rows 15 to 22 for IPv4 (RFC 791): what a client may send.
enum IPv4Rules {
    /// An IPv4 header whose lengths hold.
    struct Header {
        var proto: UInt8
        var source: UInt32
        var destination: UInt32
        /// Where the payload begins and ends in the frame.
        var payload: Range<Int>
        /// In units of 8 bytes.
        var fragmentOffset: UInt16
        var hasMoreFragments: Bool
    }

    static func check(
        _ frame: borrowing RawSpan, from client: ClientPort, _ book: inout AddressBook, at now: Instant
    ) -> DropReason? {
        guard let header = header(of: frame), !isNeverSource(header.source) else { return .badIP }
        if let reason = checkOptions(frame, until: header.payload.lowerBound) { return reason }
        if isTiny(header) { return .tinyFragment }
        let reason =
            header.fragmentOffset == 0
            ? checkPayload(frame, header) : isRoutingProtocol(header.proto) ? .routingProtocol : nil
        if let reason { return reason }
        if header.source == 0 {
            return mayBeUnspecified(frame, header) ? nil : .ipSpoof
        }
        if book.isForeign(ipv4: header.source, to: client, at: now) { return .ipSpoof }
        book.use(ipv4: header.source, by: client, at: now)
        return nil
    }

    @inline(__always)
    static func header(of frame: borrowing RawSpan) -> Header? {
        let start = LinkRules.headerLength
        guard frame.byteCount >= start + 20 else { return nil }
        let first = frame.octet(at: start)
        let headerLength = Int(first & 15) * 4
        let total = Int(frame.uint16(at: start + 2))
        guard first >> 4 == 4, headerLength >= 20, total >= headerLength, total <= frame.byteCount - start else {
            return nil
        }
        let fragment = frame.uint16(at: start + 6)
        return Header(
            proto: frame.octet(at: start + 9), source: frame.uint32(at: start + 12),
            destination: frame.uint32(at: start + 16), payload: start + headerLength..<start + total,
            fragmentOffset: fragment & 0x1FFF, hasMoreFragments: fragment & 0x2000 != 0)
    }

    private static func isNeverSource(_ address: UInt32) -> Bool {
        address >> 28 == 0xE || address == .max || address >> 24 == 127
    }

    /// Row 16. Options that cannot be walked through are no options.
    private static func checkOptions(_ frame: borrowing RawSpan, until end: Int) -> DropReason? {
        var offset = LinkRules.headerLength + 20
        while offset < end {
            switch frame.octet(at: offset) {
            case 0: return nil
            case 1: offset += 1
            case 131, 137: return .sourceRoute
            default:
                guard offset + 1 < end else { return .badIP }
                let length = Int(frame.octet(at: offset + 1))
                guard length >= 2, offset + length <= end else { return .badIP }
                offset += length
            }
        }
        return nil
    }

    /// Row 18: fragments that hide or rewrite the beginning of what they carry (RFC 1858, RFC 3128).
    private static func isTiny(_ header: Header) -> Bool {
        if header.fragmentOffset == 1 { return true }
        guard header.fragmentOffset == 0, header.hasMoreFragments else { return false }
        switch header.proto {
        case 1, 17: return header.payload.count < 8
        case 6: return header.payload.count < 20
        default: return false
        }
    }

    /// Rows 19 to 22, as far as the payload is there.
    @inline(__always)
    private static func checkPayload(_ frame: borrowing RawSpan, _ header: Header) -> DropReason? {
        let start = header.payload.lowerBound
        switch header.proto {
        case 17:
            guard header.payload.count >= 4 else { return nil }
            let destinationPort = frame.uint16(at: start + 2)
            if frame.uint16(at: start) == 67 || destinationPort == 68 { return .dhcpServer }
            return isRouting(port: destinationPort, toGroup: header.destination >> 28 == 0xE) ? .routingProtocol : nil
        case 6: return nil
        case 1:
            guard header.payload.count >= 1 else { return nil }
            switch frame.octet(at: start) {
            case 5: return .redirect
            case 9: return .routingProtocol
            default: return nil
            }
        case 2:
            return header.payload.count >= 1 && frame.octet(at: start) == 0x11 ? .querier : nil
        default: return isRoutingProtocol(header.proto) ? .routingProtocol : nil
        }
    }

    /// Row 22: EIGRP, OSPF, PIM and VRRP.
    static func isRoutingProtocol(_ proto: UInt8) -> Bool {
        proto == 88 || proto == 89 || proto == 103 || proto == 112
    }

    /// Row 22: HSRP in its two versions, and RIP where it speaks to all routers.
    static func isRouting(port: UInt16, toGroup isGroup: Bool) -> Bool {
        port == 1985 || port == 2029 || isGroup && (port == 520 || port == 521)
    }

    /// Row 17: who has no address yet asks for one, or joins groups.
    private static func mayBeUnspecified(_ frame: borrowing RawSpan, _ header: Header) -> Bool {
        if header.proto == 2 { return true }
        return header.proto == 17 && header.fragmentOffset == 0 && header.payload.count >= 4
            && frame.uint32(at: header.payload.lowerBound) == 68 << 16 | 67
    }
}
