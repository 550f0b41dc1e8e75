import Glibc

/// The system refused something of the network: a socket, a card, a route.
package struct NetworkFailure: Error, Sendable, CustomStringConvertible {
    /// The system's error number.
    package let code: Int32
    /// What was tried, as in "open the TAP party0".
    package let what: String

    package init(_ code: Int32, _ what: String) {
        self.code = code
        self.what = what
    }

    package var description: String { "cannot \(what): \(String(cString: strerror(code)))" }

    /// A result of a C function, which is an error number below zero.
    @discardableResult
    static func check(_ result: Int32, _ what: @autoclosure () -> String) throws(NetworkFailure) -> Int32 {
        guard result < 0 else { return result }
        throw NetworkFailure(-result, what())
    }
}
