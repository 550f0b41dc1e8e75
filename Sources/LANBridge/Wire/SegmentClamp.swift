/// Lowers what the two ends of a TCP connection tell each other they can take (RFC 9293, section 3.7.1), so that their
/// segments need not be split.
public enum SegmentClamp {
    /// Whether `clamp` would change a frame.
    @inline(__always)
    public static func isNeeded(_ frame: RawSpan, mtu: Int) -> Bool {
        excess(of: frame, mtu: mtu) != nil
    }

    /// Changes the MSS option of a SYN in place, and its checksum with it; every other frame stays as it is.
    /// - Parameter mtu: the largest IP packet that goes in one datagram.
    /// - Returns: whether something was changed.
    @discardableResult
    public static func clamp(_ frame: inout MutableRawSpan, mtu: Int) -> Bool {
        guard let (start, option, limit) = excess(of: frame.bytes, mtu: mtu) else { return false }
        let old = frame.bytes.uint16(at: option)
        let checksum = frame.bytes.uint16(at: start + 16)
        write(limit, at: option, to: &frame)
        // An option may begin at an odd place; then its bytes count with the other weight.
        let isOdd = (option - start) % 2 == 1
        let sum = adjusted(checksum, from: isOdd ? old.byteSwapped : old, to: isOdd ? limit.byteSwapped : limit)
        write(sum, at: start + 16, to: &frame)
        return true
    }

    /// Where the TCP header begins, where its MSS option's value is, and what it should not exceed; `nil` if it does not.
    private static func excess(of frame: RawSpan, mtu: Int) -> (start: Int, option: Int, limit: UInt16)? {
        guard let (start, end, overhead) = tcp(in: frame), mtu > overhead,
            let option = segmentOption(in: frame, start, end)
        else { return nil }
        let limit = UInt16(clamping: mtu - overhead)
        return frame.uint16(at: option) > limit ? (start, option, limit) : nil
    }

    /// Where the TCP header of a SYN begins, where it ends, and how many bytes IP and TCP take of a packet.
    private static func tcp(in frame: RawSpan) -> (start: Int, end: Int, overhead: Int)? {
        guard frame.byteCount >= 54 else { return nil }
        let start: Int
        let limit: Int
        switch frame.uint16(at: 12) {
        case 0x0800:
            guard let header = IPv4Rules.header(of: frame), header.proto == 6, header.fragmentOffset == 0 else {
                return nil
            }
            (start, limit) = (header.payload.lowerBound, header.payload.upperBound)
        case 0x86DD where frame.octet(at: 20) == 6:
            start = 54
            limit = min(frame.byteCount, start + Int(frame.uint16(at: 18)))
        default: return nil
        }
        guard limit >= start + 20, frame.octet(at: start + 13) & 2 != 0 else { return nil }
        let end = start + Int(frame.octet(at: start + 12) >> 4) * 4
        guard end >= start + 20, end <= limit else { return nil }
        return (start, end, start - LinkRules.headerLength + 20)
    }

    private static func segmentOption(in frame: RawSpan, _ start: Int, _ end: Int) -> Int? {
        var offset = start + 20
        while offset < end {
            switch frame.octet(at: offset) {
            case 0: return nil
            case 1: offset += 1
            case let kind:
                guard offset + 1 < end else { return nil }
                let length = Int(frame.octet(at: offset + 1))
                guard length >= 2, offset + length <= end else { return nil }
                if kind == 2, length == 4 { return offset + 2 }
                offset += length
            }
        }
        return nil
    }

    /// RFC 1624.
    private static func adjusted(_ checksum: UInt16, from old: UInt16, to new: UInt16) -> UInt16 {
        var sum = UInt32(~checksum) + UInt32(~old) + UInt32(new)
        while sum >> 16 != 0 { sum = (sum & 0xFFFF) + (sum >> 16) }
        return ~UInt16(truncatingIfNeeded: sum)
    }

    private static func write(_ value: UInt16, at offset: Int, to frame: inout MutableRawSpan) {
        frame.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
    }
}
