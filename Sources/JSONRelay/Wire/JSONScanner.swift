/// Walks through a JSON text from left to right and checks it strictly: UTF-8, RFC 8259, no byte order mark, no
/// comments, no trailing commas, at most 64 levels. It neither recurses nor allocates.
struct JSONScanner {
    /// Where the text begins in the bytes given to each call.
    private let start: Int
    private var position: Int
    private var hasMembers = false

    init(from start: Int) {
        self.start = start
        position = start
    }

    /// Steps into the object that is the whole text.
    mutating func openObject(in bytes: RawSpan) throws(WireError) {
        skipSpace(in: bytes)
        try expect(UInt8(ascii: "{"), in: bytes)
    }

    /// The name of the object's next member, leaving its value next; `nil` at the object's end.
    mutating func nextName(in bytes: RawSpan) throws(WireError) -> JSONString? {
        skipSpace(in: bytes)
        if take(UInt8(ascii: "}"), in: bytes) { return nil }
        if hasMembers { try expectComma(in: bytes) }
        hasMembers = true
        return try scanName(in: bytes)
    }

    /// Checks that nothing but white space follows.
    mutating func close(in bytes: RawSpan) throws(WireError) {
        skipSpace(in: bytes)
        if !isAtEnd(of: bytes) { throw fault(.followed) }
    }

    func isAtEnd(of bytes: RawSpan) -> Bool { position == bytes.byteCount }

    /// Steps over just these octets; `false`, and no step, if others come next.
    mutating func take(_ text: StaticString, in bytes: RawSpan) -> Bool {
        guard bytes.holds(text, at: position) else { return false }
        position += text.utf8CodeUnitCount
        return true
    }

    mutating func scanValue(in bytes: RawSpan) throws(WireError) -> JSONValue {
        switch bytes.octet(at: position) {
        case UInt8(ascii: "{"):
            try skipContainer(in: bytes)
            return .object
        case UInt8(ascii: "["):
            try skipContainer(in: bytes)
            return .array
        default:
            return try scanScalar(in: bytes)
        }
    }

    /// Skips an object or array with all that is in it.
    private mutating func skipContainer(in bytes: RawSpan) throws(WireError) {
        var open = OpenContainers()
        var isEmpty = false
        repeat {
            if open.count > 0 {
                skipSpace(in: bytes)
                if take(open.endsWithBrace ? UInt8(ascii: "}") : UInt8(ascii: "]"), in: bytes) {
                    open.leave()
                    isEmpty = false
                    continue
                }
                if !isEmpty { try expectComma(in: bytes) }
                if open.endsWithBrace { _ = try scanName(in: bytes) }
            }
            let isObject = bytes.octet(at: position) == UInt8(ascii: "{")
            isEmpty = isObject || bytes.octet(at: position) == UInt8(ascii: "[")
            if isEmpty {
                guard open.enter(isObject: isObject) else { throw fault(.nestedTooDeep) }
                position += 1
            } else {
                _ = try scanScalar(in: bytes)
            }
        } while open.count > 0
    }

    private mutating func scanScalar(in bytes: RawSpan) throws(WireError) -> JSONValue {
        let start = position
        switch bytes.octet(at: position) {
        case UInt8(ascii: "\""): return .string(try scanString(in: bytes))
        case UInt8(ascii: "t"): try scanLiteral("true", in: bytes)
        case UInt8(ascii: "f"): try scanLiteral("false", in: bytes)
        case UInt8(ascii: "n"):
            try scanLiteral("null", in: bytes)
            return .null(start..<position)
        default: try scanNumber(in: bytes)
        }
        return .token(start..<position)
    }

    private mutating func scanName(in bytes: RawSpan) throws(WireError) -> JSONString {
        let name = try scanString(in: bytes)
        skipSpace(in: bytes)
        try expect(UInt8(ascii: ":"), in: bytes)
        skipSpace(in: bytes)
        return name
    }

