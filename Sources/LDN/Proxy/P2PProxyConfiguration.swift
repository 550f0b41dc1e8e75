/// The settings of one P2P proxy: section 9.1 of the protocol's notes.
public struct P2PProxyConfiguration: Sendable, Equatable {
    /// The ports that proxies use, on the host's machine and, mapped, at its router.
    public static let ports: ClosedRange<UInt16> = 39990...39999

    /// The most players.
    public var maxPlayers = 8
    /// The most connections that are no player yet. Beyond it, and when all places are taken, one more is closed at once.
    public var maxStrangers = 16
    /// The most tokens that wait for their joiners; for one more the oldest goes.
    public var maxWaitingTokens = 16
    /// How long a joiner whose token is not here yet is kept waiting: the master's word to the host may be slower.
    public var tokenWait = Duration.seconds(1)
    /// How long a connection may take to show a token at all.
    public var authenticationTimeout = Duration.seconds(5)
    /// Whether a token is good only from the address that the master saw its joiner at. Without, it is enough to know the
    /// token: it is random and good once, and some joiners reach the host from another address than the master.
    public var checksPhysicalAddress = true

    public init() {}
}
