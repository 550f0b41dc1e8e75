public import RelayCore

/// What the lobby tells its operator.
public enum LobbyEvent: EngineEvent, Equatable {
    case roomAdded(LobbyRoom)
    case roomUpdated(LobbyRoom)
    /// So many rooms that nobody announced any more were forgotten.
    case roomsSwept(Int)

    public var name: String {
        switch self {
        case .roomAdded: "room_added"
        case .roomUpdated: "room_updated"
        case .roomsSwept: "rooms_swept"
        }
    }

    /// Who announces a room keeps no connection.
    public var peer: PeerID? { nil }

    public var message: String {
        switch self {
        case .roomAdded(let room): "\(room.content.username) opened room \(room.id), \(room.reach)"
        case .roomUpdated(let room): "\(room.content.username) changed room \(room.id), \(room.reach)"
        case .roomsSwept(let count): "\(count) rooms that were not announced any more are forgotten"
        }
    }
}

extension LobbyRoom {
    fileprivate var reach: String {
        if let relay = content.relay { return "behind relay \(relay.name)" }
        return isConnectable ? "which can be reached" : "which cannot be reached"
    }
}
