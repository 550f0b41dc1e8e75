import NIOCore
import RelayCore

/// Bytes that are no PROXY protocol header.
struct ProxyHeaderError: Error {}

/// The header a TCP proxy puts before a connection to say whose it is: PROXY protocol, versions 1 (a line of text)
/// and 2 (binary).
struct ProxyHeader: Equatable {
    /// Where the connection came from; `nil` when the proxy speaks for itself (`UNKNOWN`, `LOCAL`) or for a peer
    /// without an IP address.
    var source: Endpoint?

    private static let longestLine = 107
    private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]

    /// Takes a header from the front of `bytes` and leaves what follows it; `nil` while it is incomplete.
    static func decode(from bytes: inout ByteBuffer) throws(ProxyHeaderError) -> ProxyHeader? {
        guard let first = bytes.getInteger(at: bytes.readerIndex, as: UInt8.self) else { return nil }
        return first == signature[0] ? try decodeBinary(from: &bytes) : try decodeLine(from: &bytes)
    }

    private static func decodeLine(from bytes: inout ByteBuffer) throws(ProxyHeaderError) -> ProxyHeader? {
        let view = bytes.readableBytesView.prefix(longestLine)
        guard view.starts(with: "PROXY ".utf8.prefix(view.count)) else { throw ProxyHeaderError() }
        guard let end = view.firstIndex(of: 10) else {
            if view.count == longestLine { throw ProxyHeaderError() }
            return nil
        }
        let line = String(decoding: view[..<end], as: UTF8.self)
        bytes.moveReaderIndex(to: end + 1)
        guard line.hasSuffix("\r") else { throw ProxyHeaderError() }
        let words = line.dropLast().split(separator: " ", omittingEmptySubsequences: false)
        if words.count >= 2, words[1] == "UNKNOWN" { return ProxyHeader(source: nil) }
        guard words.count == 6, let source = IPAddress(words[2]), let destination = IPAddress(words[3]),
            let port = UInt16(words[4]), UInt16(words[5]) != nil,
            words[1] == "TCP4" && source.ipv4 != nil && destination.ipv4 != nil
                || words[1] == "TCP6" && words[2].contains(":") && words[3].contains(":")
        else { throw ProxyHeaderError() }
        return ProxyHeader(source: Endpoint(address: source, port: port))
    }

    private static func decodeBinary(from bytes: inout ByteBuffer) throws(ProxyHeaderError) -> ProxyHeader? {
        guard bytes.readableBytesView.starts(with: signature.prefix(bytes.readableBytes)) else {
            throw ProxyHeaderError()
        }
        let start = bytes.readerIndex + signature.count
        guard let version = bytes.getInteger(at: start, as: UInt8.self),
            let family = bytes.getInteger(at: start + 1, as: UInt8.self),
            let length = bytes.getInteger(at: start + 2, as: UInt16.self)
        else { return nil }
        // What a version 2 header may hold is longer than any header needs to be.
        guard version == 0x20 || version == 0x21, length <= 2048 else { throw ProxyHeaderError() }
        guard bytes.readableBytes >= signature.count + 4 + Int(length) else { return nil }
        bytes.moveReaderIndex(forwardBy: signature.count + 4)
        guard var body = bytes.readSlice(length: Int(length)) else { throw ProxyHeaderError() }
        guard version == 0x21 else { return ProxyHeader(source: nil) }
        switch family {
        case 0x11:
            guard let (source, _, port, _) = body.readMultipleIntegers(as: (UInt32, UInt32, UInt16, UInt16).self) else {
                throw ProxyHeaderError()
            }
            return ProxyHeader(source: Endpoint(address: IPAddress(ipv4: source), port: port))
        case 0x21:
            guard let (high, low) = body.readMultipleIntegers(as: (UInt64, UInt64).self),
                let (_, _, port, _) = body.readMultipleIntegers(as: (UInt64, UInt64, UInt16, UInt16).self)
            else { throw ProxyHeaderError() }
            return ProxyHeader(source: Endpoint(address: IPAddress(high: high, low: low), port: port))
        default:
            return ProxyHeader(source: nil)
        }
    }
}
