package import NIOCore
public import RelayCore

/// Up to 16 bytes without a byte order, held as two numbers: cheap to compare and to hash.
public protocol OctetString: Hashable, Sendable, CustomStringConvertible {
    /// How many bytes it has.
    static var count: Int { get }
    /// The last 8 of its bytes are `low`, what is before them `high`; the first byte is the most significant.
    var high: UInt64 { get }
    var low: UInt64 { get }
    init(high: UInt64, low: UInt64)
}

extension OctetString {
    public static var zero: Self { Self(high: 0, low: 0) }

    /// Bytes that nobody can guess.
    public static func random(from source: inout RandomSource) -> Self {
        let (high, low) = (source.next(), source.next())
        let unused = UInt64(16 - count) * 8
        return unused >= 64 ? Self(high: 0, low: low >> (unused - 64)) : Self(high: high >> unused, low: low)
    }

    /// The bytes as lower-case hexadecimal digits.
    public var description: String {
        let digits = Array("0123456789abcdef")
        return String((0..<Self.count).flatMap { [digits[Int(octet($0) >> 4)], digits[Int(octet($0) & 15)]] })
    }

    package init(octets bytes: ByteBuffer) {
        var (high, low) = (UInt64(0), UInt64(0))
        for byte in bytes.readableBytesView.prefix(Self.count) {
            high = high << 8 | low >> 56
            low = low << 8 | UInt64(byte)
        }
        self.init(high: high, low: low)
    }

    func octet(_ index: Int) -> UInt8 {
        let behind = UInt64(Self.count - 1 - index) * 8
        return UInt8(truncatingIfNeeded: behind >= 64 ? high >> (behind - 64) : low >> behind)
    }
}

/// Names a network. Players who know it can join.
public struct SessionID: OctetString {
    public static let count = 16
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// Names a client's connection to the master. Who shows it again later, with its MAC address, is the same client.
public struct ClientID: OctetString {
    public static let count = 16
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// What a joiner shows to a P2P host, once, to be let in.
public struct ProxyToken: OctetString {
    public static let count = 16
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Takes as long whether the tokens differ early, late or not at all.
    public static func == (left: ProxyToken, right: ProxyToken) -> Bool {
        (left.high ^ right.high) | (left.low ^ right.low) == 0
    }
}

/// A made-up hardware address that the master gives to a client.
public struct MACAddress: OctetString {
    public static let count = 6
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = 0
        self.low = low & 0xFFFF_FFFF_FFFF
    }

    /// An address of one station that belongs to no maker: the first byte's last bits are 10.
    public static func local(from source: inout RandomSource) -> MACAddress {
        MACAddress(high: 0, low: source.next() & 0xFCFF_FFFF_FFFF | 0x0200_0000_0000)
    }
}
