/// What can be said of a frame by its link layer alone: rows 1 to 3 and 5 to 11 of the filter. The relay asks for
/// everybody; a gateway asks again before a frame touches its LAN.
enum LinkRules {
    static let headerLength = 14

    /// Rows 1 to 3.
    static func checkShape(_ frame: borrowing RawSpan, maxFrame: Int) -> DropReason? {
        if frame.byteCount < headerLength { return .runt }
        if frame.byteCount > maxFrame { return .oversize }
        return frame.mac(at: 6).isStation ? nil : .badSource
    }

    /// Rows 5 to 10, and 8 and 11 in full for a frame from a client. The frame has passed `checkShape`.
    @inline(__always)
    static func checkContent(_ frame: borrowing RawSpan, isFromClient: Bool) -> DropReason? {
        let destination = frame.mac(at: 0)
        if destination == frame.mac(at: 6) { return .itself }
        if isLinkControl(destination) { return .linkControl }
        let type = frame.uint16(at: 12)
        if type == 0x0800 || type == 0x86DD || type == 0x0806 { return nil }
        return checkUncommonType(type, of: frame, isFromClient: isFromClient)
    }

    /// Row 6: addresses that bridges keep for themselves.
    static func isLinkControl(_ destination: MACAddress) -> Bool {
        let bits = destination.bits
        switch bits >> 24 {
        case 0x0180C2:
            let low = bits & 0xFF_FFFF
            return low <= 0x0F || (0x20...0x2F).contains(low) || (0x30...0x3F).contains(low)
        case 0x01000C: return true
        case 0x01E052: return bits & 0xFF_FFFF == 0xCC_CCCC
        case 0x00E02B: return bits & 0xFF_FFFF <= 4
        case 0x010081: return (0x00_0100...0x00_0101).contains(bits & 0xFF_FFFF)
        default: return false
        }
    }

    private static func checkUncommonType(
        _ type: UInt16, of frame: borrowing RawSpan, isFromClient: Bool
    ) -> DropReason? {
        switch type {
        case 0x8100, 0x88A8, 0x9100, 0x9200, 0x9300: return .vlanTag
        case _ where isControl(type, isFromClient: isFromClient): return .controlEtherType
        case 1501...1535: return .badLength
        case 1536...: return nil
        default:
            if Int(type) > frame.byteCount - headerLength { return .badLength }
            return checkLLC(of: frame, isFromClient: isFromClient)
        }
    }

    /// Row 8.
    private static func isControl(_ type: UInt16, isFromClient: Bool) -> Bool {
        switch type {
        case 0x8808, 0x8809, 0x88CC, 0x888E, 0x88E5, 0x88E7, 0x8902, 0x88F5, 0x88F6, 0x9000, 0x2000, 0x2003, 0x2004:
            true
        case 0x8863, 0x8864, 0x8035: isFromClient
        default: false
        }
    }

    /// Rows 10 and 11. It looks at all bytes that are there, whatever the length field says: some receivers do.
    private static func checkLLC(of frame: borrowing RawSpan, isFromClient: Bool) -> DropReason? {
        let count = frame.byteCount
        guard count > 14 else { return nil }
        // The lowest bit tells groups and responses apart, not protocols.
        let destinationSAP = frame.octet(at: 14) & 0xFE
        let sourceSAP = count > 15 ? frame.octet(at: 15) & 0xFE : 0
        if destinationSAP == 0x42 || sourceSAP == 0x42 { return .llcControl }
        guard destinationSAP == 0xAA || sourceSAP == 0xAA, count > 16 else { return nil }
        // Control fields of one octet end in two ones; others have two octets.
        let start = frame.octet(at: 16) & 3 == 3 ? 17 : 18
        guard count >= start + 5 else { return nil }
        let organization = frame.uint32(at: start) >> 8
        let type = frame.uint16(at: start + 3)
        switch organization {
        case 0x00000C, 0x0080C2, 0x00E02B, 0x00E052: return .llcControl
        case 0x000000, 0x0000F8:
            guard isFromClient else { return nil }
            switch type {
            case 0x0800, 0x0806, 0x8035, 0x86DD, 0x8100, 0x88A8: return .snapIP
            default: return isControl(type, isFromClient: true) ? .snapIP : nil
            }
        default: return nil
        }
    }
}
