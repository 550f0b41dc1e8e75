/// The parts of a regular expression.
indirect enum TextPatternTree {
    case empty
    case byte(ByteSet)
    case assert(TextPlace)
    case sequence([TextPatternTree])
    case either(TextPatternTree, TextPatternTree)
    /// `nil` is without end.
    case repeated(TextPatternTree, least: Int, most: Int?)

    /// More steps than this are refused, for repetitions of repetitions multiply.
    private static let maxSteps = 10_000

    func compile(into program: inout [TextPatternStep]) throws(TextPatternFault) {
        guard program.count < Self.maxSteps else { throw TextPatternFault(reason: "it is too large") }
        switch self {
        case .empty: break
        case .byte(let set): program.append(.byte(set))
        case .assert(let place): program.append(.assert(place))
        case .sequence(let parts): for part in parts { try part.compile(into: &program) }
        case .either(let first, let second):
            let split = program.count
            program.append(.match)
            try first.compile(into: &program)
            let jump = program.count
            program.append(.match)
            program[split] = .split(split + 1, program.count)
            try second.compile(into: &program)
            program[jump] = .jump(program.count)
        case .repeated(let part, let least, let most):
            for _ in 0..<least {
                let start = program.count
                try part.compile(into: &program)
                // Nothing, however often.
                if program.count == start { break }
            }
            if let most {
                for _ in least..<most { try part.compileOptional(into: &program) }
            } else {
                let split = program.count
                program.append(.match)
                try part.compile(into: &program)
                program.append(.jump(split))
                program[split] = .split(split + 1, program.count)
            }
        }
    }

    private func compileOptional(into program: inout [TextPatternStep]) throws(TextPatternFault) {
        let split = program.count
        program.append(.match)
        try compile(into: &program)
        program[split] = .split(split + 1, program.count)
    }
}

/// Reads the text of a regular expression.
struct TextPatternParser {
    private static let maxLength = 1000
    private static let maxDepth = 100
    private static let maxRepetitions = 1000

    private var rest: ArraySlice<UInt8>
    private var ignoresCase = false
    private var depth = 0

    init(_ expression: String) {
        rest = Array(expression.utf8)[...]
    }

    mutating func wholePattern() throws(TextPatternFault) -> TextPatternTree {
        guard rest.count <= Self.maxLength else {
            throw TextPatternFault(reason: "it is longer than \(Self.maxLength) bytes")
        }
        let tree = try alternatives()
        guard rest.isEmpty else { throw TextPatternFault(reason: "a group is closed that was not opened") }
        return tree
    }

    private mutating func alternatives() throws(TextPatternFault) -> TextPatternTree {
        var tree = try sequence()
        while take("|") { tree = .either(tree, try sequence()) }
        return tree
    }

    private mutating func sequence() throws(TextPatternFault) -> TextPatternTree {
        var parts: [TextPatternTree] = []
        while let byte = rest.first, byte != UInt8(ascii: "|"), byte != UInt8(ascii: ")") {
            parts.append(try repetition(of: try atom()))
        }
        return .sequence(parts)
    }

    private mutating func repetition(of atom: TextPatternTree) throws(TextPatternFault) -> TextPatternTree {
        var tree = atom
        while let (least, most) = try bounds() {
            // What a match is like does not matter here, so a lazy repetition is one like the others.
            _ = take("?")
            if let most, most < least { throw TextPatternFault(reason: "a repetition ends before it begins") }
            tree = .repeated(tree, least: least, most: most)
        }
        return tree
    }

    private mutating func bounds() throws(TextPatternFault) -> (least: Int, most: Int?)? {
        if take("*") { return (0, nil) }
        if take("+") { return (1, nil) }
        if take("?") { return (0, 1) }
        let start = rest
        guard take("{"), let least = number() else {
            rest = start
            return nil
        }
        var most: Int? = least
        if take(",") { most = number() }
        guard take("}") else {
            rest = start
            return nil
        }
        if max(least, most ?? 0) > Self.maxRepetitions {
            throw TextPatternFault(reason: "something is repeated more than \(Self.maxRepetitions) times")
        }
        return (least, most)
    }

    private mutating func number() -> Int? {
        let digits = rest.prefix { (0x30...0x39).contains($0) }.prefix(9)
        rest = rest.dropFirst(digits.count)
        return Int(String(decoding: digits, as: UTF8.self))
    }

