/// What stands before a frame, or a part of one, in a datagram: 8 bytes, in network byte order.
///
/// ```
/// version(4 bits) kind(4 bits) | 0 | number(2) | frame length(2) | offset(2) | the frame, or a part of it
/// ```
///
/// A frame too long for one datagram goes in two, which bear the same number; the offset of the second is the length of
/// the first. A whole frame has number and offset 0. A ping is a header alone; who gets one sends it back as a pong with the
/// same number.
public struct OverlayHeader: Hashable, Sendable {
    public static let length = 8
    public static let version: UInt8 = 1

    /// What the datagram holds.
    public enum Kind: UInt8, Sendable {
        /// All of a frame.
        case whole
        /// The first or the second part of one.
        case part
        /// Nothing: a question for a sign of life.
        case ping
        /// Nothing: the answer.
        case pong
    }

    public var kind: Kind
    /// Which frame a part is of, or which ping is meant.
    public var number: UInt16
    public var frameLength: Int
    /// Where in the frame the part begins.
    public var offset: Int

    public var isWhole: Bool { kind == .whole }

    /// The header of a frame that is not split.
    public init(whole frameLength: Int) {
        self.init(kind: .whole, number: 0, frameLength: frameLength, offset: 0)
    }

    /// The header of one of the two parts of a frame.
    public init(part number: UInt16, of frameLength: Int, at offset: Int) {
        self.init(kind: .part, number: number, frameLength: frameLength, offset: offset)
    }

    /// A question for a sign of life.
    public init(ping number: UInt16) {
        self.init(kind: .ping, number: number, frameLength: 0, offset: 0)
    }

    /// The answer to one.
    public init(pong number: UInt16) {
        self.init(kind: .pong, number: number, frameLength: 0, offset: 0)
    }

    private init(kind: Kind, number: UInt16, frameLength: Int, offset: Int) {
        self.kind = kind
        self.number = number
        self.frameLength = frameLength
        self.offset = offset
    }

    /// Reads the header of a datagram; `nil` if it has none that makes sense with the bytes that follow.
    public init?(_ datagram: RawSpan) {
        guard datagram.byteCount >= Self.length, datagram.octet(at: 1) == 0 else { return nil }
        let first = datagram.octet(at: 0)
        guard first >> 4 == Self.version, let kind = Kind(rawValue: first & 15) else { return nil }
        self.init(
            kind: kind, number: datagram.uint16(at: 2), frameLength: Int(datagram.uint16(at: 4)),
            offset: Int(datagram.uint16(at: 6)))
        let end = offset + datagram.byteCount - Self.length
        switch kind {
        case .whole: guard number == 0, offset == 0, end == frameLength else { return nil }
        // A part is neither empty nor all.
        case .part:
            guard end <= frameLength, offset != end, (offset == 0) != (end == frameLength) else { return nil }
        case .ping, .pong: guard frameLength == 0, end == 0 else { return nil }
        }
    }

    /// Its bytes as one number, the first byte highest.
    public var bits: UInt64 {
        let first = UInt64(Self.version << 4 | kind.rawValue)
        return first << 56 | UInt64(number) << 32 | UInt64(UInt16(truncatingIfNeeded: frameLength)) << 16
            | UInt64(UInt16(truncatingIfNeeded: offset))
    }
}

/// How many bytes fit where.
public enum FrameBudget {
    /// The largest IP packet of an ordinary LAN, and so of a room.
    public static let fullMTU = 1500
    /// No TAP gets less: IPv6 needs it.
    public static let leastMTU = 1280

    /// The largest IP packet that goes in one datagram of so many bytes.
    public static func mtu(datagram: Int) -> Int {
        datagram - OverlayHeader.length - LinkRules.headerLength
    }

    /// Where a frame is cut in two for datagrams of so many bytes; `nil` if two do not hold it.
    public static func cut(frame length: Int, datagram: Int) -> Int? {
        let first = datagram - OverlayHeader.length
        return first > 0 && length > first && length <= 2 * first ? first : nil
    }
}
