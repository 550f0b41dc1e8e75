import CLinuxNet
package import NIOCore
public import RelayCore

#if canImport(Glibc)
    import Glibc
#endif

/// The system refused to open a UDP socket.
public struct SocketFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The system's error number.
    public let code: Int32
    public let endpoint: Endpoint

    public var description: String { "cannot open \(endpoint)/udp: \(String(cString: strerror(code)))" }
}

/// A UDP socket that never blocks. It is closed when nobody has it any more.
///
/// Datagrams are sent straight from an outbox, many with one system call; several of one length to one peer go as one
/// that the kernel cuts up.
package final class DatagramSocket {
    /// What the kernel should hold while nobody reads: a burst of a peer's whole window from many peers at once.
    static let bufferBytes = 4 << 20
    /// As many datagrams as are read at once.
    private static let readsAtOnce = 64

    package let descriptor: CInt
    package let endpoint: Endpoint
    private let isIPv6: Bool
    /// Used again for each batch.
    private var batch: [clinuxnet_datagram] = []
    /// How many datagrams the system has not taken.
    package private(set) var dropped: UInt64 = 0

    /// Opens a socket and returns its descriptor, which somebody must own.
    package static func bind(_ endpoint: Endpoint, sharesPort: Bool) throws(SocketFailure) -> CInt {
        let result = endpoint.address.withOctets {
            clinuxnet_datagram_socket($0, endpoint.port, sharesPort ? 1 : 0, CInt(Self.bufferBytes))
        }
        guard result >= 0 else { throw SocketFailure(code: -result, endpoint: endpoint) }
        return result
    }

    /// - Parameter descriptor: is the new owner's.
    package init(owning descriptor: CInt) {
        self.descriptor = descriptor
        endpoint = Self.localEndpoint(of: descriptor) ?? Endpoint(address: .anyIPv6, port: 0)
        isIPv6 = endpoint.address.ipv4 == nil
    }

    /// The same socket as another owner's, who may close his.
    package convenience init(sharing descriptor: CInt) throws(SocketFailure) {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else {
            throw SocketFailure(code: errno, endpoint: Endpoint(address: .anyIPv6, port: 0))
        }
        self.init(owning: copy)
    }

    deinit { close(descriptor) }

    /// Divides what comes in among sockets of one port by the sender's address, so that a peer whose port changes stays
    /// with the one that knows it. `false` if the kernel does not know how.
    package func sharePort(among sockets: Int) -> Bool {
        clinuxnet_share_by_address(descriptor, UInt32(sockets)) == 0
    }

    /// Sends the datagrams of an outbox.
    ///
    /// - Parameter isMine: whether one to this endpoint is for this socket, where there are several.
    package func send(_ outbox: DatagramOutbox, where isMine: ((Endpoint) -> Bool)? = nil) {
        batch.removeAll(keepingCapacity: true)
        for index in 0..<outbox.datagramCount {
            let (start, count, endpoint) = outbox.stretch(at: index)
            if let isMine, !isMine(endpoint) { continue }
            batch.append(
                clinuxnet_datagram(
                    start: UInt32(start), length: UInt32(count), port: endpoint.port,
                    address: endpoint.address.octets))
        }
        guard !batch.isEmpty else { return }
        let failed = outbox.bytes.withVeryUnsafeBytes { bytes in
            batch.withUnsafeBufferPointer {
                clinuxnet_send_datagrams(descriptor, isIPv6 ? 1 : 0, bytes.baseAddress, $0.baseAddress, CInt($0.count))
            }
        }
        dropped &+= UInt64(failed)
    }

    /// Receives what is there, at most 64 datagrams, into a buffer that is used again.
    ///
    /// - Parameters:
    ///   - slot: the most bytes of a datagram; what is longer is cut.
    ///   - body: is called with each datagram, a slice of the buffer.
    /// - Returns: how many there were.
    package func receive(slot: Int, into buffer: inout ByteBuffer, _ body: (ByteBuffer, Endpoint) -> Void) -> Int {
        let empty = clinuxnet_datagram(start: 0, length: 0, port: 0, address: IPAddress.anyIPv6.octets)
        return withUnsafeTemporaryAllocation(of: clinuxnet_datagram.self, capacity: Self.readsAtOnce) { datagrams in
            datagrams.initialize(repeating: empty)
            buffer.clear(minimumCapacity: datagrams.count * slot)
            var count = 0
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: datagrams.count * slot) { space in
                count = Int(
                    clinuxnet_receive_datagrams(
                        descriptor, space.baseAddress, UInt32(slot), datagrams.baseAddress, CInt(datagrams.count)))
                return datagrams.count * slot
            }
            for datagram in datagrams.prefix(max(count, 0)) {
                let endpoint = Endpoint(address: IPAddress(octets: datagram.address), port: datagram.port)
                // Nobody can be answered at port 0.
                guard endpoint.port != 0,
                    let bytes = buffer.getSlice(at: Int(datagram.start), length: Int(datagram.length))
                else { continue }
                body(bytes, endpoint)
            }
            return max(count, 0)
        }
    }

    /// Waits until something has come, or until then.
    package func wait(until end: Instant) {
        clinuxnet_wait_readable(descriptor, max(end.since(.now), 0))
    }

    private static func localEndpoint(of descriptor: CInt) -> Endpoint? {
        var octets = IPAddress.anyIPv6.octets
        var port: UInt16 = 0
        let result = withUnsafeMutableBytes(of: &octets) {
            clinuxnet_local_address(descriptor, $0.baseAddress?.assumingMemoryBound(to: UInt8.self), &port)
        }
        return result == 0 ? Endpoint(address: IPAddress(octets: octets), port: port) : nil
    }
}

typealias Octets = (
    UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8
)

extension IPAddress {
    /// The sixteen octets in network order.
    var octets: Octets {
        unsafeBitCast((high.bigEndian, low.bigEndian), to: Octets.self)
    }

    init(octets: Octets) {
        let (high, low) = unsafeBitCast(octets, to: (UInt64, UInt64).self)
        self.init(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low))
    }

    func withOctets<Result>(_ body: (UnsafePointer<UInt8>?) -> Result) -> Result {
        withUnsafeBytes(of: octets) { body($0.baseAddress?.assumingMemoryBound(to: UInt8.self)) }
    }
}
