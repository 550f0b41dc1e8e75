package import NIOCore
package import RelayCore

extension SocketAddress {
    /// The address as engines and admission know it; `nil` for a Unix socket. It costs no text: it is asked per datagram.
    package var endpoint: Endpoint? {
        switch self {
        case .v4(let four):
            // Family and port are 2 bytes each, then comes the address.
            return withUnsafeBytes(of: four.address) { bytes in
                Endpoint(
                    address: IPAddress(
                        ipv4: UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))),
                    port: UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
            }
        case .v6(let six):
            // 4 bytes of flow information are in between.
            return withUnsafeBytes(of: six.address) { bytes in
                Endpoint(
                    address: IPAddress(
                        high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                        low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))),
                    port: UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
            }
        case .unixDomainSocket:
            return nil
        }
    }
}

extension Instant {
    /// Now, on the clock that event loops use.
    package static var now: Instant {
        Instant(nanoseconds: Int64(clamping: NIODeadline.now().uptimeNanoseconds))
    }

    /// The same point for an event loop's timer.
    package var deadline: NIODeadline { .uptimeNanoseconds(UInt64(clamping: nanoseconds)) }
}
