/// Where engines get their randomness: the system's generator, or a seeded one so that a test can be repeated.
public enum RandomSource: RandomNumberGenerator, Sendable {
    case system
    /// SplitMix64 over the given state. For tests only: its output can be predicted.
    case seeded(UInt64)

    public mutating func next() -> UInt64 {
        switch self {
        case .system:
            var generator = SystemRandomNumberGenerator()
            return generator.next()
        case .seeded(var state):
            state &+= 0x9E37_79B9_7F4A_7C15
            self = .seeded(state)
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }
}
