import NIOCore

/// What a time stamp of a pcapng interface counts.
enum TimeUnit: Sendable {
    /// 10 to the minus so many seconds.
    case decimal(Int)
    /// 2 to the minus so many seconds.
    case binary(Int)

    static let microseconds = TimeUnit.decimal(6)

    /// From the byte of the option `if_tsresol`.
    init(option: UInt8) {
        let exponent = Int(option & 0x7F)
        self = option & 0x80 == 0 ? .decimal(exponent) : .binary(exponent)
    }

    /// A count in nanoseconds; saturates.
    func nanoseconds(_ count: UInt64) -> Int64 {
        switch self {
        case .decimal(let exponent) where exponent <= 9:
            let (product, overflow) = Int64(clamping: count).multipliedReportingOverflow(by: Self.power(9 - exponent))
            return overflow ? .max : product
        case .decimal(let exponent):
            return exponent > 27 ? 0 : Int64(clamping: count / UInt64(Self.power(exponent - 9)))
        case .binary(let exponent):
            guard exponent < 64 else { return 0 }
            let whole = count >> UInt64(exponent)
            let fraction = count - (whole << UInt64(exponent))
            let (seconds, overflow) = Int64(clamping: whole).multipliedReportingOverflow(by: 1_000_000_000)
            guard !overflow else { return .max }
            let wide = fraction.multipliedFullWidth(by: 1_000_000_000)
            let low = exponent == 0 ? 0 : (wide.high << UInt64(64 - exponent)) | (wide.low >> UInt64(exponent))
            return seconds.addingReportingOverflow(Int64(clamping: low)).partialValue
        }
    }

    private static func power(_ exponent: Int) -> Int64 {
        (0..<exponent).reduce(1) { product, _ in product * 10 }
    }
}

/// Blocks of pcapng: `type(4) | length(4) | body, a multiple of 4 | length(4)`.
extension CaptureReader {
    enum Block {
        case incomplete
        case frame(CapturedFrame)
        /// Something that is no frame, and has been read.
        case other
    }

    private static let sectionHeader: UInt32 = 0x0A0D_0D0A

    /// The byte order of the section that begins here; `nil` if too little has come to tell.
    func sectionOrder() throws(CaptureError) -> Endianness? {
        guard let mark = bytes.getInteger(at: bytes.readerIndex + 8, as: UInt32.self) else { return nil }
        switch mark {
        case 0x1A2B_3C4D: return .big
        case 0x4D3C_2B1A: return .little
        default: throw .unknownFormat
        }
    }

    mutating func nextBlock(_ order: Endianness, _ interfaces: [Interface]) throws(CaptureError) -> Block {
        guard let type = bytes.getInteger(at: bytes.readerIndex, endianness: order, as: UInt32.self) else {
            return .incomplete
        }
        // A section may follow in the other byte order; its mark reads the same in both.
        var order = order
        if type == Self.sectionHeader {
            guard let own = try sectionOrder() else { return .incomplete }
            order = own
        }
        guard let length = bytes.getInteger(at: bytes.readerIndex + 4, endianness: order, as: UInt32.self) else {
            return .incomplete
        }
        guard length >= 12, length % 4 == 0, length <= Self.longestBlock else { throw .badLength }
        guard var body = bytes.readSlice(length: Int(length)) else { return .incomplete }
        body.moveReaderIndex(forwardBy: 8)
        body.moveWriterIndex(to: body.writerIndex - 4)
        switch type {
        case Self.sectionHeader:
            format = .pcapng(order: order, interfaces: [])
        case 1:
            guard interfaces.count < Self.maxInterfaces else { throw .tooManyInterfaces }
            format = .pcapng(order: order, interfaces: interfaces + [try Self.interface(&body, order)])
        case 3:
            return .frame(try Self.simplePacket(&body, order, interfaces))
        case 6:
            return .frame(try Self.enhancedPacket(&body, order, interfaces))
        default:
            // Names, statistics, and what is yet to be thought of.
            break
        }
        return .other
    }

    private static func interface(_ body: inout ByteBuffer, _ order: Endianness) throws(CaptureError) -> Interface {
        guard let head = body.readMultipleIntegers(endianness: order, as: (UInt16, UInt16, UInt32).self) else {
            throw .badLength
        }
        var interface = Interface(link: LinkType(number: UInt32(head.0)))
        while let (code, length) = body.readMultipleIntegers(endianness: order, as: (UInt16, UInt16).self), code != 0 {
            let padded = (Int(length) + 3) & ~3
            guard let value = body.readSlice(length: min(padded, body.readableBytes)) else { break }
            if code == 9, let byte = value.getInteger(at: value.readerIndex, as: UInt8.self) {
                interface.unit = TimeUnit(option: byte)
            } else if code == 14,
                let offset = value.getInteger(at: value.readerIndex, endianness: order, as: Int64.self)
            {
                interface.offsetSeconds = offset
            }
        }
        return interface
    }

    private static func enhancedPacket(
        _ body: inout ByteBuffer, _ order: Endianness, _ interfaces: [Interface]
    ) throws(CaptureError) -> CapturedFrame {
        guard
            let head = body.readMultipleIntegers(
                endianness: order, as: (UInt32, UInt32, UInt32, UInt32, UInt32).self),
            let data = body.readSlice(length: Int(head.3))
        else { throw .badLength }
        guard head.0 < UInt32(interfaces.count) else { throw .unknownInterface }
        let interface = interfaces[Int(head.0)]
        let stamp = interface.unit.nanoseconds(UInt64(head.1) << 32 | UInt64(head.2))
        let (offset, overflow) = interface.offsetSeconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (time, carried) = stamp.addingReportingOverflow(overflow ? 0 : offset)
        return CapturedFrame(
            time: carried ? stamp : time, link: interface.link, bytes: data, originalLength: Int(head.4))
    }

    private static func simplePacket(
        _ body: inout ByteBuffer, _ order: Endianness, _ interfaces: [Interface]
    ) throws(CaptureError) -> CapturedFrame {
        guard let original = body.readInteger(endianness: order, as: UInt32.self) else { throw .badLength }
        guard let interface = interfaces.first else { throw .unknownInterface }
        guard let data = body.readSlice(length: min(Int(original), body.readableBytes)) else { throw .badLength }
        return CapturedFrame(time: 0, link: interface.link, bytes: data, originalLength: Int(original))
    }
}
