/// Fills the settings from a tree and keeps all that is wrong with it.
struct SettingReader {
    typealias Place = ConfigurationError.Diagnostic.Place

    /// The mapping that is being read.
    private struct Level {
        /// Ends with a dot where there is something before it.
        var prefix: String
        var place: Place
        var entries: [YAMLNode.Entry]
        var knownKeys: [String] = []
    }

    var problems: [Problem] = []
    private(set) var usedVariables: Set<String> = []
    private let environment: [String: String]
    private var level = Level(prefix: "", place: .wholeFile, entries: [])
    private var places: [String: Place] = [:]
    /// The settings that could not be read: what depends on them is not worth complaining about.
    private var failed: Set<String> = []

    init(environment: [String: String]) {
        self.environment = environment
    }

    mutating func read(_ configuration: inout Configuration, from root: YAMLNode) {
        guard let entries = entries(of: root, path: "the configuration") else {
            failed.insert("")
            return
        }
        walk(&configuration, level: Level(prefix: "", place: .wholeFile, entries: entries))
    }

    /// Reports that settings do not fit together, unless that follows from something reported already.
    mutating func report(_ complaint: Complaint) {
        let settings = complaint.paths.map { String($0.prefix { $0 != "[" }) }
        guard failed.isDisjoint(with: settings) else { return }
        let place = complaint.paths.firstNonNil { places[$0] } ?? settings.firstNonNil { places[$0] }
        problems.append(Problem(place: place ?? .wholeFile, message: complaint.message))
    }

    private mutating func fail(_ path: String, at place: Place, _ message: String) {
        failed.insert(String(path.prefix { $0 != "[" }))
        problems.append(Problem(place: place, message: message))
    }
}

// MARK: Mappings

extension SettingReader {
    private mutating func walk(_ section: inout some SettingSection, level inner: Level) {
        let outer = level
        level = inner
        section.describe(to: &self)
        reportUnknownKeys()
        level = outer
    }

    private mutating func reportUnknownKeys() {
        for entry in level.entries where !level.knownKeys.contains(entry.key) {
            let section = level.prefix.isEmpty ? "" : " in \(level.prefix.dropLast())"
            let advice =
                nearest(to: entry.key, among: level.knownKeys).map { "did you mean '\($0)'?" }
                ?? "it takes \(level.knownKeys.joined(separator: ", "))"
            // At the top a protocol may have been meant, so that none is there is not a second mistake.
            fail(level.prefix, at: entry.place, "unknown key '\(entry.key)'\(section); \(advice)")
        }
    }

    /// What was given for a setting, if anything was.
    private mutating func take(_ setting: Setting) -> YAMLNode? {
        let path = level.prefix + setting.key
        level.knownKeys.append(setting.key)
        let given = level.entries.filter { $0.key == setting.key }
        for (first, second) in zip(given, given.dropFirst()) {
            fail(path, at: second.place, "'\(path)' is there twice\(first.place.reference)")
        }
        if given.isEmpty, setting.isRequired { fail(path, at: level.place, "'\(path)' is missing") }
        places[path] = given.last?.value.place
        return given.last?.value
    }

    private mutating func entries(of node: YAMLNode, path: String) -> [YAMLNode.Entry]? {
        switch structure(of: node)?.content {
        case .mapping(let entries): return entries
        case .null: return []
        case nil:
            failed.insert(path)
            return nil
        default:
            fail(path, at: node.place, "\(path): \(node.kind) is not a mapping of keys to values")
            return nil
        }
    }

    /// The text of a variable is YAML where the setting is a list or a mapping. Anything else is left as it is.
    private mutating func structure(of node: YAMLNode) -> YAMLNode? {
        guard case .override(let text) = node.content else { return node }
        if text.isEmpty { return YAMLNode(.null, at: node.place) }
        let isFlow = text.hasPrefix("[") && text.hasSuffix("]") || text.hasPrefix("{") && text.hasSuffix("}")
        guard isFlow else { return node }
        let document = YAMLNode.compose(text) { _, _ in node.place }
        problems += document.problems
        return document.root
    }
}

extension SettingReader: SettingWalker {
    mutating func section<Section: SettingSection>(_ section: inout Section, _ setting: Setting) {
        let path = level.prefix + setting.key
        guard let node = take(setting), let entries = entries(of: node, path: path) else { return }
        walk(&section, level: Level(prefix: path + ".", place: node.place, entries: entries))
    }

    mutating func optionalSection<Section: SettingSection>(_ section: inout Section?, _ setting: Setting) {
        guard level.entries.contains(where: { $0.key == setting.key }) else {
            level.knownKeys.append(setting.key)
            return
        }
        var present = section ?? Section()
        self.section(&present, setting)
        section = present
    }

    mutating func records<Section: SettingSection>(_ records: inout [Section], _ setting: Setting, sample: Section) {
        let path = level.prefix + setting.key
        guard let node = take(setting), let items = items(of: node) else { return }
        records = []
        for (index, item) in items.enumerated() {
            let path = "\(path)[\(index)]"
            guard let entries = entries(of: item, path: path) else { continue }
            var record = Section()
            walk(&record, level: Level(prefix: path + ".", place: item.place, entries: entries))
            records.append(record)
        }
    }

