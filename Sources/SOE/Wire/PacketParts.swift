public import NIOCore

/// The packets of a MultiPacket, one after the other. A part may be raw data, which does not begin with 0.
public struct MultiPacketReader: Sendable {
    /// How deep MultiPackets may lie in each other. No peer is known to nest them at all.
    static let maxDepth = 4

    private var rest: ByteBuffer

    /// Reads what follows the op code.
    public init(body: ByteBuffer) {
        rest = body
    }

    /// The next part, a slice; `nil` behind the last. It throws `badSubPacket`.
    public mutating func next() throws(SOEWireError) -> ByteBuffer? {
        guard rest.readableBytes > 0 else { return nil }
        let length: UInt32
        do { length = try VariableLength.multiPacket.read(from: &rest) } catch { throw .badSubPacket }
        guard length >= 2, let part = rest.readSlice(length: Int(length)) else { throw .badSubPacket }
        return part
    }
}

/// The messages of a data bundle, one after the other: each may be empty.
public struct DataBundleReader: Sendable {
    /// The two bytes a reliable unit begins with that is a bundle.
    public static let mark: UInt16 = 0x0019

    private var rest: ByteBuffer
    /// Whether the last message was cut off. What was whole has been read; peers leave the rest out quietly.
    public private(set) var isTruncated = false

    /// Reads what follows the mark.
    public init(body: ByteBuffer) {
        rest = body
    }

    /// Whether a reliable unit is a bundle. The mark with nothing behind it is plain data.
    @inline(__always)
    public static func isBundle(_ unit: ByteBuffer) -> Bool {
        unit.readableBytes > 2 && unit.getInteger(at: unit.readerIndex, as: UInt16.self) == mark
    }

    /// The next message, a slice; `nil` behind the last.
    @inline(__always)
    public mutating func next() -> ByteBuffer? {
        guard rest.readableBytes > 0 else { return nil }
        guard let length = try? VariableLength.dataBundle.read(from: &rest),
            let message = rest.readSlice(length: Int(length))
        else {
            isTruncated = true
            rest.clear()
            return nil
        }
        return message
    }
}
