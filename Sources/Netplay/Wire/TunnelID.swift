import RelayCore

/// Names a session or a guest of the tunnel: 12 random bytes, never all zero.
public struct TunnelID: Hashable, Sendable {
    // In words of 4 bytes, so that an identifier takes no more than its 12.
    private let first: UInt32
    private let second: UInt32
    private let third: UInt32

    /// `high` are the first 8 bytes and `low` the last 4, most significant first.
    init(high: UInt64, low: UInt32) {
        first = UInt32(truncatingIfNeeded: high >> 32)
        second = UInt32(truncatingIfNeeded: high)
        third = low
    }

    var high: UInt64 { UInt64(first) << 32 | UInt64(second) }
    var low: UInt32 { third }

    /// All zero: "none".
    static let none = TunnelID(high: 0, low: 0)

    /// A new identifier. Whoever knows one can use it, so it must not be guessable.
    static func random(from random: inout RandomSource) -> TunnelID {
        while true {
            let id = TunnelID(high: random.next(), low: UInt32(truncatingIfNeeded: random.next()))
            if id != .none { return id }
        }
    }
}

extension TunnelID: CustomStringConvertible {
    /// The 16 characters of standard Base64 by which RetroArch's command line and lobbies name a session.
    public var description: String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        let bits = [
            high >> 40, high >> 16 & 0xFFFFFF, (high & 0xFFFF) << 8 | UInt64(low >> 24), UInt64(low & 0xFFFFFF),
        ]
        return String(
            bits.flatMap { group in
                stride(from: UInt64(18), through: 0, by: -6).map { alphabet[Int(group >> $0 & 0x3F)] }
            }
        )
    }
}
