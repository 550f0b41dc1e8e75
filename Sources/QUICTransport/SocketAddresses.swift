internal import CNgtcp2
internal import Glibc
internal import RelayCore

/// An address in the form the library takes, in memory that stays where it is.
struct SocketAddressStorage: ~Copyable {
    let pointer: UnsafeMutablePointer<sockaddr_storage>
    private(set) var length: socklen_t = 0

    init(_ endpoint: Endpoint) {
        pointer = .allocate(capacity: 1)
        pointer.initialize(to: sockaddr_storage())
        set(endpoint)
    }

    deinit { pointer.deallocate() }

    var address: UnsafeMutablePointer<sockaddr> {
        UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: sockaddr.self)
    }

    mutating func set(_ endpoint: Endpoint) {
        if let ipv4 = endpoint.address.ipv4 {
            var four = sockaddr_in()
            four.sin_family = sa_family_t(AF_INET)
            four.sin_port = endpoint.port.bigEndian
            four.sin_addr.s_addr = ipv4.bigEndian
            UnsafeMutableRawPointer(pointer).storeBytes(of: four, as: sockaddr_in.self)
            length = socklen_t(MemoryLayout<sockaddr_in>.size)
        } else {
            var six = sockaddr_in6()
            six.sin6_family = sa_family_t(AF_INET6)
            six.sin6_port = endpoint.port.bigEndian
            withUnsafeMutableBytes(of: &six.sin6_addr) {
                $0.storeBytes(of: endpoint.address.high.bigEndian, toByteOffset: 0, as: UInt64.self)
                $0.storeBytes(of: endpoint.address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            UnsafeMutableRawPointer(pointer).storeBytes(of: six, as: sockaddr_in6.self)
            length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        }
    }
}

extension Endpoint {
    /// From the library's form; an address of any other family is `nil`.
    init?(_ address: UnsafePointer<sockaddr>) {
        let raw = UnsafeRawPointer(address)
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            let four = raw.loadUnaligned(as: sockaddr_in.self)
            self.init(
                address: IPAddress(ipv4: UInt32(bigEndian: four.sin_addr.s_addr)),
                port: UInt16(bigEndian: four.sin_port))
        case AF_INET6:
            let six = raw.loadUnaligned(as: sockaddr_in6.self)
            let (high, low) = withUnsafeBytes(of: six.sin6_addr) {
                ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            }
            self.init(
                address: IPAddress(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low)),
                port: UInt16(bigEndian: six.sin6_port))
        default: return nil
        }
    }
}
