/// A regular expression that is searched for in ASCII texts, in time proportional to the text: whatever the expression,
/// no text a stranger chooses makes the search slow.
///
/// The syntax is the usual one (that of RE2 and Perl, without back references and look-around): `. [] [^] \d \w \s \b ^ $ |
/// () (?:) (?i) * + ? {n,m}`.
public struct TextPattern: Sendable, Equatable, CustomStringConvertible {
    /// What it was made from.
    public let description: String
    private let program: [TextPatternStep]

    /// Throws what is wrong with the expression.
    public init(_ expression: String) throws(TextPatternFault) {
        description = expression
        var parser = TextPatternParser(expression)
        let tree = try parser.wholePattern()
        var program: [TextPatternStep] = []
        try tree.compile(into: &program)
        program.append(.match)
        self.program = program
    }

    /// Whether the expression matches any part of a text.
    public func matches(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        var current = StepSet(count: program.count)
        var next = StepSet(count: program.count)
        for index in 0...bytes.count {
            // A match may begin anywhere.
            if follow(0, at: index, in: bytes, into: &current) { return true }
            guard index < bytes.count else { break }
            for step in current.steps {
                guard case .byte(let set) = program[step], set.contains(bytes[index]) else { continue }
                if follow(step + 1, at: index + 1, in: bytes, into: &next) { return true }
            }
            swap(&current, &next)
            next.removeAll()
        }
        return false
    }

    /// Adds all steps that are reached without reading a byte; `true` if the end is one of them.
    private func follow(_ start: Int, at index: Int, in bytes: [UInt8], into set: inout StepSet) -> Bool {
        var waiting = [start]
        while let step = waiting.popLast() {
            guard set.insert(step) else { continue }
            switch program[step] {
            case .byte: break
            case .match: return true
            case .jump(let target): waiting.append(target)
            case .split(let first, let second): waiting += [first, second]
            case .assert(let place): if place.holds(at: index, in: bytes) { waiting.append(step + 1) }
            }
        }
        return false
    }

    public static func == (left: TextPattern, right: TextPattern) -> Bool { left.description == right.description }
}

/// What is wrong with a regular expression, as a clause: "a group is not closed".
public struct TextPatternFault: Error, Equatable, Sendable {
    public var reason: String
}

/// A step of the machine that a pattern becomes.
enum TextPatternStep: Sendable {
    case byte(ByteSet)
    case assert(TextPlace)
    case split(Int, Int)
    case jump(Int)
    case match
}

/// Something that is true of a place between two bytes.
enum TextPlace: Sendable {
    case start, end, wordBoundary, noWordBoundary

    func holds(at index: Int, in bytes: [UInt8]) -> Bool {
        switch self {
        case .start: return index == 0
        case .end: return index == bytes.count
        case .wordBoundary, .noWordBoundary:
            let before = index > 0 && ByteSet.word.contains(bytes[index - 1])
            let after = index < bytes.count && ByteSet.word.contains(bytes[index])
            return (before != after) == (self == .wordBoundary)
        }
    }
}

/// A set of steps that remembers their order.
private struct StepSet {
    private(set) var steps: [Int] = []
    private var isMember: [Bool]

    init(count: Int) {
        isMember = Array(repeating: false, count: count)
    }

    /// `false` if it was there.
    mutating func insert(_ step: Int) -> Bool {
        if isMember[step] { return false }
        isMember[step] = true
        steps.append(step)
        return true
    }

    mutating func removeAll() {
        for step in steps { isMember[step] = false }
        steps.removeAll(keepingCapacity: true)
    }
}

/// A set of bytes.
struct ByteSet: Sendable, Equatable {
    private var words = SIMD4<UInt64>.zero

    init(_ bytes: some Sequence<UInt8> = []) {
        for byte in bytes { words[Int(byte >> 6)] |= 1 << UInt64(byte & 63) }
    }

    static let digit = ByteSet(UInt8(ascii: "0")...UInt8(ascii: "9"))
    static let space = ByteSet(" \t\n\r\u{B}\u{C}".utf8)
    static let word = ByteSet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_".utf8)
    static let anyButNewline = ByteSet([UInt8(ascii: "\n")]).inverted

    func contains(_ byte: UInt8) -> Bool { words[Int(byte >> 6)] & 1 << UInt64(byte & 63) != 0 }

    var inverted: ByteSet {
        var set = self
        set.words = ~words
        return set
    }

    mutating func formUnion(_ other: ByteSet) { words |= other.words }

    /// With the other case of every letter.
    var ignoringCase: ByteSet {
        var set = self
        for letter in UInt8(ascii: "a")...UInt8(ascii: "z") where contains(letter) || contains(letter - 32) {
            set.formUnion(ByteSet([letter, letter - 32]))
        }
        return set
    }
}
