import NIOCore
import RelayCore

/// Puts packets into datagrams: several small ones into a MultiPacket, a lone one bare, a long one alone.
///
/// A datagram is begun as a MultiPacket. If only one packet comes, its op code is written over the end of what would have
/// preceded it, so that nothing has to move.
struct DatagramWriter {
    /// Some peers read one byte of length and no more.
    private static let longestPart = 254

    private let limit: Int
    private let gap: Int
    private let overhead: Int
    private var start = 0
    private var parts = 0
    private var isLong = false
    /// How many datagrams have been finished.
    private(set) var finished = 0
    private(set) var finishedBytes = 0

    /// - Parameter limit: the most bytes of a datagram.
    init(coding: PacketCoding, limit: Int) {
        self.limit = limit
        gap = coding.gap
        overhead = coding.overhead
    }

    /// Whether anything was written.
    var isEmpty: Bool { finished == 0 && parts == 0 }

    /// Begins a packet of `count` bytes, op code included, which the caller then writes.
    @inline(__always)
    mutating func begin(
        _ count: Int, coding: PacketCoding, zlib: ZlibCodec, to endpoint: Endpoint, _ out: inout DatagramOutbox
    ) {
        if parts > 0 {
            let length = out.bytes.writerIndex - start + overhead - gap + 1 + count
            if isLong || count > Self.longestPart || length > limit {
                finish(coding: coding, zlib: zlib, to: endpoint, &out)
            }
        }
        if parts == 0 {
            start = out.bytes.writerIndex
            out.bytes.writeInteger(UInt16(OpCode.multiPacket.rawValue))
            if gap > 0 { out.bytes.writeRepeatingByte(0, count: gap) }
        }
        parts += 1
        isLong = count > Self.longestPart
        out.bytes.writeInteger(UInt8(truncatingIfNeeded: isLong ? 0 : count))
    }

    /// Sends what was written, if anything was.
    mutating func finish(coding: PacketCoding, zlib: ZlibCodec, to endpoint: Endpoint, _ out: inout DatagramOutbox) {
        guard parts > 0 else { return }
        if parts == 1 {
            // `00 03 gap length code body` becomes `code gap body`.
            start += 3
            if gap > 0, let code = out.bytes.getInteger(at: start + gap, as: UInt16.self) {
                out.bytes.setInteger(code, at: start)
            }
        }
        coding.seal(&out.bytes, from: start, isRaw: false, zlib: zlib)
        parts = 0
        finished += 1
        finishedBytes += out.bytes.writerIndex - start
        out.send(from: start, to: endpoint)
    }
}
