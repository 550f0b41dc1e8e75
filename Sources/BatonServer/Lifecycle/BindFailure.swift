import Glibc
import LANSockets
import NIOCore
import RelayCore

extension IOError {
    /// Whether a socket failed because the kernel has IPv6 switched off.
    var meansNoIPv6: Bool { errnoCode == EAFNOSUPPORT || errnoCode == EADDRNOTAVAIL }
}

extension NetworkFailure {
    /// The same of one of the LAN relay's.
    var meansNoIPv6: Bool { code == EAFNOSUPPORT || code == EADDRNOTAVAIL }
}

extension BatonError {
    /// Why an address cannot be listened on, in words that say what to do about it.
    static func binding(_ endpoint: Endpoint, for protocolName: String, _ error: any Error) -> BatonError {
        switch (error as? IOError)?.errnoCode ?? (error as? NetworkFailure)?.code {
        case EADDRINUSE:
            BatonError(.unavailable, "\(protocolName): \(endpoint) is in use by another program")
        case EACCES:
            BatonError(
                .noPermission,
                "\(protocolName): port \(endpoint.port) needs a privilege; give it to the binary with "
                    + "'setcap cap_net_bind_service=+ep PATH-OF-BATON', or choose a port above 1023"
            )
        case EADDRNOTAVAIL:
            BatonError(.unavailable, "\(protocolName): this machine has no address \(endpoint.address)")
        default:
            BatonError(.unavailable, "\(protocolName): cannot listen on \(endpoint)", cause: error)
        }
    }
}
