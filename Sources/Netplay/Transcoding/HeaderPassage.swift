import NIOCore

/// The header of one side of a pair, on its way to the other side.
///
/// Nothing of it is held back, however few bytes come at a time: the host of a current RetroArch says nothing before it
/// has heard its guest. Only one byte matters, the one with the bit for zlib.
struct HeaderPassage {
    private static let magic: [UInt8] = Array("RANP".utf8)
    /// Where in the header the bit for zlib is, the lowest of its byte.
    private static let zlibOffset = 11

    private var position = 0
    /// Whether what came so far can be the beginning of a netplay header.
    private(set) var isNetplay = true
    /// What the side said of zlib; `nil` until it has.
    private(set) var hasZlib: Bool?

    var isOver: Bool { position == NetplayHeader.size }

    /// Takes what belongs to the header from the front of `bytes`, with the bit for zlib as the other side shall see it.
    mutating func pass(from bytes: inout ByteBuffer, telling zlib: Bool) -> ByteBuffer {
        let count = min(NetplayHeader.size - position, bytes.readableBytes)
        guard var piece = bytes.readSlice(length: count) else { return ByteBuffer() }
        for (offset, byte) in zip(position..., piece.readableBytesView) {
            if offset < Self.magic.count {
                if byte != Self.magic[offset] {
                    isNetplay = false
                    break
                }
            } else if offset == Self.zlibOffset {
                let own = byte & 1 == 1
                hasZlib = own
                if zlib != own { piece.setInteger(byte ^ 1, at: piece.readerIndex + offset - position) }
                break
            }
        }
        position += count
        return piece
    }
}
