public import RelayCore

/// A room as the lobby knows it.
public struct LobbyRoom: Sendable, Equatable {
    /// What a room is told apart by. Two rooms of one nick behind one address on one port are therefore one.
    public struct Identity: Hashable, Sendable {
        public var username: String
        public var address: IPAddress
        public var port: UInt16
    }

    /// How guests get to the host.
    public enum HostMethod: UInt8, Sendable {
        case unknown = 0
        case manual = 1
        case upnp = 2
        case relay = 3
    }

    /// The relay of a relayed room.
    public struct Relay: Hashable, Sendable {
        public var name: String
        public var address: LobbyRelay
        public var session: String

        public init(name: String, address: LobbyRelay, session: String) {
            self.name = name
            self.address = address
            self.session = session
        }
    }

    /// All whose change is an update; the counts of people are not in it.
    public struct Content: Hashable, Sendable {
        public var username: String
        public var gameName: String
        public var gameCRC: String
        public var coreName: String
        public var coreVersion: String
        public var subsystemName: String
        public var retroarchVersion: String
        public var frontend: String
        public var address: IPAddress
        public var port: UInt16
        public var hostMethod: HostMethod
        public var relay: Relay?
        public var hasPassword: Bool
        public var hasSpectatePassword: Bool

        public init(
            username: String, gameName: String, gameCRC: String, coreName: String, coreVersion: String,
            subsystemName: String, retroarchVersion: String, frontend: String, address: IPAddress, port: UInt16,
            hostMethod: HostMethod, relay: Relay?, hasPassword: Bool, hasSpectatePassword: Bool
        ) {
            self.username = username
            self.gameName = gameName
            self.gameCRC = gameCRC
            self.coreName = coreName
            self.coreVersion = coreVersion
            self.subsystemName = subsystemName
            self.retroarchVersion = retroarchVersion
            self.frontend = frontend
            self.address = address
            self.port = port
            self.hostMethod = hostMethod
            self.relay = relay
            self.hasPassword = hasPassword
            self.hasSpectatePassword = hasSpectatePassword
        }
    }

    public var id: Int32
    public var content: Content
    /// -1 where the host does not say.
    public var playerCount: Int16
    /// -1 where the host does not say.
    public var spectatorCount: Int16
    /// Two letters in lower case, or nothing.
    public var country: String
    public var isConnectable: Bool
    public var isRetroArch: Bool
    public var created: Timestamp
    public var updated: Timestamp

    public init(
        id: Int32, content: Content, playerCount: Int16, spectatorCount: Int16, country: String, isConnectable: Bool,
        isRetroArch: Bool, created: Timestamp, updated: Timestamp
    ) {
        self.id = id
        self.content = content
        self.playerCount = playerCount
        self.spectatorCount = spectatorCount
        self.country = country
        self.isConnectable = isConnectable
        self.isRetroArch = isRetroArch
        self.created = created
        self.updated = updated
    }

    public var identity: Identity {
        Identity(username: content.username, address: content.address, port: content.port)
    }
}
