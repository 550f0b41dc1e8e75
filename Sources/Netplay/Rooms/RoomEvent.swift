public import RelayCore

/// What hostless rooms tell their operator.
public enum RoomEvent: EngineEvent, Equatable {
    case roomOpened(PeerID, room: String)
    case roomClosed(room: String)
    case guestJoined(PeerID, nick: String, room: String)
    case playing(PeerID, client: UInt32, frame: UInt32)
    case spectating(PeerID, client: UInt32, frame: UInt32)
    case playRefused(PeerID, NetplayModeRefusalReason)
    /// Whose frames the room counts from now on.
    case paceSet(PeerID)
    /// A savestate was given to everybody else.
    case stateShared(PeerID, frame: UInt32, rawSize: UInt32)
    case paused(PeerID)
    case resumed(PeerID)
    case commandIgnored(PeerID, command: UInt32)
    case chatDropped(PeerID)

    public var name: String {
        switch self {
        case .roomOpened: "room_opened"
        case .roomClosed: "room_closed"
        case .guestJoined: "guest_joined"
        case .playing: "guest_playing"
        case .spectating: "guest_spectating"
        case .playRefused: "play_refused"
        case .paceSet: "pace_set"
        case .stateShared: "state_shared"
        case .paused: "paused"
        case .resumed: "resumed"
        case .commandIgnored: "command_ignored"
        case .chatDropped: "chat_dropped"
        }
    }

    public var peer: PeerID? {
        switch self {
        case .roomOpened(let peer, _), .guestJoined(let peer, _, _), .playing(let peer, _, _),
            .spectating(let peer, _, _), .playRefused(let peer, _), .paceSet(let peer), .stateShared(let peer, _, _),
            .paused(let peer), .resumed(let peer), .commandIgnored(let peer, _),
            .chatDropped(let peer):
            peer
        case .roomClosed:
            nil
        }
    }

    public var naming: PeerNaming? {
        switch self {
        case .roomOpened(_, let room): PeerNaming(room: room)
        case .guestJoined(_, let nick, let room): PeerNaming(name: nick, room: room)
        default: nil
        }
    }

    public var message: String {
        switch self {
        case .roomOpened(_, let room): "room \(room) is open"
        case .roomClosed(let room): "room \(room) ended"
        case .guestJoined(_, let nick, let room): "\(nick) joined room \(room)"
        case .playing(_, let client, let frame): "client \(client) plays from frame \(frame) on"
        case .spectating(_, let client, let frame): "client \(client) looks on from frame \(frame) on"
        case .playRefused(_, let reason): "a wish to play was refused: \(reason.rawValue)"
        case .paceSet: "the room counts this player's frames"
        case .stateShared(_, let frame, let size): "the state of frame \(frame), \(size) bytes, went to the others"
        case .paused: "a player paused the room"
        case .resumed: "a player's pause ended"
        case .commandIgnored(_, let command): "command \(String(command, radix: 16)) was ignored"
        case .chatDropped: "more chat than allowed was dropped"
        }
    }
}

/// Why somebody may not play now, for people.
public enum NetplayModeRefusalReason: String, Sendable {
    case noSlots = "all devices are taken"
    case tooFast = "the guest asks too often"
}
