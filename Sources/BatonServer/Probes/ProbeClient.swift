package import RelayCore

/// A protocol as a probe speaks it: a client that connects, exchanges something again and again, and leaves.
///
/// What is measured, and what is made of it, is `Probe`'s matter and the same for all protocols.
package protocol ProbeClient: Sendable {
    /// The protocol's name, as in the configuration.
    static var name: String { get }

    /// Connects and shakes hands until exchanges can begin.
    ///
    /// - Parameters:
    ///   - endpoint: where to.
    ///   - host: what the endpoint is an address of, for protocols that say so.
    ///   - limit: how long it may take.
    func open(_ endpoint: Endpoint, of host: RemoteHost, within limit: Duration) async throws(ProbeFailure)
        -> any ProbeSession
}

/// An open connection, or whatever the protocol has in its place, of a probe to one address.
package protocol ProbeSession {
    /// What the server told of itself, for people and scripts.
    var details: [String: String] { get }

    /// Says something and waits for its answer.
    ///
    /// - Parameters:
    ///   - number: counts exchanges from 1: an answer that comes too late must not pass for a later one's.
    ///   - limit: how long the answer may take.
    /// - Throws: `ProbeFailure` with the reason `.silent` if the answer is missing; any other reason ends the probe.
    mutating func exchange(_ number: Int, within limit: Duration) async throws(ProbeFailure)

    /// Leaves as the protocol wants it. Does not fail: there is nothing more to learn.
    mutating func close() async
}

/// Why a probe got no further.
package struct ProbeFailure: Error, Sendable, Equatable {
    /// In a word, for scripts.
    package enum Reason: String, Sendable, Encodable {
        /// The name has no address.
        case notFound = "not_found"
        /// No connection came about.
        case unreachable
        /// The server says no, in the words of its protocol.
        case refused
        /// The connection came about, and the answer did not.
        case silent
        /// The server ended the connection.
        case hungUp = "hung_up"
        /// What answers speaks another protocol.
        case stranger
    }

    package var reason: Reason
    /// In a sentence, for people.
    package var sentence: String

    package init(_ reason: Reason, _ sentence: String) {
        self.reason = reason
        self.sentence = sentence
    }
}
