/// A text in which each `${NAME}` has become what the environment says of it. `$${` stands for a `${` that stays.
struct VariableExpansion {
    struct Failure: Error {
        var reason: String
    }

    private(set) var text = ""
    /// The variables it was made of.
    private(set) var names: Set<String> = []

    init(of raw: String, from environment: [String: String]) throws(Failure) {
        var rest = raw[...]
        while let dollar = rest.firstRange(of: "${") {
            text += rest[..<dollar.lowerBound]
            rest = rest[dollar.upperBound...]
            if text.hasSuffix("$") {
                text += "{"
                continue
            }
            guard let end = rest.firstIndex(of: "}") else { throw Failure(reason: "'${' without '}'") }
            let name = String(rest[..<end])
            guard VariableExpansion.isName(name) else { throw Failure(reason: "'${\(name)}' names no variable") }
            guard let value = environment[name] else { throw Failure(reason: "the variable \(name) is not set") }
            names.insert(name)
            text += value
            rest = rest[rest.index(after: end)...]
        }
        text += rest
    }

    private static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, !first.isASCIIDigit else { return false }
        return text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
    }
}
