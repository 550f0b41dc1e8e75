/// Text from strangers, for somebody's terminal.
package enum TerminalText {
    /// The text without anything that a terminal obeys instead of showing, or that turns what stands around it:
    /// control characters, direction marks and other invisible ones. Lines and tabs become spaces, and what is too
    /// long is cut.
    ///
    /// - Parameter limit: the most Unicode scalars that stay.
    package static func clean(_ text: String, atMost limit: Int) -> String {
        var kept = String.UnicodeScalarView()
        var count = 0
        var wantsSpace = false
        for scalar in text.unicodeScalars {
            if scalar.properties.isWhitespace {
                wantsSpace = count > 0
            } else if isShown(scalar) {
                guard count + (wantsSpace ? 2 : 1) <= limit else { break }
                if wantsSpace { kept.append(" ") }
                kept.append(scalar)
                count += wantsSpace ? 2 : 1
                wantsSpace = false
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
