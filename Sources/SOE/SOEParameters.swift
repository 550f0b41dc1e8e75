/// What one end of a session wants. The server's choices about CRC and compression hold for both ends.
public struct SOEParameters: Sendable {
    public var dialect = SOEDialect.v3
    /// The application's protocol, where the dialect names one. Both ends must have the same.
    public var protocolName: ProtocolName = ""
    /// The largest datagram this end takes, and the largest it sends whatever the peer takes. 64...8192; `nil` is the
    /// dialect's.
    public var udpLength: Int?
    /// How many bytes of CRC a server asks for, 0...4.
    public var crcLength = 2
    /// Whether a server asks for compression.
    public var compression = false
    /// Encrypts messages on the reliable channels from the first one on. `SOESession.encrypt` begins later.
    public var key: RC4Key?

    /// After how long without sending anything a sign of life is sent; zero means never.
    public var heartbeatAfter = Duration.seconds(10)
    /// After how long without hearing anything the session ends; zero means never.
    public var inactivityTimeout = Duration.seconds(30)
    /// How long a peer may acknowledge nothing of what waits for it before the session ends; zero means for ever.
    public var unacknowledgedTimeout = Duration.seconds(60)
    /// How long a client asks for a session, and how often.
    public var connectTimeout = Duration.seconds(15)
    public var requestInterval = Duration.seconds(1)
    /// How long an acknowledgement may wait for something to travel with.
    public var maxAcknowledgementDelay = Duration.milliseconds(2)
    /// Whether each packet is acknowledged for itself.
    public var acknowledgesEach = false
    /// How often a client sends its net status; zero means never, `nil` as the dialect has it.
    public var netStatusInterval: Duration?
    /// How long what was accepted may still travel after `disconnect`.
    public var flushTimeout = Duration.seconds(5)

    /// The longest message, in bytes, that is sent or taken.
    public var maxMessage = 16 << 20
    /// The most bytes that wait for a peer, or for its acknowledgement. A longer message is taken when nothing waits.
    public var maxQueued = 4 << 20

    public init() {}

    /// The largest datagram that this end takes.
    var ownLength: Int { min(max(udpLength ?? dialect.udpLength, Self.smallestLength), Self.largestLength) }

    /// Nobody sends so little that a packet has no room in it, whatever he is told.
    static let smallestLength = 64
    static let largestLength = 8192

    /// What a server answers a request with.
    func response(to request: SessionRequest, crcSeed: UInt32) -> SessionResponse {
        SessionResponse(
            sessionID: request.sessionID, crcSeed: crcSeed, crcLength: UInt8(min(max(crcLength, 0), 4)),
            firstPass: compression ? 1 : 0, secondPass: dialect.chainsXor ? 4 : 0,
            // Some clients take it for the length of both directions.
            udpLength: min(UInt32(ownLength), max(request.udpLength, UInt32(Self.smallestLength))),
            version: dialect.answersWithVersion ? dialect.version : nil
        )
    }
}
