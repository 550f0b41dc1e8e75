public import NIOCore

/// What lies under the network layer in a capture.
public enum LinkType: Hashable, Sendable {
    case ethernet
    /// An IPv4 or IPv6 packet with nothing before it.
    case raw
    /// The address family in 4 bytes, in the byte order of the machine that captured.
    case loopback
    /// What Linux gives for all interfaces together, in two versions.
    case linuxCooked
    case linuxCooked2
    case other(UInt32)

    init(number: UInt32) {
        switch number {
        case 0, 108: self = .loopback
        case 1: self = .ethernet
        case 12, 14, 101, 228, 229: self = .raw
        case 113: self = .linuxCooked
        case 276: self = .linuxCooked2
        default: self = .other(number)
        }
    }
}

/// One frame of a capture.
public struct CapturedFrame: Hashable, Sendable {
    /// Nanoseconds since 1970.
    public var time: Int64
    public var link: LinkType
    public var bytes: ByteBuffer
    /// How long it was on the wire; longer than `bytes` if the capture kept less.
    public var originalLength: Int

    public init(time: Int64, link: LinkType, bytes: ByteBuffer, originalLength: Int? = nil) {
        self.time = time
        self.link = link
        self.bytes = bytes
        self.originalLength = originalLength ?? bytes.readableBytes
    }
}

/// Bytes that are no capture file, or not one this reads.
public enum CaptureError: Error, Hashable, Sendable {
    /// Neither pcap nor pcapng.
    case unknownFormat
    /// The file ends in the middle of a frame.
    case truncated
    /// A length that cannot be.
    case badLength
    /// A frame of an interface that the file has not described.
    case unknownInterface
    case tooManyInterfaces
}
