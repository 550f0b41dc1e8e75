public import NIOCore
public import RelayCore

/// A UDP datagram found in a captured frame.
public struct CapturedDatagram: Hashable, Sendable {
    /// Nanoseconds since 1970.
    public var time: Int64
    public var source: Endpoint
    public var destination: Endpoint
    public var payload: ByteBuffer
    /// Whether the capture kept less than there was.
    public var isCut: Bool

    public init(time: Int64, source: Endpoint, destination: Endpoint, payload: ByteBuffer, isCut: Bool = false) {
        self.time = time
        self.source = source
        self.destination = destination
        self.payload = payload
        self.isCut = isCut
    }

    /// What a frame holds.
    public enum Content: Hashable, Sendable {
        case datagram(CapturedDatagram)
        /// A part of a datagram that did not fit into one packet of the network.
        case fragment
        /// Anything else.
        case other
    }

    /// Looks for a datagram in a frame.
    public static func content(of frame: CapturedFrame) -> Content {
        var bytes = frame.bytes
        guard var content = unwrapLink(frame.link, &bytes) else { return .other }
        if case .datagram(var datagram) = content {
            datagram.time = frame.time
            content = .datagram(datagram)
        }
        return content
    }

    private static func unwrapLink(_ link: LinkType, _ bytes: inout ByteBuffer) -> Content? {
        switch link {
        case .ethernet:
            guard bytes.readSlice(length: 12) != nil, let type = bytes.readInteger(as: UInt16.self) else { return nil }
            return unwrapType(type, &bytes)
        case .raw:
            return unwrapNetwork(&bytes)
        case .loopback:
            return bytes.readSlice(length: 4).flatMap { _ in unwrapNetwork(&bytes) }
        case .linuxCooked:
            guard bytes.readSlice(length: 14) != nil, let type = bytes.readInteger(as: UInt16.self) else { return nil }
            return unwrapType(type, &bytes)
        case .linuxCooked2:
            guard let type = bytes.readInteger(as: UInt16.self), bytes.readSlice(length: 18) != nil else { return nil }
            return unwrapType(type, &bytes)
        case .other:
            return nil
        }
    }

    private static func unwrapType(_ type: UInt16, _ bytes: inout ByteBuffer) -> Content? {
        var type = type
        // VLAN tags, at most as deep as anybody stacks them.
        for _ in 0..<4 where type == 0x8100 || type == 0x88A8 {
            guard bytes.readInteger(as: UInt16.self) != nil, let inner = bytes.readInteger(as: UInt16.self) else {
                return nil
            }
            type = inner
        }
        return type == 0x0800 || type == 0x86DD ? unwrapNetwork(&bytes) : nil
    }

    private static func unwrapNetwork(_ bytes: inout ByteBuffer) -> Content? {
        guard let first = bytes.getInteger(at: bytes.readerIndex, as: UInt8.self) else { return nil }
        switch first >> 4 {
        case 4: return unwrapIPv4(&bytes, headerSize: Int(first & 15) * 4)
        case 6: return unwrapIPv6(&bytes)
        default: return nil
        }
    }

    private static func unwrapIPv4(_ bytes: inout ByteBuffer, headerSize: Int) -> Content? {
        let start = bytes.readerIndex
        guard headerSize >= 20, bytes.readableBytes >= headerSize,
            let total = bytes.getInteger(at: start + 2, as: UInt16.self),
            let fragment = bytes.getInteger(at: start + 6, as: UInt16.self),
            bytes.getInteger(at: start + 9, as: UInt8.self) == 17,
            let source = bytes.getInteger(at: start + 12, as: UInt32.self),
            let destination = bytes.getInteger(at: start + 16, as: UInt32.self)
        else { return nil }
        // More to come, or not the first.
        guard fragment & 0x3FFF == 0 else { return .fragment }
        // Ethernet pads what is short. Offloading cards leave the length out.
        if total >= headerSize, Int(total) < bytes.readableBytes { bytes.moveWriterIndex(to: start + Int(total)) }
        bytes.moveReaderIndex(forwardBy: headerSize)
        return unwrapUDP(&bytes, IPAddress(ipv4: source), IPAddress(ipv4: destination))
    }

    private static func unwrapIPv6(_ bytes: inout ByteBuffer) -> Content? {
        guard
            let head = bytes.readMultipleIntegers(
                as: (UInt32, UInt16, UInt8, UInt8, UInt64, UInt64, UInt64, UInt64).self)
        else { return nil }
        if head.1 > 0, Int(head.1) < bytes.readableBytes {
            bytes.moveWriterIndex(to: bytes.readerIndex + Int(head.1))
        }
        var next = head.2
        // Hop-by-hop, routing and destination options stand before what is looked for.
        for _ in 0..<8 where next == 0 || next == 43 || next == 60 {
            guard let option = bytes.readMultipleIntegers(as: (UInt8, UInt8).self),
                bytes.readSlice(length: Int(option.1) * 8 + 6) != nil
            else { return nil }
            next = option.0
        }
        if next == 44 { return .fragment }
        guard next == 17 else { return nil }
        return unwrapUDP(
            &bytes, IPAddress(high: head.4, low: head.5), IPAddress(high: head.6, low: head.7))
    }

    private static func unwrapUDP(_ bytes: inout ByteBuffer, _ source: IPAddress, _ destination: IPAddress) -> Content?
    {
        guard let head = bytes.readMultipleIntegers(as: (UInt16, UInt16, UInt16, UInt16).self) else { return nil }
        let announced = Int(head.2) - 8
        guard announced >= 0 || head.2 == 0 else { return nil }
        let isCut = head.2 > 0 && announced > bytes.readableBytes
        let count = head.2 == 0 ? bytes.readableBytes : min(announced, bytes.readableBytes)
        guard let payload = bytes.readSlice(length: count) else { return nil }
        return .datagram(
            CapturedDatagram(
                time: 0, source: Endpoint(address: source, port: head.0),
                destination: Endpoint(address: destination, port: head.1), payload: payload, isCut: isCut))
    }
}
