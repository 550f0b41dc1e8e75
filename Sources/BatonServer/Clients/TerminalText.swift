/// Text from strangers, for somebody's terminal.
enum TerminalText {
    /// The text without anything that a terminal obeys instead of showing, or that turns what stands around it:
    /// control characters, direction marks and other invisible ones. Lines and tabs become spaces, and what is too
    /// long is cut.
    ///
    /// - Parameter limit: the most Unicode scalars that stay.
    static func clean(_ text: String, atMost limit: Int) -> String {
        var kept = String.UnicodeScalarView()
        var wantsSpace = false
        for scalar in text.unicodeScalars where kept.count < limit {
            if scalar.properties.isWhitespace {
                wantsSpace = !kept.isEmpty
            } else if isShown(scalar) {
                if wantsSpace { kept.append(" ") }
                wantsSpace = false
                kept.append(scalar)
            }
        }
        return String(kept)
    }

    private static func isShown(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        default: !scalar.properties.isDefaultIgnorableCodePoint
        }
    }
}
