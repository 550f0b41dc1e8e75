public import RelayCore

/// What an engine or a session tells of sessions. Messages are delivered apart, in one order with these: `opened` before
/// the first message, `closed` after the last.
public enum SOEEvent: EngineEvent, Equatable {
    case opened(PeerID, Endpoint)
    /// The session has ended. `undelivered` messages were taken from the application and never acknowledged.
    case closed(PeerID, DisconnectReason, byPeer: Bool, undelivered: Int)
    /// A message was refused because too many waited; there is room again.
    case writable(PeerID)
    /// The peer's port has changed.
    case remapped(PeerID, Endpoint)

    public var name: String {
        switch self {
        case .opened: "session_opened"
        case .closed: "session_closed"
        case .writable: "session_writable"
        case .remapped: "session_remapped"
        }
    }

    public var peer: PeerID? {
        switch self {
        case .opened(let peer, _), .closed(let peer, _, _, _), .writable(let peer), .remapped(let peer, _): peer
        }
    }

    public var message: String {
        switch self {
        case .opened: "a session opened"
        case .closed(_, let reason, let byPeer, let undelivered):
            "\(byPeer ? "the peer" : "this end") ended a session: \(reason.word)"
                + (undelivered > 0 ? "; \(undelivered) messages were not delivered" : "")
        case .writable:
            "a session takes messages again"
        case .remapped: "a session's peer is now at another port"
        }
    }
}

/// What became of a message that was to be sent.
public enum EnqueueResult: Hashable, Sendable {
    /// It will arrive (on a reliable channel), or the session's end says how many did not.
    case accepted
    /// Too much waits already. `SOEEvent.writable` follows when there is room.
    case full
    /// It is longer than messages may be.
    case tooLong
    /// There is no such session, or it is ending; or, for an unreliable message, it is not open yet.
    case closed
}
