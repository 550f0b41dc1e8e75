public import RelayCore

/// The rules of a lobby that its operator sets.
public struct LobbyConfiguration: Sendable, Equatable {
    /// Tunnel servers by the names that hosts ask for.
    public var relays: [String: LobbyRelay] = [:]
    /// Who may not announce rooms, and what may not stand in them.
    public var blacklist = Blacklist()
    /// The most rooms, hidden ones included.
    public var maxRooms = 10_000
    /// The most rooms of one IPv4 address or IPv6 /64.
    public var maxRoomsPerAddress = 32
    /// A room that was not announced for so long is hidden.
    public var roomTimeout = Duration.seconds(60)
    /// A room may not be announced again before so much time has passed.
    public var leastInterval = Duration.seconds(5)

    public init() {}

    public struct Blacklist: Sendable, Equatable {
        /// Held against every text of an announcement but the name of the game.
        public var strings: [TextPattern] = []
        public var ips: [IPPrefix] = []

        public init() {}

        /// Why there may be no such room.
        func refusal(of content: LobbyRoom.Content) -> LobbyRefusal? {
            if ips.contains(where: { $0.contains(content.address) }) { return .blacklistedAddress }
            let texts: [(field: LobbyField, text: String)] = [
                (.username, content.username), (.coreName, content.coreName), (.coreVersion, content.coreVersion),
                (.frontend, content.frontend), (.subsystemName, content.subsystemName),
                (.retroarchVersion, content.retroarchVersion),
            ]
            let hit = texts.first { text in strings.contains { $0.matches(text.text) } }
            return hit.map { .blacklistedText($0.field) }
        }
    }
}
