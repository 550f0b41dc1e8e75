import Glibc

/// An IPv4 or IPv6 address packed into 16 bytes: cheap to hash and compare, so it can key a table of peers.
///
/// An IPv4 address is held in its IPv4-mapped IPv6 form (`::ffff:a.b.c.d`), so one address has one value whichever
/// kind of socket it arrived on.
public struct IPAddress: Hashable, Sendable {
    /// The first 8 bytes of the address, as a number.
    public let high: UInt64
    /// The last 8 bytes of the address, as a number.
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// An IPv4 address from its 32 bits, most significant octet first.
    public init(ipv4: UInt32) {
        self.init(high: 0, low: 0xFFFF_0000_0000 | UInt64(ipv4))
    }

    /// Parses the usual text of an IPv4 or IPv6 address; `nil` for anything else, zones and brackets included.
    public init?(_ text: some StringProtocol) {
        let text = String(text)
        var four: UInt32 = 0
        var six: (high: UInt64, low: UInt64) = (0, 0)
        if inet_pton(AF_INET, text, &four) == 1 {
            self.init(ipv4: UInt32(bigEndian: four))
        } else if inet_pton(AF_INET6, text, &six) == 1 {
            self.init(high: UInt64(bigEndian: six.high), low: UInt64(bigEndian: six.low))
        } else {
            return nil
        }
    }

    /// The 32 bits of an IPv4 address; `nil` for IPv6.
    public var ipv4: UInt32? {
        high == 0 && low >> 32 == 0xFFFF ? UInt32(truncatingIfNeeded: low) : nil
    }

    /// `::`, every address of a machine.
    public static let anyIPv6 = IPAddress(high: 0, low: 0)

    public var isLoopback: Bool {
        if let ipv4 { return ipv4 >> 24 == 127 }
        return high == 0 && low == 1
    }

    /// The first `bits` bits of the address, the rest zero. `bits` counts in the packed form: an IPv4 /24 is 120 here.
    func masked(to bits: Int) -> IPAddress {
        let highMask: UInt64 = bits >= 64 ? .max : bits <= 0 ? 0 : ~(UInt64.max >> UInt64(bits))
        let lowMask: UInt64 = bits >= 128 ? .max : bits <= 64 ? 0 : ~(UInt64.max >> UInt64(bits - 64))
        return IPAddress(high: high & highMask, low: low & lowMask)
    }
}

extension IPAddress: CustomStringConvertible {
    public var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        if let ipv4 {
            var four = ipv4.bigEndian
            inet_ntop(AF_INET, &four, &text, socklen_t(text.count))
        } else {
            var halves = (high.bigEndian, low.bigEndian)
            inet_ntop(AF_INET6, &halves, &text, socklen_t(text.count))
        }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// An IP address and a port: where a peer is.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    public var address: IPAddress
    public var port: UInt16

    public init(address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }

    /// `192.0.2.1:5300` or `[2001:db8::1]:5300`.
    public var description: String {
        address.ipv4 == nil ? "[\(address)]:\(port)" : "\(address):\(port)"
    }
}

/// A block of addresses, written `192.0.2.0/24` or `2001:db8::/32`; a lone address is a block of one.
public struct IPPrefix: Hashable, Sendable, CustomStringConvertible {
    /// The block's first address.
    public let address: IPAddress
    /// How many leading bits of the packed 128-bit form are fixed.
    let bits: Int

    public init(_ address: IPAddress) {
        self.init(address, bits: 128)
    }

    init(_ address: IPAddress, bits: Int) {
        self.address = address.masked(to: bits)
        self.bits = bits
    }

    /// The /64 an IPv6 address lies in: what one subscriber usually has.
    static func subscriber(of address: IPAddress) -> IPPrefix {
        IPPrefix(address, bits: 64)
    }

    /// Parses `ADDRESS` or `ADDRESS/LENGTH`; `nil` for anything else, and for a length the address cannot have.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(first) else { return nil }
        let offset = address.ipv4 == nil ? 0 : 96
        guard parts.count == 2 else {
            self.init(address)
            return
        }
        guard !parts[1].isEmpty, parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let length = Int(parts[1]), length <= 128 - offset
        else { return nil }
        self.init(address, bits: length + offset)
    }

    public func contains(_ other: IPAddress) -> Bool {
        other.masked(to: bits) == address
    }

    public var description: String {
        if bits == 128 { return address.description }
        return address.ipv4 != nil && bits >= 96 ? "\(address)/\(bits - 96)" : "\(address)/\(bits)"
    }
}
