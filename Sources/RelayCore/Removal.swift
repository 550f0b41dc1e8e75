/// Why an operator parts from a peer.
public enum Removal: Hashable, Sendable {
    case kicked
    /// For what the operator wrote down, if he did.
    case banned(reason: String)

    public var closeReason: CloseReason {
        switch self {
        case .kicked: .kicked
        case .banned: .banned
        }
    }

    private static let maxLength = 200

    /// For the peer, where its protocol carries text.
    public var words: String {
        switch self {
        case .kicked: "Kicked"
        case .banned(let reason): reason.isEmpty ? "Banned" : "Banned: \(reason.prefix(Self.maxLength))"
        }
    }
}
