import RelayCore

/// What a stream driver needs to know of its listener.
struct StreamSettings: Sendable, Equatable {
    var queue = SendQueue.Limits()
    /// Sources that begin every connection with a PROXY protocol header; nobody else's header is believed.
    var proxySources: [IPPrefix] = []
    /// How long a PROXY protocol header may take.
    var proxyHeaderTimeout = Duration.seconds(5)
    /// How long a connection may take to send its last bytes and to hear the peer's end.
    var lingerTimeout = Duration.seconds(5)
    /// How long sent data may stay unacknowledged before the kernel gives the connection up.
    var userTimeout = Duration.seconds(60)
    /// The kernel's receive buffer of a connection, in bytes. It bounds what a sender that was paused and then hung
    /// up can leave behind, for an event loop reads all of that at once.
    var receiveBuffer = 256 << 10
}
