import RelayCore

/// Rows 12 to 14: what a client may say by ARP (RFC 826).
enum ARPRules {
    private static let length = 28

    static func check(
        _ frame: borrowing RawSpan, from client: ClientPort, _ book: inout AddressBook, at now: Instant
    ) -> DropReason? {
        guard let sender = senderAddress(of: frame), (1...2).contains(frame.uint16(at: 20)) else { return .badARP }
        if frame.mac(at: 22) != frame.mac(at: 6) { return .arpSHA }
        // Zero asks whether anybody has an address (RFC 5227).
        if sender == 0 { return nil }
        if !isUnicast(sender) || book.isForeign(ipv4: sender, to: client, at: now) { return .arpSpoof }
        book.use(ipv4: sender, by: client, at: now)
        return nil
    }

    /// The sender's IPv4 address; `nil` if this is no ARP between Ethernet and IPv4.
    static func senderAddress(of frame: borrowing RawSpan) -> UInt32? {
        guard frame.byteCount >= LinkRules.headerLength + length else { return nil }
        // Hardware 1, protocol 0800, and lengths 6 and 4.
        guard frame.uint32(at: 14) == 0x0001_0800, frame.uint16(at: 18) == 0x0604 else { return nil }
        return frame.uint32(at: 28)
    }

    private static func isUnicast(_ address: UInt32) -> Bool {
        let first = address >> 24
        return first != 0 && first != 127 && first < 224
    }
}
