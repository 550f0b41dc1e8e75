public import RelayCore

/// What a gateway tells of its backend, beside the events of its sessions.
public enum GatewayEvent: EngineEvent, Equatable {
    case backendConnected(sessions: Int)
    /// The connection was lost, or given up.
    case backendLost(BackendLoss, sessions: Int)
    /// The backend has not come back in time; so many sessions were ended.
    case backendMissing(sessions: Int)
    /// A session was ended because its address is not admitted.
    case refused(PeerID, Admission.Refusal)
    /// A session was ended because the backend sent more than its client takes.
    case overflowed(PeerID)

    public var name: String {
        switch self {
        case .backendConnected: "backend_connected"
        case .backendLost: "backend_lost"
        case .backendMissing: "backend_missing"
        case .refused: "session_refused"
        case .overflowed: "session_overflowed"
        }
    }

    public var peer: PeerID? {
        switch self {
        case .refused(let peer, _), .overflowed(let peer): peer
        case .backendConnected, .backendLost, .backendMissing: nil
        }
    }

    public var message: String {
        switch self {
        case .backendConnected(let sessions):
            "the backend is there" + (sessions > 0 ? "; \(sessions) sessions have waited for it" : "")
        case .backendLost(let loss, let sessions):
            "the backend is gone: \(loss.sentence)" + (sessions > 0 ? "; \(sessions) sessions wait for it" : "")
        case .backendMissing(let sessions):
            "the backend did not come back in time: \(sessions) sessions were ended"
        case .refused(_, let refusal):
            "a session was ended at once: \(refusal.rawValue)"
        case .overflowed:
            "a session was ended: the backend sent more than its client takes"
        }
    }
}

/// Why there is no backend any more.
public enum BackendLoss: Hashable, Sendable {
    /// The connection ended, with the system's words.
    case disconnected(String)
    /// It did not introduce itself in time.
    case silent
    /// It speaks another version of the frames.
    case version(UInt16)
    /// What it sent is no frame, or not its to send.
    case nonsense(String)
    /// It read nothing for too long.
    case stalled

    public var sentence: String {
        switch self {
        case .disconnected(let words): words
        case .silent: "it did not say hello"
        case .version(let version): "it speaks version \(version) of the frames, this gateway \(BackendFrame.version)"
        case .nonsense(let what): "it sent what it may not: \(what)"
        case .stalled: "it read nothing for too long"
        }
    }
}
