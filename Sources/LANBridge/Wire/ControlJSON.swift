import NIOCore

/// A JSON object with plain members: what control messages are made of. Members that are objects or arrays are checked
/// and passed over, so that later versions may have them.
struct ControlJSON: Equatable, Sendable {
    enum Value: Equatable, Sendable {
        case text(String)
        case number(Int)
        case flag(Bool)
        /// Null, a fraction, an array or an object: nothing this version asks for.
        case other
    }

    static let maxDepth = 16
    static let maxMembers = 64

    private(set) var members: [String: Value] = [:]

    init() {}

    init(_ members: [String: Value]) {
        self.members = members
    }

    func text(_ name: String) -> String? {
        if case .text(let text) = members[name] { text } else { nil }
    }

    func number(_ name: String) -> Int? {
        if case .number(let number) = members[name] { number } else { nil }
    }

    func flag(_ name: String) -> Bool? {
        if case .flag(let flag) = members[name] { flag } else { nil }
    }

    /// Reads a text that is one object and nothing else; the first of two members with one name counts.
    init(_ bytes: ByteBufferView) throws(ControlError) {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .badJSON }
        var reader = Reader(text: Array(text.utf8))
        try reader.expect("{")
        var count = 0
        try reader.eachElement(until: "}") { (reader) throws(ControlError) in
            count += 1
            guard count <= Self.maxMembers else { throw .badJSON }
            let name = try reader.string()
            try reader.expect(":")
            let value = try reader.value(depth: 1)
            if members[name] == nil { members[name] = value }
        }
        guard reader.isAtEnd else { throw .badJSON }
    }

    /// The object as text, its members in order of their names.
    func encoded() -> String {
        let fields = members.sorted { $0.key < $1.key }.map { name, value in
            let text =
                switch value {
                case .text(let text): Self.quoted(text)
                case .number(let number): String(number)
                case .flag(let flag): flag ? "true" : "false"
                case .other: "null"
                }
            return Self.quoted(name) + ":" + text
        }
        return "{" + fields.joined(separator: ",") + "}"
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\" + String(scalar)
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

extension ControlJSON {
    /// Reads JSON from left to right (RFC 8259).
    private struct Reader {
        let text: [UInt8]
        private var position = 0

        init(text: [UInt8]) {
            self.text = text
        }

        private var next: UInt8? { position < text.count ? text[position] : nil }

        var isAtEnd: Bool {
            mutating get {
                skipSpace()
                return next == nil
            }
        }

        private mutating func skipSpace() {
            while let octet = next, [0x20, 0x09, 0x0A, 0x0D].contains(octet) { position += 1 }
        }

        private mutating func take(_ sign: Unicode.Scalar) -> Bool {
            skipSpace()
            guard let octet = next, UInt32(octet) == sign.value else { return false }
            position += 1
            return true
        }

        mutating func expect(_ sign: Unicode.Scalar) throws(ControlError) {
            if !take(sign) { throw .badJSON }
        }

        mutating func eachElement(
            until end: Unicode.Scalar, _ body: (inout Reader) throws(ControlError) -> Void
        ) throws(ControlError) {
            if take(end) { return }
            repeat { try body(&self) } while take(",")
            try expect(end)
        }

        mutating func value(depth: Int) throws(ControlError) -> Value {
            guard depth <= ControlJSON.maxDepth else { throw .badJSON }
            skipSpace()
            switch next {
            case UInt8(ascii: "\""): return .text(try string())
            case UInt8(ascii: "{"):
                position += 1
                try eachElement(until: "}") { (reader) throws(ControlError) in
                    _ = try reader.string()
                    try reader.expect(":")
                    _ = try reader.value(depth: depth + 1)
                }
                return .other
            case UInt8(ascii: "["):
                position += 1
                try eachElement(until: "]") { (reader) throws(ControlError) in _ = try reader.value(depth: depth + 1) }
                return .other
            default: return try plain()
            }
        }

        private mutating func plain() throws(ControlError) -> Value {
            let start = position
            while let octet = next, !",]} \t\n\r".utf8.contains(octet) { position += 1 }
            let word = String(decoding: text[start..<position], as: UTF8.self)
            switch word {
            case "true": return .flag(true)
            case "false": return .flag(false)
            case "null": return .other
            default:
                let digits = word.utf8.drop { $0 == UInt8(ascii: "-") }
                guard word.utf8.count - digits.count <= 1, let first = digits.first,
                    (0x30...0x39).contains(first), digits.allSatisfy({ "0123456789.eE+-".utf8.contains($0) }),
                    Double(word) != nil,
                    first != 0x30 || digits.count == 1 || !(0x30...0x39).contains(digits.dropFirst().first ?? 0)
                else { throw .badJSON }
                return Int(word).map(Value.number) ?? .other
            }
        }

        mutating func string() throws(ControlError) -> String {
            try expect("\"")
            var scalars = [UInt8]()
            while let octet = next {
                position += 1
                switch octet {
                case UInt8(ascii: "\""): return String(decoding: scalars, as: UTF8.self)
                case 0..<0x20: throw .badJSON
                case UInt8(ascii: "\\"): scalars += Array(String(try escape()).utf8)
                default: scalars.append(octet)
                }
            }
            throw .badJSON
        }

        private mutating func escape() throws(ControlError) -> Unicode.Scalar {
            guard let letter = next else { throw .badJSON }
            position += 1
            switch letter {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(letter)
            case UInt8(ascii: "b"): return "\u{8}"
            case UInt8(ascii: "f"): return "\u{C}"
            case UInt8(ascii: "n"): return "\n"
            case UInt8(ascii: "r"): return "\r"
            case UInt8(ascii: "t"): return "\t"
            case UInt8(ascii: "u"):
                let high = try unit()
                if let scalar = Unicode.Scalar(high) { return scalar }
                guard high < 0xDC00, next == UInt8(ascii: "\\") else { throw .badJSON }
                position += 1
                guard next == UInt8(ascii: "u") else { throw .badJSON }
                position += 1
                let low = try unit()
                guard (0xDC00...0xDFFF).contains(low),
                    let scalar = Unicode.Scalar(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
                else { throw .badJSON }
                return scalar
            default: throw .badJSON
            }
        }

        private mutating func unit() throws(ControlError) -> UInt32 {
            guard position + 4 <= text.count, text[position..<position + 4].allSatisfy({ $0 != UInt8(ascii: "+") }),
                let unit = UInt32(String(decoding: text[position..<position + 4], as: UTF8.self), radix: 16)
            else { throw .badJSON }
            position += 4
            return unit
        }
    }
}
