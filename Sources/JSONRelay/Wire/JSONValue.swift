import NIOCore

/// What stands at a place in a JSON text, by the offsets of its octets.
package enum JSONValue {
    case string(JSONString)
    /// A number, `true` or `false`.
    case token(Range<Int>)
    case null(Range<Int>)
    case object
    case array
}

/// A string in a JSON text, with what was seen while it was checked.
package struct JSONString {
    /// Its octets, without the quotes.
    var range: Range<Int>
    /// Whether it contains a backslash.
    var hasEscapes = false
    /// Whether it contains an escape for half of a surrogate pair, so that it is no text.
    var hasLoneSurrogate = false
    /// Whether the relay would write this text with just these octets.
    var isCanonical = true

    /// Whether the string is `text` once unescaped.
    func equals(_ text: StaticString, in bytes: RawSpan) -> Bool {
        if !hasEscapes { return range.count == text.utf8CodeUnitCount && bytes.holds(text, at: range.lowerBound) }
        // No character takes more than 6 octets for each of its own.
        guard !hasLoneSurrogate, range.count <= 6 * text.utf8CodeUnitCount else { return false }
        return JSONText.decoded(bytes.extracting(range)).readableBytesSpan.isJust(text)
    }
}

extension RawSpan {
    fileprivate func isJust(_ text: StaticString) -> Bool {
        byteCount == text.utf8CodeUnitCount && holds(text, at: 0)
    }
}
