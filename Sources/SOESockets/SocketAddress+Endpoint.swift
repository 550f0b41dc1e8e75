import NIOCore
import RelayCore

extension SocketAddress {
    /// The address as engines know it, made without a detour by its text; `nil` for a Unix socket.
    ///
    /// A `sockaddr_in` has the port at 2 and the address at 4, a `sockaddr_in6` the port at 2 and the address at 8.
    var packed: Endpoint? {
        switch self {
        case .v4(let four):
            withUnsafeBytes(of: four.address) { bytes in
                Endpoint(
                    address: IPAddress(ipv4: UInt32(bigEndian: bytes.load(fromByteOffset: 4, as: UInt32.self))),
                    port: UInt16(bigEndian: bytes.load(fromByteOffset: 2, as: UInt16.self)))
            }
        case .v6(let six):
            withUnsafeBytes(of: six.address) { bytes in
                Endpoint(
                    address: IPAddress(
                        high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                        low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))),
                    port: UInt16(bigEndian: bytes.load(fromByteOffset: 2, as: UInt16.self)))
            }
        case .unixDomainSocket:
            nil
        }
    }
}

extension Instant {
    /// Now, on the clock that event loops use.
    static var now: Instant {
        Instant(nanoseconds: Int64(clamping: NIODeadline.now().uptimeNanoseconds))
    }
}
