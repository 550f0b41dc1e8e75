/// An escape sequence in a JSON string, and the rules by which this relay writes them.
struct JSONEscape {
    /// What it stands for; `nil` for half of a surrogate pair.
    let scalar: Unicode.Scalar?
    /// Its octets, the second half of a pair included.
    let length: Int
    /// Whether the relay would write that character in just this way.
    let isCanonical: Bool

    /// What the letter after a backslash stands for; `nil` for `u`, and for letters that may not stand there.
    static func scalar(ofLetter letter: UInt8) -> Unicode.Scalar? {
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): Unicode.Scalar(letter)
        case UInt8(ascii: "b"): "\u{8}"
        case UInt8(ascii: "f"): "\u{C}"
        case UInt8(ascii: "n"): "\n"
        case UInt8(ascii: "r"): "\r"
        case UInt8(ascii: "t"): "\t"
        default: nil
        }
    }

    /// The letter of the short form in which a character is written; `nil` if it has none.
    static func letter(for scalar: Unicode.Scalar) -> UInt8? {
        switch scalar {
        case "\"", "\\": UInt8(ascii: scalar)
        case "\u{8}": UInt8(ascii: "b")
        case "\u{C}": UInt8(ascii: "f")
        case "\n": UInt8(ascii: "n")
        case "\r": UInt8(ascii: "r")
        case "\t": UInt8(ascii: "t")
        default: nil
        }
    }

    /// Whether a character is written as an escape sequence: quote, backslash, controls, spaces other than U+0020,
    /// line and paragraph separators, private use, unassigned, and all above U+FFFF. Everything else stays UTF-8.
    static func isNeeded(for scalar: Unicode.Scalar) -> Bool {
        guard scalar.value <= 0xFFFF else { return true }
        return escaped[Int(scalar.value >> 6)] >> UInt64(scalar.value & 63) & 1 == 1
    }

    /// One bit for each code point up to U+FFFF, so that text is not looked up in Unicode's tables again and again.
    /// "Unassigned" is as the Unicode version of Swift's standard library has it.
    private static let escaped: [UInt64] = (0..<1024).map { word in
        (0..<64).reduce(into: 0) { bits, bit in
            if isEscaped(UInt32(word * 64 + bit)) { bits |= UInt64(1) << UInt64(bit) }
        }
    }

    private static func isEscaped(_ codePoint: UInt32) -> Bool {
        guard let scalar = Unicode.Scalar(codePoint) else { return true }
        return switch scalar.properties.generalCategory {
        case .control, .surrogate, .unassigned, .privateUse, .lineSeparator, .paragraphSeparator: true
        case .spaceSeparator: scalar != " "
        default: scalar == "\"" || scalar == "\\"
        }
    }
}
