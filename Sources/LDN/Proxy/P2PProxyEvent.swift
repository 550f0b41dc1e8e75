public import RelayCore

/// What the host of a P2P proxy may want to know; never a packet.
public enum P2PProxyEvent: Hashable, EngineEvent {
    /// A joiner showed its token and is a player.
    case playerJoined(PeerID, VirtualAddress)
    /// A player's session has ended by itself. The master is to be told: `ExternalProxyState` of that address, not
    /// connected.
    case playerLeft(PeerID, VirtualAddress)
    /// A player's session was closed because the master said that the player is gone.
    case playerRemoved(PeerID, VirtualAddress)

    public var name: String {
        switch self {
        case .playerJoined: "player_joined"
        case .playerLeft: "player_left"
        case .playerRemoved: "player_removed"
        }
    }

    public var peer: PeerID? {
        switch self {
        case .playerJoined(let peer, _), .playerLeft(let peer, _), .playerRemoved(let peer, _): peer
        }
    }

    public var message: String {
        switch self {
        case .playerJoined(_, let address): "the player of \(address) is here"
        case .playerLeft(_, let address): "the player of \(address) has gone"
        case .playerRemoved(_, let address): "the player of \(address) has left the network"
        }
    }
}

extension CloseReason {
    public static let playersFull = CloseReason("players_full", "the proxy has the most players allowed")
    public static let strangersFull = CloseReason(
        "strangers_full", "too many connections have not shown a token yet")
    public static let noToken = CloseReason("no_token", "nobody announced the token that was shown")
    public static let noAuthentication = CloseReason("no_authentication", "the connection showed no token")
    public static let tooEarly = CloseReason("too_early", "the joiner said too much before it was let in")
    public static let leftNetwork = CloseReason("left_network", "the player has left the network")
}
