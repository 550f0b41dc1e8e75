import RelayCore

/// Numbers in network byte order. A place outside of the span traps, so whoever reads has looked at the length first.
extension RawSpan {
    @inline(__always)
    func octet(at offset: Int) -> UInt8 {
        unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    @inline(__always)
    func uint16(at offset: Int) -> UInt16 {
        UInt16(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    @inline(__always)
    func uint32(at offset: Int) -> UInt32 {
        UInt32(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    @inline(__always)
    func uint64(at offset: Int) -> UInt64 {
        UInt64(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    @inline(__always)
    func mac(at offset: Int) -> MACAddress {
        MACAddress(bits: UInt64(uint16(at: offset)) << 32 | UInt64(uint32(at: offset + 2)))
    }

    @inline(__always)
    func ipv6(at offset: Int) -> IPAddress {
        IPAddress(high: uint64(at: offset), low: uint64(at: offset + 8))
    }
}
