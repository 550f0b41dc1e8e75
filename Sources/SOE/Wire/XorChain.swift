/// The encoding pass of EverQuest and SWG: each little-endian 32-bit word is xored with the encoded word before it, the
/// first with the CRC seed; what is left over, with the low byte of the last key.
enum XorChain {
    static func encode(_ bytes: UnsafeMutableRawBufferPointer, key: UInt32) {
        var key = key
        eachWord(of: bytes) { word in
            key ^= word
            word = key
        }
        tail(of: bytes, key: key)
    }

    static func decode(_ bytes: UnsafeMutableRawBufferPointer, key: UInt32) {
        var key = key
        eachWord(of: bytes) { word in
            let encoded = word
            word ^= key
            key = encoded
        }
        tail(of: bytes, key: key)
    }

    @inline(__always)
    private static func eachWord(of bytes: UnsafeMutableRawBufferPointer, _ change: (inout UInt32) -> Void) {
        for offset in stride(from: 0, to: bytes.count & ~3, by: 4) {
            var word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self).littleEndian
            change(&word)
            bytes.storeBytes(of: word.littleEndian, toByteOffset: offset, as: UInt32.self)
        }
    }

    private static func tail(of bytes: UnsafeMutableRawBufferPointer, key: UInt32) {
        for index in (bytes.count & ~3)..<bytes.count { bytes[index] ^= UInt8(truncatingIfNeeded: key) }
    }
}
