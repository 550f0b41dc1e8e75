import RelayCore

/// The tokens that open the API.
struct AccessTokens: Sendable {
    private struct Known: Sendable {
        var caller: AdminCaller
        var bytes: [UInt8]
        var expires: Timestamp?
    }

    private let known: [Known]

    init(_ tokens: [Configuration.Admin.Token]) {
        known = tokens.compactMap { token in
            token.token.map { secret in
                Known(
                    caller: AdminCaller(name: token.name, access: token.access), bytes: Array(secret.text.utf8),
                    expires: token.expires)
            }
        }
    }

    /// Whether nobody needs one. Tokens that have all expired still shut everybody out.
    var isEmpty: Bool { known.isEmpty }

    /// Whose token this is; `nil` if it is nobody's, or has expired.
    func caller(presenting guess: [UInt8], at date: Timestamp) -> AdminCaller? {
        var caller: AdminCaller?
        // All are looked at, so that the time taken does not tell which was nearly right.
        for token in known where Self.equal(guess, token.bytes) && token.expires.map({ date < $0 }) ?? true {
            caller = token.caller
        }
        return caller
    }

    /// Compares in a time that tells nothing of how much of a guess was right.
    private static func equal(_ guess: [UInt8], _ expected: [UInt8]) -> Bool {
        var difference: UInt8 = guess.count == expected.count ? 0 : 1
        for (index, byte) in expected.enumerated() {
            difference |= byte ^ (index < guess.count ? guess[index] : 0)
        }
        return difference == 0
    }
}
