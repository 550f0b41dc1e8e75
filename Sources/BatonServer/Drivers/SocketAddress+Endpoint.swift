import NIOCore
import RelayCore

extension SocketAddress {
    /// The address as engines and admission know it; `nil` for a Unix socket.
    var endpoint: Endpoint? {
        guard let address = ipAddress.flatMap({ IPAddress($0) }), let port else { return nil }
        return Endpoint(address: address, port: UInt16(clamping: port))
    }
}

extension Instant {
    /// Now, on the clock that event loops use.
    static var now: Instant {
        Instant(nanoseconds: Int64(clamping: NIODeadline.now().uptimeNanoseconds))
    }

    /// The same point for an event loop's timer.
    var deadline: NIODeadline { .uptimeNanoseconds(UInt64(clamping: nanoseconds)) }
}
