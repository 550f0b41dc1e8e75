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

    /// Reads what `description` says; `nil` for anything else.
    public init?(_ description: some StringProtocol) {
        let numbers = description.split(separator: ".", omittingEmptySubsequences: false).map { UInt32($0) }
        guard numbers.count == 2, let slot = numbers[0], let generation = numbers[1],
            description == "\(slot).\(generation)"
        else { return nil }
        self.init(slot: slot, generation: generation)
    }

    /// A short number for logs: unique among the peers of a listener at any moment, `slot.generation`.
    public var description: String { "\(slot).\(generation)" }
}
