public import RelayCore

/// The settings of one SOE engine, which has one UDP port.
public struct SOEConfiguration: Sendable {
    /// What sessions are that a client asks for, unless the engine's `acceptance` says otherwise.
    public var parameters = SOEParameters()
    /// Whether clients may ask for sessions at all.
    public var acceptsSessions = true
    /// Whether a session is open as soon as it was asked for, not with the client's first packet after that: then the
    /// server can speak first, and anybody who forges requests can fill it.
    public var opensAtRequest = false
    /// Bounds of sessions: of all together, per address, per /64, and how fast they come.
    public var limits = Admission.Limits()
    /// How many requests may wait for their client's first packet. Older ones give way to newer ones.
    public var maxPending = 16_384
    /// How long a request waits.
    public var pendingTimeout = Duration.seconds(30)
    /// The most bytes held for messages of all sessions that are not complete; 0 means without limit. The session that
    /// exceeds it ends.
    public var maxHeldBytes = 256 << 20
    /// Whether a peer whose port changes keeps its session.
    public var allowsRemap = true
    /// How often strangers are told that they are unknown.
    public var unknownSenderReplies = TokenBucket.Rate(perSecond: 1000, burst: 100)

    public init() {}
}
