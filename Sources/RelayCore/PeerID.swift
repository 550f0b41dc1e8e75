/// Names one remote party of one listener for as long as it is connected.
///
/// A slot is used again after its peer has gone, with the next generation: an identifier kept too long finds nobody
/// instead of a stranger.
public struct PeerID: Hashable, Sendable, CustomStringConvertible {
    public let slot: UInt32
    public let generation: UInt32

    public init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }

    /// A short number for logs: unique among the peers of a listener at any moment, `slot.generation`.
    public var description: String { "\(slot).\(generation)" }
}
