import RelayCore

/// What frames from the gateway tell of the LAN: addresses to protect, and what its DHCP server gave to whom.
enum LANLearning {
    /// Takes in a frame that has passed the filter. `port` finds the client with a MAC address.
    @inline(__always)
    static func learn(
        from frame: borrowing RawSpan, into book: inout AddressBook, at now: Instant,
        port: (MACAddress) -> ClientPort?
    ) {
        switch frame.uint16(at: 12) {
        case 0x0806:
            guard let sender = ARPRules.senderAddress(of: frame) else { return }
            book.protect(ipv4: sender, at: now)
        case 0x0800:
            guard let header = IPv4Rules.header(of: frame), header.proto == 17, header.fragmentOffset == 0,
                header.payload.count >= 8, frame.uint16(at: header.payload.lowerBound) == 67
            else { return }
            learnDHCP(frame, header, into: &book, at: now, port: port)
        case 0x86DD:
            learnNeighbors(frame, into: &book, at: now)
        default: break
        }
    }

    private static func learnDHCP(
        _ frame: borrowing RawSpan, _ header: IPv4Rules.Header, into book: inout AddressBook, at now: Instant,
        port: (MACAddress) -> ClientPort?
    ) {
        book.protect(ipv4: header.source, at: now)
        let start = header.payload.lowerBound + 8
        let end = header.payload.upperBound
        // A reply for Ethernet, the cookie, and then options (RFC 2131).
        guard end - start >= 240, frame.octet(at: start) == 2, frame.uint32(at: start + 236) == 0x6382_5363,
            isAcknowledgement(frame, start + 240..<end), let client = port(frame.mac(at: start + 28))
        else { return }
        book.lease(ipv4: frame.uint32(at: start + 16), to: client, at: now)
    }

    private static func isAcknowledgement(_ frame: borrowing RawSpan, _ options: Range<Int>) -> Bool {
        var offset = options.lowerBound
        while offset + 2 < options.upperBound {
            switch frame.octet(at: offset) {
            case 0: offset += 1
            case 255: return false
            case 53: return frame.octet(at: offset + 1) == 1 && frame.octet(at: offset + 2) == 5
            default: offset += 2 + Int(frame.octet(at: offset + 1))
            }
        }
        return false
    }

    private static func learnNeighbors(_ frame: borrowing RawSpan, into book: inout AddressBook, at now: Instant) {
        // Most IPv6 is not ICMPv6, and that says little; only then is the packet walked through.
        guard let chain = IPv6Chain(frame), chain.end == .upperLayer, chain.proto == 58, chain.hopLimit == 255 else {
            return
        }
        switch frame.octet(at: chain.offset) {
        case 133, 134, 135: book.protect(ipv6: chain.source, at: now)
        case 136 where chain.limit - chain.offset >= 24: book.protect(ipv6: frame.ipv6(at: chain.offset + 8), at: now)
        default: break
        }
    }
}
