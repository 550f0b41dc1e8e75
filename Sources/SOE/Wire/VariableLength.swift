public import NIOCore

/// The lengths in front of the parts of a MultiPacket and of a data bundle. They differ at 255 alone.
///
/// | value | MultiPacket | data bundle |
/// |---|---|---|
/// | 0...254 | 1 byte | 1 byte |
/// | 255 | `FF`, told apart because a packet begins with 0 | `FF 00 FF` |
/// | 256...65534 | `FF` and 2 bytes | `FF` and 2 bytes |
/// | from 65535 | `FF FF FF` and 4 bytes | `FF FF FF` and 4 bytes |
///
/// Longer forms of small values are read as well: some peers write them.
public enum VariableLength: Sendable {
    case multiPacket
    case dataBundle

    /// How many bytes a length takes.
    public func size(of length: Int) -> Int {
        switch length {
        case ..<255: 1
        case 255: self == .multiPacket ? 1 : 3
        case ..<65535: 3
        default: 7
        }
    }

    public func write(_ length: UInt32, into bytes: inout ByteBuffer) {
        switch size(of: Int(length)) {
        case 1:
            bytes.writeInteger(UInt8(length))
        case 3:
            bytes.writeInteger(UInt8.max)
            bytes.writeInteger(UInt16(length))
        default:
            bytes.writeMultipleIntegers(UInt8.max, UInt16.max, length)
        }
    }

    /// Takes a length from the front. It throws `truncated`.
    @inline(__always)
    public func read(from bytes: inout ByteBuffer) throws(SOEWireError) -> UInt32 {
        guard let first = bytes.readInteger(as: UInt8.self) else { throw .truncated }
        guard first == 255 else { return UInt32(first) }
        return try readLong(from: &bytes)
    }

    private func readLong(from bytes: inout ByteBuffer) throws(SOEWireError) -> UInt32 {
        if self == .multiPacket {
            guard let next = bytes.getInteger(at: bytes.readerIndex, as: UInt8.self) else { throw .truncated }
            if next == 0 { return 255 }
        }
        guard let short = bytes.readInteger(as: UInt16.self) else { throw .truncated }
        guard short == .max else { return UInt32(short) }
        guard let long = bytes.readInteger(as: UInt32.self) else { throw .truncated }
        return long
    }
}
