public import NIOCore

/// The CRC trailer of a session's datagrams: the low bytes of a CRC-32 over the seed (as 4 little-endian bytes) and the
/// datagram up to the trailer, most significant byte first.
///
/// It finds damage. It is no authentication: the seed crosses the network in the clear.
public struct SeededCRC: Hashable, Sendable {
    public let seed: UInt32
    /// How many bytes the trailer has, 0...4.
    public let length: Int
    /// The CRC's state after the seed.
    private let seeded: UInt32

    /// `nil` for a length that does not exist.
    public init?(seed: UInt32, length: Int) {
        guard (0...4).contains(length) else { return nil }
        self.init(seed: seed, checkedLength: length)
    }

    private init(seed: UInt32, checkedLength: Int) {
        self.seed = seed
        length = checkedLength
        seeded = withUnsafeBytes(of: seed.littleEndian) { CRC32.update(CRC32.start, $0) }
    }

    /// No trailer.
    static let none = SeededCRC(seed: 0, checkedLength: 0)

    /// All 32 bits.
    public func value(of bytes: UnsafeRawBufferPointer) -> UInt32 {
        ~CRC32.update(seeded, bytes)
    }

    /// Appends the trailer of what stands in `bytes` from an index to the end.
    public func append(to bytes: inout ByteBuffer, from start: Int) {
        guard length > 0 else { return }
        let value = bytes.withUnsafeReadableBytes { readable in
            self.value(of: UnsafeRawBufferPointer(rebasing: readable[(start - bytes.readerIndex)...]))
        }
        switch length {
        case 1: bytes.writeInteger(UInt8(truncatingIfNeeded: value))
        case 2: bytes.writeInteger(UInt16(truncatingIfNeeded: value))
        case 3: bytes.writeMultipleIntegers(UInt8(truncatingIfNeeded: value >> 16), UInt16(truncatingIfNeeded: value))
        default: bytes.writeInteger(value)
        }
    }

    /// Whether a whole datagram ends with its trailer.
    public func verifies(_ datagram: ByteBuffer) -> Bool {
        guard length > 0 else { return true }
        return datagram.withUnsafeReadableBytes { bytes in
            let count = bytes.count - length
            guard count >= 0 else { return false }
            var trailer: UInt32 = 0
            for index in count..<bytes.count { trailer = trailer << 8 | UInt32(bytes[index]) }
            let mask = UInt32.max >> UInt32(32 - 8 * length)
            return value(of: UnsafeRawBufferPointer(rebasing: bytes[..<count])) & mask == trailer
        }
    }
}
