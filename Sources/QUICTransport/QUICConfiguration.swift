public import RelayCore

/// How an endpoint behaves; the same for all of its connections.
public struct QUICConfiguration: Sendable {
    /// The application's protocol (ALPN, RFC 7301). Both ends must name the same one.
    public var applicationProtocol: String
    /// The largest UDP payload ever sent, in bytes. What a path really carries is found out by probing (RFC 8899).
    public var maxUDPPayload = 1452
    /// A connection that hears nothing for so long is over (RFC 9000, section 10.1).
    public var idleTimeout = Duration.seconds(30)
    /// After so long without traffic a PING keeps the connection and the routers' mappings alive; zero for never.
    public var keepAlive = Duration.seconds(10)
    /// A handshake that takes longer is given up.
    public var handshakeTimeout = Duration.seconds(10)
    /// How many packets may come before they are acknowledged (RFC 9000, section 13.2.2).
    public var acknowledgeEvery = 16
    /// How long those that brought datagrams wait for others to be acknowledged with, at least. (The library waits an
    /// eighth of the round trip: on a short path it would answer every packet with one of its own.)
    public var acknowledgeDelay = Duration.milliseconds(2)
    /// Streams the peer may open, of each kind, at a time.
    public var maxPeerStreams = 8
    /// How many bytes a stream's sender may have sent and not yet seen acknowledged or taken, in bytes.
    public var streamWindow = 64 * 1024
    /// What one connection's streams hold unsent or unacknowledged, at most, in bytes.
    public var maxStreamBacklog = 256 * 1024
    public var datagrams = DatagramLimits()
    public var acceptance = AcceptanceLimits()

    public init(applicationProtocol: String) {
        self.applicationProtocol = applicationProtocol
    }
}

/// What a connection keeps of DATAGRAM frames that the congestion window holds back.
public struct DatagramLimits: Sendable {
    /// The largest datagram that is ever queued, in bytes.
    public var maxBytes = 1472
    /// How many urgent ones wait at most; the oldest gives way to a new one.
    public var urgentCount = 64
    /// How many of the others wait at most.
    public var bulkCount = 512
    /// Who has waited so long is dropped: a late game packet is worth less than none.
    public var maxAge = Duration.milliseconds(40)

    public init() {}
}

/// What a server lets strangers cost it.
public struct AcceptanceLimits: Sendable {
    /// Connections at a time, handshakes included.
    public var maxConnections = 1024
    /// With so many handshakes unfinished, newcomers must prove their address first (Retry, RFC 9000, section 8.1.2).
    public var retryAbove = 64
    /// With so many handshakes unfinished, newcomers who have proved theirs are refused as well.
    public var maxHandshakes = 512
    /// Answers to packets of no connection: stateless resets, version negotiations, refusals.
    public var answers = TokenBucket.Rate(perSecond: 200, burst: 200)
    /// Retry packets. They cost little, but must not carry a flood on to forged addresses.
    public var retries = TokenBucket.Rate(perSecond: 5000, burst: 5000)

    public init() {}
}
