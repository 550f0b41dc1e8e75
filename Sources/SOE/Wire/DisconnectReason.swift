/// Why a session ended, in the protocol's numbers.
public enum DisconnectReason: UInt16, CaseIterable, Sendable {
    case none = 0
    case icmpError = 1
    /// Nothing was heard of the peer for too long.
    case timeout = 2
    case otherSideTerminated = 3
    case managerDeleted = 4
    /// The request was never answered.
    case connectFailed = 5
    /// The application wanted it.
    case application = 6
    /// The peer does not know the session.
    case unreachableConnection = 7
    /// The peer is there but acknowledges nothing.
    case unacknowledgedTimeout = 8
    /// The peer has begun a new session from the same address.
    case newConnectionAttempt = 9
    case connectionRefused = 10
    /// Both ends sent a request.
    case connectError = 11
    case connectingToSelf = 12
    /// More was held for the session than is allowed.
    case reliableOverflow = 13
    case applicationReleased = 14
    case corruptPacket = 15
    case protocolMismatch = 16

    /// What a number means; one that nobody knows means nothing in particular.
    public init(wire: UInt16) {
        self = DisconnectReason(rawValue: wire) ?? .none
    }

    /// The word it is counted under.
    public var word: String {
        switch self {
        case .none: "none"
        case .icmpError: "icmp_error"
        case .timeout: "timeout"
        case .otherSideTerminated: "other_side_terminated"
        case .managerDeleted: "manager_deleted"
        case .connectFailed: "connect_failed"
        case .application: "application"
        case .unreachableConnection: "unreachable_connection"
        case .unacknowledgedTimeout: "unacknowledged_timeout"
        case .newConnectionAttempt: "new_connection_attempt"
        case .connectionRefused: "connection_refused"
        case .connectError: "connect_error"
        case .connectingToSelf: "connecting_to_self"
        case .reliableOverflow: "reliable_overflow"
        case .applicationReleased: "application_released"
        case .corruptPacket: "corrupt_packet"
        case .protocolMismatch: "protocol_mismatch"
        }
    }
}
