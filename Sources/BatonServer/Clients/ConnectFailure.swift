import Glibc
import NIOCore
import NIOPosix

/// Why a connection did not come about.
enum ConnectFailure {
    /// In words for somebody who may not know errno.
    static func words(for error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError: words(for: error)
        case let error as IOError: words(for: error)
        case ChannelError.connectTimeout: "no answer in time"
        default: "\(error)"
        }
    }

    private static func words(for error: NIOConnectionError) -> String {
        guard let first = error.connectionErrors.first else { return "no address of \(error.host) can be found" }
        if error.connectionErrors.count == 1 { return words(for: first.error) }
        return error.connectionErrors
            .map { "\($0.target.ipAddress ?? "\($0.target)"): \(words(for: $0.error))" }
            .joined(separator: "; ")
    }

    private static func words(for error: IOError) -> String {
        switch error.errnoCode {
        case ECONNREFUSED: "connection refused, nothing listens there"
        case ETIMEDOUT: "no answer in time"
        case EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL: "there is no route to it"
        default: String(cString: strerror(error.errnoCode))
        }
    }
}
