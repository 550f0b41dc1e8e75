/// Something in the operator's world that keeps Baton from running, with the exit code that tells scripts which.
package struct BatonError: Error, CustomStringConvertible {
    /// Exit codes, as in `sysexits.h`.
    package enum Code: Int32, Sendable {
        /// A listener's address cannot be had.
        case unavailable = 69
        /// A file that is needed, such as a database, cannot be used.
        case storage = 74
        /// A privilege is missing.
        case noPermission = 77
        /// The configuration is wrong.
        case configuration = 78
    }

    package var code: Code
    package var message: String
    package var cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String {
        cause.map { "\(message) (\($0))" } ?? message
    }
}
