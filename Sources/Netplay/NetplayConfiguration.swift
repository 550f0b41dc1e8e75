/// The settings of one netplay tunnel listener.
public struct NetplayConfiguration: Sendable, Equatable {
    /// The most sessions; 0 means without limit.
    public var maxSessions = 128
    /// The most peers of a session, its host and guests that still wait for a link included; 0 means without limit.
    public var maxClients = 8
    /// The most guests of one address that wait for their link at the same time; 0 means without limit.
    public var maxPendingPerAddress = 64
    /// How long a connection may take to say what it is.
    public var handshakeTimeout = Duration.seconds(30)
    /// How long a guest may wait for its host to open a link.
    public var linkTimeout = Duration.seconds(120)
    /// How long both directions of a linked pair may be silent together.
    public var idleTimeout = Duration.seconds(120)
    /// How long the second direction of a linked pair may outlive the first one's end without carrying a byte.
    public var halfCloseTimeout = Duration.seconds(10)
    /// After how much silence of a host it is pinged.
    public var pingInterval = Duration.seconds(60)
    /// How many pings in a row a host may leave unanswered.
    public var maxUnansweredPings = 3
    /// The most bytes kept from a guest whose link does not exist yet; more is left in the network.
    public var maxEarlyBytes = 64 << 10
    /// Whether a link must come from the address of the session's host.
    public var linkFromOwnerOnly = false

    /// Whether guests and hosts of which only one has compression are brought together, by giving savestates the form
    /// that each of them expects. Pairs that exist stay as they are.
    public var transcode = true
    /// The most bytes of a savestate that is given another form, uncompressed.
    public var maxStateBytes = 64 << 20

    public init() {}
}
