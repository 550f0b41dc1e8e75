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
}

extension EngineEvent {
    public var reason: String? { nil }
}
