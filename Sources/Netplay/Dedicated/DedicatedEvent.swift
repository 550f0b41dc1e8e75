public import RelayCore

/// What the desk of dedicated hosts tells its operator.
public enum DedicatedEvent: EngineEvent, Equatable {
    case requested(PeerID, HostingRequest, by: Endpoint?)
    case opened(PeerID, HostingInvitation)
    case guestJoined(PeerID, from: Endpoint, guests: Int)
    case guestLeft(PeerID, guests: Int)
    case stopping(PeerID, HostEnd)
    case ended(PeerID, HostEnd)

    public var name: String {
        switch self {
        case .requested: "host_requested"
        case .opened: "host_opened"
        case .guestJoined: "guest_joined"
        case .guestLeft: "guest_left"
        case .stopping: "host_stopping"
        case .ended(_, let end): "host_ended_\(end.rawValue)"
        }
    }

    public var peer: PeerID? {
        switch self {
        case .requested(let host, _, _), .opened(let host, _), .guestJoined(let host, _, _), .guestLeft(let host, _),
            .stopping(let host, _), .ended(let host, _):
            host
        }
    }

    /// The stranger it is about.
    public var endpoint: Endpoint? {
        switch self {
        case .requested(_, _, let endpoint): endpoint
        case .guestJoined(_, let endpoint, _): endpoint
        case .opened, .guestLeft, .stopping, .ended: nil
        }
    }

    public var message: String {
        switch self {
        case .requested(_, let request, _): "a host of '\(request.fileName)' with core '\(request.coreName)' is wanted"
        case .opened(_, let invitation):
            if let session = invitation.session {
                "the host waits for guests in session \(session) of the relay, port \(invitation.port)"
            } else {
                "the host waits for guests on port \(invitation.port)"
            }
        case .guestJoined(_, _, let guests): "a guest came; \(guests) are there now"
        case .guestLeft(_, let guests): "a guest left; \(guests) are there now"
        case .stopping(_, let end): "the host is stopped: \(end.sentence)"
        case .ended(_, let end): "the host has ended: \(end.sentence)"
        }
    }
}