    mutating func table<Value: SettingValue>(
        _ values: inout [String: Value], _ setting: Setting, sample: (name: String, value: Value)
    ) {
        let path = level.prefix + setting.key
        guard let node = take(setting), let entries = entries(of: node, path: path) else { return }
        var read: [String: Value] = [:]
        for entry in entries {
            if read[entry.key] != nil { fail(path, at: entry.place, "'\(entry.key)' is there twice in \(path)") }
            read[entry.key] = self.read(Value.self, from: entry.value, path: "\(path).\(entry.key)", in: .anything)
        }
        values = read
    }

    // MARK: Values

    mutating func value<Value: SettingValue>(_ value: inout Value, _ setting: Setting, in allowed: Allowed<Value>) {
        guard let node = take(setting) else { return }
        value = read(Value.self, from: node, path: level.prefix + setting.key, in: allowed) ?? value
    }

    mutating func optional<Value: SettingValue>(_ value: inout Value?, _ setting: Setting, sample: Value) {
        guard let node = take(setting) else { return }
        value = read(Value.self, from: node, path: level.prefix + setting.key, in: .anything)
    }

    mutating func list<Value: SettingValue>(_ values: inout [Value], _ setting: Setting, canBeEmpty: Bool) {
        let path = level.prefix + setting.key
        guard let node = take(setting), let items = items(of: node) else { return }
        var read: [Value] = []
        for (index, item) in items.enumerated() {
            places["\(path)[\(index)]"] = item.place
            if let value = self.read(Value.self, from: item, path: path, in: .anything) { read.append(value) }
        }
        if items.isEmpty, !canBeEmpty { fail(path, at: node.place, "\(path): at least one is needed: \(Value.kind)") }
        if !failed.contains(path) { values = read }
    }

    mutating func secret(_ secret: inout Secret?, _ setting: Setting) {
        let path = level.prefix + setting.key
        let (node, fileNode) = (take(setting), take(setting.file))
        if let node, let fileNode {
            let second = max(node.place, fileNode.place)
            fail(path, at: second, "\(path) and \(path)_file are both given; one is enough")
        }
        if let node, let text = text(of: node, path: path, kind: "a text") {
            secret = checked(Secret(text), path: path, at: node.place, origin: path)
        }
        if let fileNode, let name = text(of: fileNode, path: "\(path)_file", kind: "the name of a file") {
            do {
                let text = try readText(ofFile: name, atMost: 64 << 10)
                let trimmed = String(text.reversed().drop { $0.isNewline }.reversed())
                let origin = "\(path)_file: \(name)"
                secret = checked(Secret(trimmed), path: "\(path)_file", at: fileNode.place, origin: origin)
            } catch {
                fail("\(path)_file", at: fileNode.place, "\(path)_file: \(name): \(error.reason)")
            }
        }
    }

    /// The text itself must not be shown.
    private mutating func checked(_ secret: Secret, path: String, at place: Place, origin: String) -> Secret? {
        guard let fault = secret.fault else { return secret }
        fail(path, at: place, "\(origin) \(fault)")
        return nil
    }

    /// The items of a list; a value alone is a list of one.
    private mutating func items(of node: YAMLNode) -> [YAMLNode]? {
        guard let node = structure(of: node) else { return nil }
        switch node.content {
        case .null: return []
        case .sequence(let items): return items
        default: return [node]
        }
    }

    private mutating func read<Value: SettingValue>(
        _ type: Value.Type, from node: YAMLNode, path: String, in allowed: Allowed<Value>
    ) -> Value? {
        guard let text = text(of: node, path: path, kind: Value.kind) else { return nil }
        do {
            let value = try Value(setting: text)
            if allowed.contains(value) { return value }
            fail(path, at: node.place, "\(path): '\(text)' is not \(allowed.text ?? "allowed")")
        } catch {
            fail(path, at: node.place, "\(path): '\(text)' is not \(Value.kind)\(error.advice.map { "; \($0)" } ?? "")")
        }
        return nil
    }

    /// The text of a scalar, with its variables replaced.
    private mutating func text(of node: YAMLNode, path: String, kind: String) -> String? {
        switch node.content {
        case .override(let text): return text
        case .scalar(let raw):
            do {
                let expansion = try VariableExpansion(of: raw, from: environment)
                usedVariables.formUnion(expansion.names)
                return expansion.text
            } catch {
                fail(path, at: node.place, "\(path): \(error.reason)")
            }
        case .null: fail(path, at: node.place, "\(path) has no value; it takes \(kind)")
        case .sequence, .mapping: fail(path, at: node.place, "\(path): \(node.kind) is not \(kind)")
        }
        return nil
    }
}

extension ConfigurationError.Diagnostic.Place {
    fileprivate var reference: String {
        switch self {
        case .line(let line, _): ", also on line \(line)"
        case .variable(let name): ", also as \(name)"
        case .wholeFile: ""
        }
    }
}

extension Sequence {
    fileprivate func firstNonNil<Result>(_ transform: (Element) -> Result?) -> Result? {
        for element in self {
            if let result = transform(element) { return result }
        }
        return nil
    }
}
