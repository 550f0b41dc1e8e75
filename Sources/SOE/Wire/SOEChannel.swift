/// How a message travels.
public enum SOEChannel: UInt8, CaseIterable, Sendable {
    /// The four reliable channels: each delivers everything once and in its own order.
    case reliable0, reliable1, reliable2, reliable3
    /// Once at most, in any order.
    case unreliable
    /// Once at most, and never after a later one.
    case ordered
    /// As `ordered`, counted apart.
    case orderedUnbuffered

    public var isReliable: Bool { rawValue < 4 }
}
