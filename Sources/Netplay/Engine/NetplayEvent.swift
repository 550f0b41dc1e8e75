public import RelayCore

/// What the tunnel tells its operator.
public enum NetplayEvent: EngineEvent, Equatable {
    case sessionOpened(PeerID, session: TunnelID)
    case guestWaiting(PeerID, session: TunnelID)
    /// A guest and the link its host opened for it are now one pipe.
    case linked(PeerID, link: PeerID, session: TunnelID)
    /// One end of the pair has no compression and the other one has it: savestates get another form on their way.
    case pairTranscoded(PeerID, isGuestRaw: Bool, session: TunnelID)
    case pairEnded(PeerID, session: TunnelID)
    /// The host has gone; pairs that exist play on.
    case hostLeft(PeerID, session: TunnelID)
    /// The last member has gone.
    case sessionClosed(session: TunnelID)

    public var name: String {
        switch self {
        case .sessionOpened: "session_opened"
        case .guestWaiting: "guest_waiting"
        case .linked: "guest_linked"
        case .pairTranscoded: "pair_transcoded"
        case .pairEnded: "pair_ended"
        case .hostLeft: "host_left"
        case .sessionClosed: "session_closed"
        }
    }

    public var peer: PeerID? {
        switch self {
        case .sessionOpened(let peer, _), .guestWaiting(let peer, _), .linked(let peer, _, _),
            .pairTranscoded(let peer, _, _), .pairEnded(let peer, _), .hostLeft(let peer, _):
            peer
        case .sessionClosed:
            nil
        }
    }

    public var message: String {
        switch self {
        case .sessionOpened(_, let session): "a host opened session \(session)"
        case .guestWaiting(_, let session): "a guest of session \(session) waits for its link"
        case .linked(_, let link, let session): "a guest of session \(session) plays through link \(link)"
        case .pairTranscoded(_, true, let session):
            "a guest of session \(session) has no compression and its host has: savestates are inflated for it"
        case .pairTranscoded(_, false, let session):
            "a guest of session \(session) has compression and its host has not: savestates are deflated for it"
        case .pairEnded(_, let session): "a guest of session \(session) left"
        case .hostLeft(_, let session): "the host of session \(session) left"
        case .sessionClosed(let session): "session \(session) ended"
        }
    }
}
