import NIOCore

/// With whom a client plays: everybody, or those who share its passphrase.
struct Passphrase: Hashable, Sendable {
    /// The eight hexadecimal digits of a passphrase; `nil` for none.
    private let digits: UInt32?

    static let none = Passphrase(digits: nil)

    var isPublic: Bool { digits == nil }

    private init(digits: UInt32?) {
        self.digits = digits
    }

    /// Reads a passphrase, `Ryujinx-` and eight lower-case hexadecimal digits. Anything else counts as none.
    init(_ message: PassphraseMessage) {
        let text = message.passphrase.readableBytesView.prefix { $0 != 0 }
        let digits = text.dropFirst(Self.prefix.count)
        let isLowerHex = digits.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        guard digits.count == 8, isLowerHex, text.starts(with: Self.prefix) else {
            self = .none
            return
        }
        self.init(digits: UInt32(String(decoding: digits, as: UTF8.self), radix: 16))
    }

    private static let prefix = Array("Ryujinx-".utf8)
}