    /// Reads a string, its quotes included.
    mutating func scanString(in bytes: RawSpan) throws(WireError) -> JSONString {
        try expect(UInt8(ascii: "\""), in: bytes)
        var string = JSONString(range: position..<position)
        while true {
            position = bytes.endOfPlainText(from: position)
            guard let octet = bytes.octet(at: position) else { throw fault(.endsEarly) }
            if octet == UInt8(ascii: "\"") { break }
            if octet == UInt8(ascii: "\\") {
                guard let escape = bytes.escape(at: position) else { throw fault(.badEscape) }
                string.hasEscapes = true
                if !escape.isCanonical { string.isCanonical = false }
                if escape.scalar == nil { string.hasLoneSurrogate = true }
                position += escape.length
            } else {
                if octet < 0x20 { throw fault(.controlCharacter) }
                guard let (scalar, length) = bytes.scalar(at: position) else { throw fault(.notUTF8) }
                if JSONEscape.isNeeded(for: scalar) { string.isCanonical = false }
                position += length
            }
        }
        string.range = string.range.lowerBound..<position
        position += 1
        return string
    }

    private mutating func scanLiteral(_ text: StaticString, in bytes: RawSpan) throws(WireError) {
        if !take(text, in: bytes) { throw fault(.unexpected) }
    }

    private mutating func scanNumber(in bytes: RawSpan) throws(WireError) {
        _ = take(UInt8(ascii: "-"), in: bytes)
        if !take(UInt8(ascii: "0"), in: bytes) { try scanDigits(in: bytes) }
        if take(UInt8(ascii: "."), in: bytes) { try scanDigits(in: bytes) }
        if take(UInt8(ascii: "e"), in: bytes) || take(UInt8(ascii: "E"), in: bytes) {
            if !take(UInt8(ascii: "+"), in: bytes) { _ = take(UInt8(ascii: "-"), in: bytes) }
            try scanDigits(in: bytes)
        }
    }

    private mutating func scanDigits(in bytes: RawSpan) throws(WireError) {
        let start = position
        while let octet = bytes.octet(at: position), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(octet) {
            position += 1
        }
        if position == start { throw unexpected(in: bytes) }
    }

    private mutating func skipSpace(in bytes: RawSpan) {
        while let octet = bytes.octet(at: position),
            octet == 0x20 || octet == 0x0A || octet == 0x0D || octet == 0x09
        {
            position += 1
        }
    }

    private mutating func expectComma(in bytes: RawSpan) throws(WireError) {
        try expect(UInt8(ascii: ","), in: bytes)
        skipSpace(in: bytes)
    }

    private mutating func expect(_ octet: UInt8, in bytes: RawSpan) throws(WireError) {
        if !take(octet, in: bytes) { throw unexpected(in: bytes) }
    }

    private mutating func take(_ octet: UInt8, in bytes: RawSpan) -> Bool {
        guard bytes.octet(at: position) == octet else { return false }
        position += 1
        return true
    }

    private func unexpected(in bytes: RawSpan) -> WireError {
        fault(position < bytes.byteCount ? .unexpected : .endsEarly)
    }

    private func fault(_ fault: JSONFault) -> WireError {
        .json(fault, offset: position - start)
    }
}

/// Which containers are open inside the outermost object, one bit for each: set for an object.
private struct OpenContainers {
    /// The outermost object is the first of 64 levels.
    private static let capacity = 63

    private var bits: UInt64 = 0
    private(set) var count = 0

    var endsWithBrace: Bool { bits & 1 == 1 }

    /// `false` if that were one level too many.
    mutating func enter(isObject: Bool) -> Bool {
        guard count < Self.capacity else { return false }
        bits = bits << 1 | (isObject ? 1 : 0)
        count += 1
        return true
    }

    mutating func leave() {
        bits >>= 1
        count -= 1
    }
}
