package import RelayCore

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
    package static let none = TunnelID(high: 0, low: 0)

    /// A new identifier. Whoever knows one can use it, so it must not be guessable.
    package static func random(from random: inout RandomSource) -> TunnelID {
        while true {
            let id = TunnelID(high: random.next(), low: UInt32(truncatingIfNeeded: random.next()))
            if id != .none { return id }
        }
    }
}

extension TunnelID: CustomStringConvertible {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The 16 characters of standard Base64 by which RetroArch's command line and lobbies name a session.
    public var description: String {
        let groups = [
            high >> 40, high >> 16 & 0xFFFFFF, (high & 0xFFFF) << 8 | UInt64(low >> 24), UInt64(low & 0xFFFFFF),
        ]
        let characters = groups.flatMap { group in
            stride(from: UInt64(18), through: 0, by: -6).map { Self.alphabet[Int(group >> $0 & 0x3F)] }
        }
        return String(decoding: characters, as: UTF8.self)
    }

    /// Reads `description` again; `nil` for anything else, and for the identifier that means none.
    public init?(_ text: some StringProtocol) {
        let digits = text.utf8.compactMap { Self.alphabet.firstIndex(of: $0).map(UInt64.init) }
        guard digits.count == 16, text.utf8.count == 16 else { return nil }
        // 16 digits of 6 bits are 96: ten of them and 4 bits more make the first 64.
        let leading = digits[..<10].reduce(0) { $0 << 6 | $1 }
        let trailing = digits[10...].reduce(0) { $0 << 6 | $1 }
        self.init(high: leading << 4 | trailing >> 32, low: UInt32(truncatingIfNeeded: trailing))
        if self == .none { return nil }
    }
}
