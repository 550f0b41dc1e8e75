public import RelayCore

/// Who a client is, and how long it waits: the times of section 4.3 of the protocol's notes.
public struct LDNClientConfiguration: Sendable, Equatable {
    /// The player's name; 32 bytes of UTF-8 are sent at most.
    public var userName = "baton"
    /// With whom it plays.
    public var passphrase = Passphrase.none
    /// What the master said the last time, to be known again.
    public var identity = InitializeMessage()
    /// From the connection to the master's `Initialize`.
    public var handshakeTimeout = Duration.seconds(5)
    /// From a scan to its end.
    public var scanTimeout = Duration.seconds(1)
    /// From a request to open or to join a network to `Connected`.
    public var entryTimeout = Duration.seconds(4)
    /// Until a P2P host's connection comes about, and then until its `ProxyConfig`.
    public var proxyTimeout = Duration.seconds(4)
    /// From `Reject` to its reply.
    public var rejectTimeout = Duration.seconds(6)
    /// From a ping of this client to its return.
    public var pingTimeout = Duration.seconds(5)

    public init() {}
}

/// A network that a client opens.
public struct NetworkPlan: Sendable, Equatable {
    /// Title and scene: who scans for these finds it.
    public var intentID = IntentID()
    public var gameVersion = ""
    /// Joiners must have the same.
    public var localCommunicationVersion: UInt16 = 0
    /// Players, the host included; the master allows 1 to 8.
    public var places: UInt8 = 8
    /// What the game says of it, at most 384 bytes.
    public var advertiseData = [UInt8]()
    /// The host's P2P proxy; `nil` leaves the relaying to the master.
    public var proxy: OwnProxy?

    public init() {}

    /// A P2P proxy that the host runs.
    public struct OwnProxy: Sendable, Equatable {
        /// The port by which the internet reaches it, at the address that the master sees.
        public var externalPort: UInt16
        /// Where the host's own network reaches it.
        public var internalEndpoint: Endpoint
        /// Whether the host's words go there through this process, not by a connection like any player's.
        public var isInProcess: Bool

        public init(externalPort: UInt16, internalEndpoint: Endpoint, isInProcess: Bool = true) {
            self.externalPort = externalPort
            self.internalEndpoint = internalEndpoint
            self.isInProcess = isInProcess
        }
    }
}
