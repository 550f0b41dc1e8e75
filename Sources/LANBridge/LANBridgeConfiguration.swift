public import RelayCore

/// The settings of the relay.
public struct LANBridgeConfiguration: Equatable, Sendable {
    /// A room the operator has written down.
    public struct RegisteredRoom: Equatable, Sendable {
        /// What opens it: its password, and tokens of which each does too. Without any, everybody may come.
        public var secrets: [String] = []
        /// What a gateway has to say instead; `nil` if the same opens it.
        public var gatewaySecret: String?
        /// Whether clients see the LAN only.
        public var isIsolated = false
        /// Addresses that no client may have.
        public var protected: [IPAddress] = []

        public init() {}
    }

    public var maxRooms = 256
    public var maxClientsPerRoom = 256
    /// Whether only registered rooms may be joined.
    public var requiresRegistration = false
    public var rooms: [String: RegisteredRoom] = [:]
    /// How long somebody may be connected before he has said hello.
    public var helloTimeout = Duration.seconds(10)
    /// Wrong passwords from one address, or from one IPv6 /64, within `failureWindow`, after which no hello is heard.
    public var maxFailures = 10
    public var failureWindow = Duration.seconds(600)
    /// What each client may send. The LAN side of a room may send ten times as much.
    public var limits = FrameLimits()
    /// How often everybody is told what was counted for it.
    public var statsInterval = Duration.seconds(10)

    public init() {}
}
