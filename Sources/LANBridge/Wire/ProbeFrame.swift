import RelayCore

/// Frames that ends of the tunnel send of their own accord, with EtherType 88B5 (for local experiments, IEEE 802) or, if
/// they are to look like an old game's, in IPX. They begin, after the headers, with a record of 32 bytes:
///
/// ```
/// "BATN" | version 1 | kind | variant | 0 | two numbers of 8 bytes | mask(1) | 0(7)
/// ```
struct ProbeFrame: Equatable, Sendable {
    enum Kind: UInt8, Sendable {
        /// A gateway's, to find loops; the numbers are its nonce.
        case loop = 1
        /// A gateway's, so that switches know where its clients are.
        case refresh
        /// The doctor's. The first number names his run.
        case request
        /// The gateway's answer, of the same variant; the mask says which variants have come in this run.
        case answer
    }

    var kind: Kind
    var variant = ProbeVariant.broadcast
    var first: UInt64 = 0
    var second: UInt64 = 0
    var seen = ProbeMask()

    static let etherType: UInt16 = 0x88B5
    static let group = MACAddress(bits: 0x0100_5E7F_4254)
    private static let ipxType: UInt16 = 0x8137
    private static let ipxHeader = 30
    private static let magic: UInt32 = 0x4241_544E
    private static let recordLength = 32
    private static let leastLength = 60

    /// Reads a frame; `nil` if it is something else.
    @inline(__always)
    init?(_ frame: RawSpan) {
        guard frame.byteCount >= LinkRules.headerLength + Self.recordLength else { return nil }
        switch frame.uint16(at: 12) {
        case Self.etherType: self.init(frame, at: LinkRules.headerLength)
        case Self.ipxType: self.init(frame, at: LinkRules.headerLength + Self.ipxHeader)
        default: return nil
        }
    }

    private init?(_ frame: RawSpan, at start: Int) {
        guard frame.byteCount >= start + Self.recordLength, frame.uint32(at: start) == Self.magic,
            frame.octet(at: start + 4) == 1, let kind = Kind(rawValue: frame.octet(at: start + 5)),
            let variant = ProbeVariant(rawValue: frame.octet(at: start + 6))
        else { return nil }
        self.init(kind: kind, variant: variant)
        first = frame.uint64(at: start + 8)
        second = frame.uint64(at: start + 16)
        seen = ProbeMask(rawValue: frame.octet(at: start + 24))
        // What was cut on its way has not come.
        if variant == .full, kind == .request || kind == .answer, frame.byteCount != FrameReassembler.maxFrame {
            return nil
        }
    }

    init(kind: Kind, variant: ProbeVariant = .broadcast, first: UInt64 = 0, second: UInt64 = 0) {
        self.kind = kind
        self.variant = variant
        self.first = first
        self.second = second
    }

    /// The frame as bytes.
    func bytes(from source: MACAddress, to destination: MACAddress) -> [UInt8] {
        let isIPX = variant == .ipx
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.leastLength)
        bytes.append(destination.bits, octets: 6)
        bytes.append(source.bits, octets: 6)
        bytes.append(UInt64(isIPX ? Self.ipxType : Self.etherType), octets: 2)
        if isIPX {
            // No checksum, the length, no hops, type 4, and from and to the socket that many games had.
            bytes.append(0xFFFF, octets: 2)
            bytes.append(UInt64(Self.ipxHeader + Self.recordLength), octets: 2)
            bytes.append(0x0004, octets: 2)
            for node in [destination, source] {
                bytes.append(0, octets: 4)
                bytes.append(node.bits, octets: 6)
                bytes.append(0x869C, octets: 2)
            }
        }
        bytes.append(UInt64(Self.magic), octets: 4)
        bytes += [1, kind.rawValue, variant.rawValue, 0]
        bytes.append(first, octets: 8)
        bytes.append(second, octets: 8)
        bytes += [seen.rawValue, 0, 0, 0, 0, 0, 0, 0]
        let length = variant == .full ? FrameReassembler.maxFrame : Self.leastLength
        while bytes.count < length { bytes.append(UInt8(truncatingIfNeeded: bytes.count)) }
        return bytes
    }
}

/// The kinds of frames that games are found by.
public enum ProbeVariant: UInt8, CaseIterable, Sendable {
    case broadcast
    case multicast
    case ipx
    /// 1514 bytes, as long as a LAN's frames are.
    case full

    /// For people and programs.
    public var word: String {
        switch self {
        case .broadcast: "broadcast"
        case .multicast: "multicast"
        case .ipx: "ipx"
        case .full: "full-size"
        }
    }
}

/// A set of variants.
public struct ProbeMask: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    public init(_ variant: ProbeVariant) {
        rawValue = 1 << variant.rawValue
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ value: UInt64, octets: Int) {
        for octet in (0..<octets).reversed() { append(UInt8(truncatingIfNeeded: value >> UInt64(8 * octet))) }
    }
}
