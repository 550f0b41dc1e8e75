public import NIOCore

/// What lies between a packet and its datagram, as a session's two ends agreed: up to two passes over the body, then the
/// CRC. Undone in the opposite order.
public struct PacketCoding: Sendable {
    public let crc: SeededCRC
    public let first: EncodingPass
    public let second: EncodingPass
    /// Whether the passes run over raw data as well, from its second byte on.
    public let codesRawData: Bool

    public init(crc: SeededCRC, first: EncodingPass = .none, second: EncodingPass = .none, codesRawData: Bool = false) {
        self.crc = crc
        self.first = first
        self.second = second
        self.codesRawData = codesRawData
    }

    /// What a response asks for. It throws `unsupported`.
    public init(response: SessionResponse, dialect: SOEDialect) throws(SOEWireError) {
        guard let crc = SeededCRC(seed: response.crcSeed, length: Int(response.crcLength)) else { throw .unsupported }
        self.crc = crc
        first = try EncodingPass(wire: response.firstPass, style: dialect.compression)
        second = try EncodingPass(wire: response.secondPass, style: dialect.compression)
        codesRawData = dialect.codesRawData
    }

    /// How many bytes it adds to a packet.
    var overhead: Int { first.overhead + second.overhead + crc.length }

    /// How many bytes the sender leaves free behind the op code for `seal` to fill in.
    var gap: Int { Self.leadingFlags(first) + Self.leadingFlags(second) }

    private static func leadingFlags(_ pass: EncodingPass) -> Int {
        if case .compression(let style) = pass, !style.trails { 1 } else { 0 }
    }
}

/// A datagram whose CRC and passes have been taken off.
public enum OpenedDatagram: Equatable, Sendable {
    case packet(OpCode, body: ByteBuffer)
    /// Unreliable data, still with the zero that was put before data that begins with one.
    case raw(ByteBuffer)
}

extension PacketCoding {
    /// Checks the CRC of a contextual datagram and undoes the passes.
    ///
    /// What came as it is, is a slice of what was read. It throws `badCRC`, `truncated`, `unknownOpCode` and
    /// `badCompression`.
    @inline(__always)
    public func open(_ datagram: ByteBuffer, zlib: ZlibCodec) throws(SOEWireError) -> OpenedDatagram {
        guard crc.verifies(datagram) else { throw .badCRC }
        var rest = datagram
        rest.moveWriterIndex(to: rest.writerIndex - crc.length)
        guard let start = rest.getInteger(at: rest.readerIndex, as: UInt16.self) else {
            return try openShort(rest)
        }
        let isRaw = start < 256 ? start == 0 : true
        if isRaw, !codesRawData || (first == .none && second == .none) { return .raw(rest) }
        if isRaw { return .raw(try openRaw(rest, zlib: zlib)) }
        guard let code = OpCode(rawValue: UInt8(truncatingIfNeeded: start)) else { throw .unknownOpCode }
        rest.moveReaderIndex(forwardBy: 2)
        if first != .none || second != .none { try undoPasses(in: &rest, zlib: zlib) }
        return .packet(code, body: rest)
    }

    /// A single byte is data if it is not 0.
    private func openShort(_ rest: ByteBuffer) throws(SOEWireError) -> OpenedDatagram {
        guard let byte = rest.getInteger(at: rest.readerIndex, as: UInt8.self), byte != 0 else { throw .truncated }
        return .raw(rest)
    }

    private func openRaw(_ datagram: ByteBuffer, zlib: ZlibCodec) throws(SOEWireError) -> ByteBuffer {
        var rest = datagram
        let isEscaped = rest.getInteger(at: rest.readerIndex, as: UInt8.self) == 0
        guard let head = rest.readSlice(length: isEscaped ? 2 : 1) else { throw .truncated }
        // Data of one byte has nothing behind it that could carry a flag.
        if !isEscaped, rest.readableBytes == 0 { return datagram }
        try undoPasses(in: &rest, zlib: zlib)
        var joined = ByteBuffer()
        joined.reserveCapacity(head.readableBytes + rest.readableBytes)
        joined.writeImmutableBuffer(head)
        joined.writeImmutableBuffer(rest)
        return joined
    }

    private func undoPasses(in body: inout ByteBuffer, zlib: ZlibCodec) throws(SOEWireError) {
        try undo(second, in: &body, zlib: zlib)
        try undo(first, in: &body, zlib: zlib)
    }

    private func undo(_ pass: EncodingPass, in body: inout ByteBuffer, zlib: ZlibCodec) throws(SOEWireError) {
        switch pass {
        case .none:
            break
        case .xorChain:
            body.withUnsafeMutableReadableBytes { XorChain.decode($0, key: crc.seed) }
        case .compression(let style):
            let flagIndex = style.trails ? body.writerIndex - 1 : body.readerIndex
            guard body.readableBytes > 0, let flag = body.getInteger(at: flagIndex, as: UInt8.self) else {
                throw .truncated
            }
            if style.trails {
                body.moveWriterIndex(to: flagIndex)
            } else {
                body.moveReaderIndex(forwardBy: 1)
            }
            if try style.isDeflated(flag) { body = try zlib.inflate(body) }
        }
    }
}

extension PacketCoding {
    /// Applies the passes and appends the CRC to the packet that stands from `start` to the end of `bytes`: op code, gap,
    /// body. Data without op code has one byte in the place of two.
    func seal(_ bytes: inout ByteBuffer, from start: Int, isRaw: Bool, zlib: ZlibCodec) {
        if first != .none || second != .none, !isRaw || codesRawData {
            let head = isRaw && bytes.getInteger(at: start, as: UInt8.self) != 0 ? 1 : 2
            apply(to: &bytes, from: start + head, zlib: zlib)
        }
        crc.append(to: &bytes, from: start)
    }

    /// The body with its gap in front stands from `start` to the end.
    private func apply(to bytes: inout ByteBuffer, from start: Int, zlib: ZlibCodec) {
        // The gaps of leading flags lie in a row, the last pass's first.
        var start = start + gap
        for pass in [first, second] {
            switch pass {
            case .none:
                break
            case .xorChain:
                let offset = start - bytes.readerIndex
                bytes.withUnsafeMutableReadableBytes {
                    XorChain.encode(UnsafeMutableRawBufferPointer(rebasing: $0[offset...]), key: crc.seed)
                }
            case .compression(let style):
                let isDeflated = zlib.deflateInPlace(&bytes, from: start, threshold: style.threshold)
                let flag = isDeflated ? style.deflated : style.plain
                if style.trails {
                    bytes.writeInteger(flag)
                } else {
                    start -= 1
                    bytes.setInteger(flag, at: start)
                }
            }
        }
    }
}
