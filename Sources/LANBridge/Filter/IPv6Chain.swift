import RelayCore

/// An IPv6 packet walked through to the end of its chain of headers, as its receiver would (RFC 8200, RFC 7112).
struct IPv6Chain {
    /// How the walk ended.
    enum End: Equatable {
        /// At an upper layer of which at least the first 8 bytes are there, or at nothing that could be looked into.
        case upperLayer
        /// At a later fragment: what follows is not the beginning of anything.
        case laterFragment
        /// At the end of the bytes: a header or an upper layer is promised that is not there.
        case cut
        case tooLong
    }

    static let maxHeaders = 8

    var end = End.upperLayer
    /// The protocol where the walk ended.
    var proto: UInt8
    /// Where it begins in the frame.
    var offset: Int
    /// Where the packet ends in the frame.
    let limit: Int
    let source: IPAddress
    let destination: IPAddress
    let hopLimit: UInt8
    /// A routing header of type 0 was seen (RFC 5095).
    var hasSourceRoute = false
    /// A fragment header was seen, and the packet is its first, or only, fragment.
    var isFirstFragment = false
    /// A fragment header says that ICMPv6 follows.
    var isFragmentedICMP6 = false

    /// `nil` for a packet whose first header does not hold.
    init?(_ frame: borrowing RawSpan) {
        let start = LinkRules.headerLength
        guard frame.byteCount >= start + 40, frame.octet(at: start) >> 4 == 6 else { return nil }
        let length = Int(frame.uint16(at: start + 4))
        proto = frame.octet(at: start + 6)
        guard length <= frame.byteCount - start - 40, !(length == 0 && proto == 0) else { return nil }
        limit = start + 40 + length
        offset = start + 40
        hopLimit = frame.octet(at: start + 7)
        source = frame.ipv6(at: start + 8)
        destination = frame.ipv6(at: start + 24)
        walk(frame)
    }

    private mutating func walk(_ frame: borrowing RawSpan) {
        for _ in 0..<Self.maxHeaders {
            guard Self.isExtension(proto) else { return checkUpperLayer() }
            guard offset + 8 <= limit else {
                end = .cut
                return
            }
            if proto == 44 {
                guard passFragmentHeader(frame) else { return }
            } else {
                if proto == 43, frame.octet(at: offset + 2) == 0 { hasSourceRoute = true }
                let units = Int(frame.octet(at: offset + 1))
                let length = proto == 51 ? (units + 2) * 4 : (units + 1) * 8
                proto = frame.octet(at: offset)
                offset += length
                if offset > limit {
                    end = .cut
                    return
                }
            }
        }
        if Self.isExtension(proto) { end = .tooLong } else { checkUpperLayer() }
    }

    /// `false` if nothing more can be read behind it.
    private mutating func passFragmentHeader(_ frame: borrowing RawSpan) -> Bool {
        let isLater = frame.uint16(at: offset + 2) >> 3 != 0
        proto = frame.octet(at: offset)
        offset += 8
        if proto == 58 { isFragmentedICMP6 = true }
        isFirstFragment = !isLater
        if isLater { end = .laterFragment }
        return !isLater
    }

    private mutating func checkUpperLayer() {
        let needed =
            switch proto {
            case 59: 0
            case 6, 17, 58: 8
            default: 1
            }
        if limit - offset < needed { end = .cut }
    }

    /// Hop-by-hop, routing, fragment, authentication, destination options, mobility, HIP and shim6.
    static func isExtension(_ proto: UInt8) -> Bool {
        switch proto {
        case 0, 43, 44, 51, 60, 135, 139, 140: true
        default: false
        }
    }
}
