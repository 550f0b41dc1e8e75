public import RelayCore

/// What an operator may want to know of a JSON relay; never one per message that was relayed.
public enum JSONRelayEvent: Hashable, EngineEvent {
    /// A connection took an id, giving up the one it had.
    case clientNamed(PeerID, id: String, formerly: String?)
    /// An id is free again: its client said CLOSE, or its connection ended.
    case clientLeft(PeerID, id: String)
    /// A message was not acted upon.
    case refused(PeerID, MessageRefusal)

    /// The word under which it is counted.
    public var name: String {
        switch self {
        case .clientNamed: "client_named"
        case .clientLeft: "client_left"
        case .refused(_, let refusal): refusal.word
        }
    }

    public var peer: PeerID? {
        switch self {
        case .clientNamed(let peer, _, _), .clientLeft(let peer, _), .refused(let peer, _): peer
        }
    }

    public var naming: PeerNaming? {
        if case .clientNamed(_, let id, _) = self { PeerNaming(name: id) } else { nil }
    }

    /// A sentence for the log.
    public var message: String {
        switch self {
        case .clientNamed(_, let id, nil): "the client is \(id)"
        case .clientNamed(_, let id, .some(let former)): "the client is \(id), formerly \(former)"
        case .clientLeft(_, let id): "the id \(id) is free"
        case .refused(_, let refusal): "a message was refused: \(refusal.text)"
        }
    }
}