    private mutating func atom() throws(TextPatternFault) -> TextPatternTree {
        guard let byte = rest.popFirst() else { return .empty }
        switch byte {
        case UInt8(ascii: "."): return .byte(.anyButNewline)
        case UInt8(ascii: "^"): return .assert(.start)
        case UInt8(ascii: "$"): return .assert(.end)
        case UInt8(ascii: "("): return try group()
        case UInt8(ascii: "["): return .byte(try byteClass())
        case UInt8(ascii: "\\"): return try escape()
        case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"):
            throw TextPatternFault(reason: "there is nothing to repeat")
        default: return .byte(cased(ByteSet([byte])))
        }
    }

    private mutating func group() throws(TextPatternFault) -> TextPatternTree {
        guard depth < Self.maxDepth else { throw TextPatternFault(reason: "groups are nested too deep") }
        depth += 1
        defer { depth -= 1 }
        let outer = ignoresCase
        if take("?") {
            while take("i") { ignoresCase = true }
            // `(?i)` holds until the group around it ends.
            if take(")") { return .empty }
            guard take(":") else { throw TextPatternFault(reason: "a group begins with what is not known here") }
        }
        let tree = try alternatives()
        guard take(")") else { throw TextPatternFault(reason: "a group is not closed") }
        ignoresCase = outer
        return tree
    }

    private mutating func escape() throws(TextPatternFault) -> TextPatternTree {
        guard let byte = rest.first else { throw TextPatternFault(reason: "it ends with a backslash") }
        let places: [UInt8: TextPlace] = [
            UInt8(ascii: "b"): .wordBoundary, UInt8(ascii: "B"): .noWordBoundary, UInt8(ascii: "A"): .start,
            UInt8(ascii: "z"): .end,
        ]
        if let place = places[byte] {
            rest = rest.dropFirst()
            return .assert(place)
        }
        return .byte(cased(try escapedSet()))
    }

    /// What follows a backslash and stands for bytes.
    private mutating func escapedSet() throws(TextPatternFault) -> ByteSet {
        guard let byte = rest.popFirst() else { throw TextPatternFault(reason: "it ends with a backslash") }
        switch byte {
        case UInt8(ascii: "d"): return .digit
        case UInt8(ascii: "D"): return ByteSet.digit.inverted
        case UInt8(ascii: "w"): return .word
        case UInt8(ascii: "W"): return ByteSet.word.inverted
        case UInt8(ascii: "s"): return .space
        case UInt8(ascii: "S"): return ByteSet.space.inverted
        case UInt8(ascii: "t"): return ByteSet([9])
        case UInt8(ascii: "n"): return ByteSet([10])
        case UInt8(ascii: "r"): return ByteSet([13])
        case UInt8(ascii: "x"):
            guard let high = rest.popFirst()?.hexDigit, let low = rest.popFirst()?.hexDigit else {
                throw TextPatternFault(reason: "\\x needs two hexadecimal digits")
            }
            return ByteSet([high << 4 | low])
        default:
            guard !ByteSet.word.contains(byte) else {
                let letter = Character(Unicode.Scalar(byte))
                throw TextPatternFault(reason: "\\\(letter) is not known here")
            }
            return ByteSet([byte])
        }
    }

    private mutating func byteClass() throws(TextPatternFault) -> ByteSet {
        let isInverted = take("^")
        var set = ByteSet()
        var isFirst = true
        while isFirst || rest.first != UInt8(ascii: "]") {
            isFirst = false
            guard let byte = rest.popFirst() else { throw TextPatternFault(reason: "a class is not closed") }
            if byte == UInt8(ascii: "\\") {
                set.formUnion(try escapedSet())
            } else if rest.first == UInt8(ascii: "-"), let last = rest.dropFirst().first, last != UInt8(ascii: "]") {
                guard byte <= last, last != UInt8(ascii: "\\") else {
                    throw TextPatternFault(reason: "a range of a class ends before it begins")
                }
                rest = rest.dropFirst(2)
                set.formUnion(ByteSet(byte...last))
            } else {
                set.formUnion(ByteSet([byte]))
            }
        }
        rest = rest.dropFirst()
        let cased = cased(set)
        return isInverted ? cased.inverted : cased
    }

    private func cased(_ set: ByteSet) -> ByteSet { ignoresCase ? set.ignoringCase : set }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard let byte = rest.first, UInt32(byte) == character.value else { return false }
        rest = rest.dropFirst()
        return true
    }
}
