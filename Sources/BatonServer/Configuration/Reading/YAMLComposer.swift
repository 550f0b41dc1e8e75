import Yams

extension YAMLNode {
    /// Makes the tree of a text. `place` says where a line and a column of the text are.
    static func compose(
        _ text: String, place: @escaping (_ line: Int, _ column: Int) -> Place = { .line($0, column: $1) }
    ) -> YAMLDocument {
        var composer = YAMLComposer(text: text, place: place)
        do {
            let root = try composer.compose().map { try composer.convert($0, depth: 0) }
            return YAMLDocument(root: root ?? YAMLNode(.null, at: place(1, 1)), problems: [])
        } catch let problem as YAMLProblem {
            let message = problem.message + composer.advice(for: problem)
            let place = place(problem.line, problem.column)
            return YAMLDocument(root: nil, problems: [Problem(place: place, message: message)])
        } catch {
            return YAMLDocument(root: nil, problems: [Problem(place: place(1, 1), message: "\(error)")])
        }
    }
}

/// Why a text is not a tree.
private struct YAMLProblem: Error {
    var line: Int
    var column: Int
    var message: String
}

/// The one place that names Yams.
private struct YAMLComposer {
    private struct Position: Hashable {
        var line: Int
        var column: Int

        init(_ mark: Mark?) {
            line = mark?.line ?? 1
            column = mark?.column ?? 1
        }
    }

    private var text: String
    private let place: (Int, Int) -> YAMLNode.Place
    /// Keys that had to be renamed, and what they really say.
    private var renamedKeys: [Position: String] = [:]
    /// Aliases can make a tree much larger than its text.
    private var nodesLeft = 100_000

    init(text: String, place: @escaping (Int, Int) -> YAMLNode.Place) {
        self.text = text
        self.place = place
    }

    /// Yams gives up at a doubled key, where we want to hear of all mistakes. So the first of the two is renamed, until
    /// none is left that Yams can see.
    mutating func compose() throws -> Node? {
        while true {
            do {
                return try Parser(yaml: text, resolver: .basic, encoding: .utf8).singleRoot()
            } catch YamlError.duplicatedKeysInMapping(let keys, let context) {
                guard rename(keys, at: Position(context.mark)) else {
                    throw YAMLProblem(
                        line: context.mark.line, column: context.mark.column,
                        message: "the key '\(keys.sorted().first ?? "")' is there twice")
                }
            } catch let error as YamlError {
                throw problem(of: error)
            }
        }
    }

    /// Replaces the first letter by one nobody writes. `false` if the key is not written where it should be.
    private mutating func rename(_ keys: [String], at position: Position) -> Bool {
        guard renamedKeys.count < 256, let letter = Unicode.Scalar(0xE000 + renamedKeys.count) else { return false }
        // By scalars, for a "\r\n" is one character.
        var lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map(Array.init)
        guard lines.indices.contains(position.line - 1) else { return false }
        var line = lines[position.line - 1]
        let column = position.column - 1
        let start = line.indices.contains(column) && "\"'".unicodeScalars.contains(line[column]) ? column + 1 : column
        let text = line.dropFirst(start)
        guard let key = keys.first(where: { !$0.isEmpty && text.starts(with: $0.unicodeScalars) }) else { return false }
        line[start] = letter
        lines[position.line - 1] = line
        self.text = String(String.UnicodeScalarView(lines.joined(separator: ["\n"])))
        renamedKeys[position] = key
        return true
    }

    mutating func convert(_ node: Node, depth: Int) throws -> YAMLNode {
        let position = Position(node.mark)
        nodesLeft -= 1
        guard nodesLeft > 0, depth < 64 else {
            throw YAMLProblem(
                line: position.line, column: position.column, message: "this is too large for a configuration")
        }
        return YAMLNode(try content(of: node, depth: depth), at: place(position.line, position.column))
    }

    private mutating func content(of node: Node, depth: Int) throws -> YAMLNode.Content {
        switch node {
        case .scalar(let scalar):
            let isNull = scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
            return isNull ? .null : .scalar(scalar.string)
        case .sequence(let sequence):
            return .sequence(try sequence.map { try convert($0, depth: depth + 1) })
        case .mapping(let mapping):
            return .mapping(try mapping.map { try entry($0.key, $0.value, depth: depth) })
        case .alias:
            // The parser puts what an alias stands for in its place; only trees made by hand have these.
            return .null
        }
    }

    private mutating func entry(_ key: Node, _ value: Node, depth: Int) throws -> YAMLNode.Entry {
        let position = Position(key.mark)
        guard let name = renamedKeys[position] ?? key.scalar?.string else {
            throw YAMLProblem(line: position.line, column: position.column, message: "a key must be a plain word")
        }
        let value = try convert(value, depth: depth + 1)
        return YAMLNode.Entry(key: name, place: place(position.line, position.column), value: value)
    }

    private func problem(of error: YamlError) -> YAMLProblem {
        switch error {
        case .composer(_, let problem, let mark, _) where problem.contains("another document"):
            return YAMLProblem(
                line: mark.line, column: mark.column, message: "a second document starts here; one is allowed")
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let circumstance = context.map { " \($0.text) from line \($0.mark.line)" } ?? ""
            return YAMLProblem(line: mark.line, column: mark.column, message: "not YAML: \(problem)\(circumstance)")
        case .reader(let problem, let offset, _, _):
            let line = text.prefix(offset ?? 0).count { $0.isNewline } + 1
            return YAMLProblem(line: line, column: 1, message: "not YAML: \(problem)")
        default:
            return YAMLProblem(line: 1, column: 1, message: "not YAML: \(error)")
        }
    }

    /// The one mistake that everybody makes once.
    func advice(for problem: YAMLProblem) -> String {
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
        // The parser may notice only on the next line.
        let near = lines.dropFirst(max(0, problem.line - 2)).prefix(2)
        let isUnquoted = near.contains { $0.contains("]:") && !$0.contains("\"") && !$0.contains("'") }
        return isUnquoted ? "; an IPv6 address needs quotes: \"[::]:5300\"" : ""
    }
}
