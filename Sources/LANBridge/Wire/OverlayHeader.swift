/// What stands before a frame, or a part of one, in a datagram: 8 bytes, in network byte order.
///
/// ```
/// version(4 bits) kind(4 bits) | 0 | number(2) | frame length(2) | offset(2) | the frame, or a part of it
/// ```
///
/// A frame too long for one datagram goes in two, which bear the same number; the offset of the second is the length of
/// the first. A whole frame has number and offset 0.
public struct OverlayHeader: Hashable, Sendable {
    public static let length = 8
    public static let version: UInt8 = 1

    /// Whether the datagram holds all of the frame.
    public var isWhole: Bool
    /// Which frame a part is of.
    public var number: UInt16
    public var frameLength: Int
    /// Where in the frame the part begins.
    public var offset: Int

    /// The header of a frame that is not split.
    public init(whole frameLength: Int) {
        self.init(isWhole: true, number: 0, frameLength: frameLength, offset: 0)
    }

    /// The header of one of the two parts of a frame.
    public init(part number: UInt16, of frameLength: Int, at offset: Int) {
        self.init(isWhole: false, number: number, frameLength: frameLength, offset: offset)
    }

    private init(isWhole: Bool, number: UInt16, frameLength: Int, offset: Int) {
        self.isWhole = isWhole
        self.number = number
        self.frameLength = frameLength
        self.offset = offset
    }

    /// Reads the header of a datagram; `nil` if it has none that makes sense with the bytes that follow.
    public init?(_ datagram: RawSpan) {
        guard datagram.byteCount >= Self.length, datagram.octet(at: 1) == 0 else { return nil }
        let first = datagram.octet(at: 0)
        guard first >> 4 == Self.version, first & 15 <= 1 else { return nil }
        self.init(
            isWhole: first & 15 == 0, number: datagram.uint16(at: 2), frameLength: Int(datagram.uint16(at: 4)),
            offset: Int(datagram.uint16(at: 6)))
        let end = offset + datagram.byteCount - Self.length
        guard isWhole ? number == 0 && offset == 0 && end == frameLength : end <= frameLength else { return nil }
        // A part is neither empty nor all.
        if !isWhole, offset == end || (offset == 0) == (end == frameLength) { return nil }
    }

    /// Its bytes as one number, the first byte highest.
    public var bits: UInt64 {
        let first = UInt64(Self.version << 4 | (isWhole ? 0 : 1))
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
