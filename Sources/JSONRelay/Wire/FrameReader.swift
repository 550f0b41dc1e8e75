package import NIOCore

/// Cuts a stream into frames: a length of 4 octets, big endian and signed, then as many octets of body.
///
/// A frame that lies whole in the received bytes is a slice of them. Only a frame that was cut is gathered, in storage
/// that grows with what has arrived and never with what a header announces.
package struct FrameReader {
    /// The octets of a frame's header.
    package static let headerLength = 4

    /// The start of a frame whose rest has not arrived.
    private var partial = ByteBuffer()

    package init() {}

    /// Whether the stream has stopped in the middle of a frame.
    package var isInsideFrame: Bool { partial.readableBytes > 0 }

    /// Takes the next whole frame, header included, out of `input`; `nil` when `input` is used up.
    ///
    /// A header is judged as soon as it is complete. After an error the stream cannot be read any further.
    package mutating func next(from input: inout ByteBuffer, limit: Int) throws(WireError) -> ByteBuffer? {
        if !isInsideFrame, let length = try Self.frameLength(input, limit: limit),
            let frame = input.readSlice(length: length)
        {
            return frame
        }
        gather(upTo: Self.headerLength, from: &input)
        guard let length = try Self.frameLength(partial, limit: limit) else { return nil }
        gather(upTo: length, from: &input)
        guard partial.readableBytes == length else { return nil }
        defer { partial = ByteBuffer() }
        return partial
    }

    /// The octets of the frame that `bytes` start with, header included; `nil` while its header is incomplete.
    private static func frameLength(_ bytes: ByteBuffer, limit: Int) throws(WireError) -> Int? {
        guard let announced = bytes.getInteger(at: bytes.readerIndex, as: Int32.self) else { return nil }
        if announced < 0 { throw .negativeLength }
        if announced == 0 { throw .emptyFrame }
        if announced > limit { throw .frameTooLarge(limit: limit) }
        return Int(announced) + headerLength
    }

    private mutating func gather(upTo length: Int, from input: inout ByteBuffer) {
        let missing = min(length - partial.readableBytes, input.readableBytes)
        guard missing > 0, var piece = input.readSlice(length: missing) else { return }
        partial.writeBuffer(&piece)
    }
}
