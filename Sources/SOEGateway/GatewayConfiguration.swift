import RelayCore
public import SOE

/// The settings of a gateway that a running one can take over; sessions keep what they began with.
public struct GatewayConfiguration: Hashable, Sendable {
    /// What sessions are, but for their protocol's name.
    public var dialect = SOEDialect.v3
    /// The protocols that clients may name; none means any.
    public var protocolNames: [ProtocolName] = []
    /// The largest datagram; `nil` is the dialect's.
    public var udpLength: Int?
    public var crcLength = 2
    public var compression = false
    /// Encrypts from the first message on.
    public var key: RC4Key?
    /// The most sessions; 0 means without limit.
    public var maxSessions = 0
    public var inactivityTimeout = Duration.seconds(30)
    public var heartbeatAfter = Duration.seconds(10)
    public var unacknowledgedTimeout = Duration.seconds(60)
    /// How long what was accepted may still travel when a session is ended.
    public var flushTimeout = Duration.seconds(5)
    /// The longest message.
    public var maxMessage = 16 << 20
    /// The most bytes that wait for one client. The backend is asked to pause at a quarter of it; the rest is for what is
    /// on its way before it has heard that.
    public var maxQueued = 16 << 20
    /// The most bytes held for messages of all sessions that are not complete.
    public var maxHeldBytes = 256 << 20
    /// Whether a session is open as soon as it was asked for, so that the backend can speak first to clients that wait for
    /// that: anybody who forges requests can then fill the gateway.
    public var opensAtRequest = false
    /// How long sessions wait for a backend that was lost; zero ends them at once.
    public var backendGrace = Duration.seconds(30)
    /// How long a backend may read nothing while something waits for it.
    public var backendStallTimeout = Duration.seconds(60)
    /// How often a backend is told each session's figures; zero means when it asks.
    public var statsInterval = Duration.zero

    public init() {}

    var parameters: SOEParameters {
        var parameters = SOEParameters()
        parameters.dialect = dialect
        parameters.udpLength = udpLength
        parameters.crcLength = crcLength
        parameters.compression = compression
        parameters.key = key
        parameters.heartbeatAfter = heartbeatAfter
        parameters.inactivityTimeout = inactivityTimeout
        parameters.unacknowledgedTimeout = unacknowledgedTimeout
        parameters.flushTimeout = flushTimeout
        parameters.maxMessage = maxMessage
        parameters.maxQueued = maxQueued
        return parameters
    }

    var sessions: SOEConfiguration {
        var sessions = SOEConfiguration()
        sessions.parameters = parameters
        sessions.opensAtRequest = opensAtRequest
        sessions.maxHeldBytes = maxHeldBytes
        // Addresses are admitted by who is asked when a session opens.
        sessions.limits.connections = maxSessions
        sessions.limits.connectionsPerAddress = 0
        sessions.limits.connectionsPerPrefix = 0
        sessions.limits.newConnections = .unlimited
        return sessions
    }
}
