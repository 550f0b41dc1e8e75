import NIOCore

/// With whom a client plays: everybody, or those who share its passphrase, `Ryujinx-` and eight lower-case hexadecimal
/// digits (section 4.1 of the protocol's notes).
public struct Passphrase: Hashable, Sendable, CustomStringConvertible {
    /// The eight hexadecimal digits of a passphrase; `nil` for none.
    private let digits: UInt32?

    /// Everybody.
    public static let none = Passphrase(digits: nil)

    /// The passphrase with these digits, most significant first.
    public init(digits: UInt32) {
        self.init(digits: .some(digits))
    }

    /// Reads a passphrase; `nil` if it has another form. Masters take such a one for none, without a word.
    public init?(_ text: some StringProtocol) {
        self.init(octets: text.utf8)
    }

    /// What a client says. Anything but a passphrase counts as none.
    init(_ message: PassphraseMessage) {
        self = Passphrase(octets: message.passphrase.readableBytesView.prefix { $0 != 0 }) ?? .none
    }

    private init(digits: UInt32?) {
        self.digits = digits
    }

    private init?(octets: some Collection<UInt8>) {
        let digits = octets.dropFirst(Self.prefix.utf8.count)
        let isLowerHex = digits.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        guard digits.count == 8, isLowerHex, octets.starts(with: Self.prefix.utf8) else { return nil }
        self.init(digits: UInt32(String(decoding: digits, as: UTF8.self), radix: 16))
    }

    var isPublic: Bool { digits == nil }

    /// As it is said and typed; empty for none.
    public var description: String {
        guard let digits else { return "" }
        let text = String(digits, radix: 16)
        return Self.prefix + String(repeating: "0", count: 8 - text.count) + text
    }

    var message: PassphraseMessage {
        var message = PassphraseMessage()
        message.passphrase = ByteBuffer(string: description)
        return message
    }

    private static let prefix = "Ryujinx-"
}
