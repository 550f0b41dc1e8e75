package import NIOCore

/// One packet as it travels: 12 bytes of header, then its payload. All integers are little-endian.
///
/// | offset | type | field | value |
/// |---|---|---|---|
/// | 0x00 | u32 | magic | `RLDN` |
/// | 0x04 | u8 | type | `PacketType` |
/// | 0x05 | u8 | version | 1 |
/// | 0x06 | 2 bytes | padding | 0; never read |
/// | 0x08 | s32 | payload size | |
package struct Frame: Equatable, Sendable {
    /// The bytes of a header.
    package static let headerLength = 12
    /// The most bytes of a payload that any client takes: header and payload together stay below 128 KiB.
    package static let maxPayload = 131_059
    static let magic: UInt32 = 0x4E44_4C52
    static let version: UInt8 = 1

    /// Header and payload: what is forwarded when a packet is relayed as it came.
    package let bytes: ByteBuffer

    /// Bytes that are known to be one whole frame.
    init(whole bytes: ByteBuffer) {
        self.bytes = bytes
    }

    /// What the packet is, or says it is.
    package var type: PacketType {
        PacketType(rawValue: bytes.getInteger(at: bytes.readerIndex + 4) ?? 0)
    }

    package var payload: ByteBuffer {
        var payload = bytes
        payload.moveReaderIndex(forwardBy: min(Self.headerLength, payload.readableBytes))
        return payload
    }

    /// Appends a header for a payload of that many bytes.
    static func writeHeader(_ type: PacketType, payloadLength: Int, into bytes: inout ByteBuffer) {
        bytes.writeInteger(magic, endianness: .little)
        bytes.writeMultipleIntegers(type.rawValue, version, UInt16(0))
        bytes.writeInteger(Int32(clamping: payloadLength), endianness: .little)
    }
}

/// Cuts a stream into frames.
///
/// A frame that lies whole in the received bytes is a slice of them. Only a frame that was cut is gathered, in storage
/// that grows with what has arrived and never with what a header announces.
package struct FrameReader: Sendable {
    /// The start of a frame whose rest has not arrived.
    private var partial = ByteBuffer()

    package init() {}

    /// Takes the next whole frame out of `input`; `nil` when `input` is used up.
    ///
    /// A header is judged as soon as it is complete. After an error the stream cannot be read any further.
    package mutating func next(from input: inout ByteBuffer) throws(FrameError) -> Frame? {
        if partial.readableBytes == 0, let length = try Self.frameLength(input),
            let frame = input.readSlice(length: length)
        {
            return Frame(whole: frame)
        }
        gather(upTo: Frame.headerLength, from: &input)
        guard let length = try Self.frameLength(partial) else { return nil }
        gather(upTo: length, from: &input)
        guard partial.readableBytes == length else { return nil }
        defer { partial = ByteBuffer() }
        return Frame(whole: partial)
    }

    /// The bytes of the frame that `bytes` start with, header included; `nil` while its header is incomplete.
    private static func frameLength(_ bytes: ByteBuffer) throws(FrameError) -> Int? {
        let start = bytes.readerIndex
        guard let payloadLength = bytes.getInteger(at: start + 8, endianness: .little, as: Int32.self) else {
            return nil
        }
        guard bytes.getInteger(at: start, endianness: .little) == Frame.magic else { throw .badMagic }
        guard bytes.getInteger(at: start + 5) == Frame.version else { throw .badVersion }
        guard payloadLength >= 0 else { throw .negativeSize }
        guard payloadLength <= Frame.maxPayload else { throw .tooLarge }
        return Frame.headerLength + Int(payloadLength)
    }

    private mutating func gather(upTo length: Int, from input: inout ByteBuffer) {
        let missing = min(length - partial.readableBytes, input.readableBytes)
        guard missing > 0, var piece = input.readSlice(length: missing) else { return }
        partial.writeBuffer(&piece)
    }
}

/// Why a stream can be read no further. Each of these ends the connection.
package enum FrameError: Error, CaseIterable, Sendable {
    case badMagic
    case badVersion
    case negativeSize
    /// Header and payload reach 128 KiB.
    case tooLarge
}

/// Why a packet is passed over. The connection lives, and the sender is told nothing: newer clients may say more.
package enum PacketError: Error, CaseIterable, Sendable {
    case unknownType
    /// The payload is shorter than what it must hold.
    case tooShort
}
