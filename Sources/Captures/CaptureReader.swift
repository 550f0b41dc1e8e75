public import NIOCore

/// Reads capture files of both formats, pcap and pcapng, as their bytes come: it keeps no more than one frame that is not
/// complete, and the descriptions of interfaces.
public struct CaptureReader: Sendable {
    /// Frames are no longer; nor are other blocks of a pcapng file.
    public static let longestBlock = 16 << 20
    static let maxInterfaces = 4096

    enum Format {
        case unknown
        case pcap(order: Endianness, link: LinkType, isNanoseconds: Bool)
        case pcapng(order: Endianness, interfaces: [Interface])
    }

    /// An interface of a pcapng file, and how its time stamps count.
    struct Interface: Sendable {
        var link: LinkType
        var unit = TimeUnit.microseconds
        var offsetSeconds: Int64 = 0
    }

    var bytes = ByteBuffer()
    var format = Format.unknown

    public init() {}

    /// Takes the next bytes of the file, cut anywhere.
    public mutating func append(_ read: ByteBuffer) {
        bytes.discardReadBytes()
        bytes.writeImmutableBuffer(read)
    }

    /// The next frame, if all of it has come. Nothing can be read after it has thrown.
    public mutating func next() throws(CaptureError) -> CapturedFrame? {
        while true {
            switch format {
            case .unknown:
                guard try readStart() else { return nil }
            case .pcap(let order, let link, let isNanoseconds):
                return try nextRecord(order, link, isNanoseconds)
            case .pcapng(let order, let interfaces):
                switch try nextBlock(order, interfaces) {
                case .incomplete: return nil
                case .frame(let frame): return frame
                case .other: continue
                }
            }
        }
    }

    /// The file has ended. It throws `truncated` if something of a frame is left.
    public func finish() throws(CaptureError) {
        if case .unknown = format { throw .unknownFormat }
        if bytes.readableBytes > 0 { throw .truncated }
    }

    /// Whether the start has come.
    private mutating func readStart() throws(CaptureError) -> Bool {
        guard let magic = bytes.getInteger(at: bytes.readerIndex, as: UInt32.self) else { return false }
        switch magic {
        case 0x0A0D_0D0A:
            // The byte order stands behind the length.
            guard let order = try sectionOrder() else { return false }
            format = .pcapng(order: order, interfaces: [])
            return true
        case 0xA1B2_C3D4: return try readPcapHeader(.big, isNanoseconds: false)
        case 0xA1B2_3C4D: return try readPcapHeader(.big, isNanoseconds: true)
        case 0xD4C3_B2A1: return try readPcapHeader(.little, isNanoseconds: false)
        case 0x4D3C_B2A1: return try readPcapHeader(.little, isNanoseconds: true)
        default: throw .unknownFormat
        }
    }

    private mutating func readPcapHeader(_ order: Endianness, isNanoseconds: Bool) throws(CaptureError) -> Bool {
        guard bytes.readableBytes >= 24,
            let link = bytes.getInteger(at: bytes.readerIndex + 20, endianness: order, as: UInt32.self)
        else { return false }
        bytes.moveReaderIndex(forwardBy: 24)
        // The upper bits say how long an Ethernet checksum is.
        format = .pcap(order: order, link: LinkType(number: link & 0x0FFF_FFFF), isNanoseconds: isNanoseconds)
        return true
    }

    private mutating func nextRecord(
        _ order: Endianness, _ link: LinkType, _ isNanoseconds: Bool
    ) throws(CaptureError) -> CapturedFrame? {
        var rest = bytes
        guard
            let head = rest.readMultipleIntegers(endianness: order, as: (UInt32, UInt32, UInt32, UInt32).self)
        else { return nil }
        guard head.2 <= Self.longestBlock else { throw .badLength }
        guard let data = rest.readSlice(length: Int(head.2)) else { return nil }
        bytes = rest
        let fraction = Int64(head.1) * (isNanoseconds ? 1 : 1000)
        return CapturedFrame(
            time: Int64(head.0) * 1_000_000_000 + fraction, link: link, bytes: data, originalLength: Int(head.3))
    }
}
