/// Something an engine tells the operator of: rare, never a packet.
public protocol EngineEvent: Sendable {
    /// What kind of thing it is, in snake case; from a fixed set, for it is counted and searched for.
    var name: String { get }
    /// The peer it is about.
    var peer: PeerID? { get }
    /// What happened, as a sentence for a log line.
    var message: String { get }
    /// Why, in one word of a fixed set, where something was refused or dropped.
    var reason: String? { get }
    /// Under which names its peer is known since now; `nil` if that has not changed.
    var naming: PeerNaming? { get }
}

extension EngineEvent {
    public var reason: String? { nil }
    public var naming: PeerNaming? { nil }
}

/// What a peer goes by from now on, in its protocol.
public struct PeerNaming: Hashable, Sendable {
    /// Its id or nick.
    public var name: String?
    public var room: String?

    public init(name: String? = nil, room: String? = nil) {
        self.name = name
        self.room = room
    }
}
