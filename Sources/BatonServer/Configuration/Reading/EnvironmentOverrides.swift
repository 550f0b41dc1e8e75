/// The variables that go before the file: `BATON_SECTION__KEY`, `BATON_SECTION__SECTION__KEY`, or `BATON_KEY` for what is in no section.
struct EnvironmentOverrides {
    private static let prefix = "BATON_"
    private static let topLevelKeys = Set(
        SettingRecorder(.complete).settings.map { String($0.path.prefix { $0 != "." }) }
    ).sorted()

    /// Sorted by name.
    private let variables: [(name: String, path: [String], text: String)]
    /// Variables that have our prefix by chance, or by a slip: orchestrators make such names of those of services.
    let unrelated: Set<String>

    init(_ environment: [String: String]) {
        let ours = environment.filter { $0.key.hasPrefix(EnvironmentOverrides.prefix) }.sorted { $0.key < $1.key }
        let split = ours.map { name, text in
            (name: name, path: EnvironmentOverrides.path(of: name), text: text)
        }
        variables = split.filter { $0.path.count > 1 || EnvironmentOverrides.topLevelKeys.contains($0.path[0]) }
        unrelated = Set(ours.map(\.key)).subtracting(variables.map(\.name))
    }

    /// Puts the variables into the tree of a file, from where they are read like everything else.
    func apply(to root: inout YAMLNode) -> [Problem] {
        // Whoever reads the file will say that it is of no use at all.
        guard root.isMapping else { return [] }
        return variables.compactMap { name, path, text in
            let node = YAMLNode(.override(text), at: .variable(name))
            if root.put(node, at: path[...]) { return nil }
            let (section, key) = (path.dropLast().joined(separator: "."), path[path.count - 1])
            return Problem(place: node.place, message: "'\(section)' is not a section that could hold '\(key)'")
        }
    }

    func warning(about name: String) -> Problem {
        let key = EnvironmentOverrides.path(of: name)[0]
        let advice = nearest(to: key, among: EnvironmentOverrides.topLevelKeys).map {
            "; did you mean '\(EnvironmentOverrides.prefix)\($0.uppercased())'?"
        }
        return Problem(place: .variable(name), message: "names no setting and is ignored" + (advice ?? ""))
    }

    /// Of the sections, if there are any, and the key.
    private static func path(of name: String) -> [String] {
        String(name.dropFirst(prefix.count)).lowercased().split(separator: "__", omittingEmptySubsequences: false)
            .map { String($0) }
    }
}

extension YAMLNode {
    /// Nothing is an empty mapping.
    fileprivate var isMapping: Bool {
        switch content {
        case .mapping, .null: true
        default: false
        }
    }

    /// Puts a node where a path leads, in place of what is there; `false` if the way is barred by something else than a
    /// mapping.
    fileprivate mutating func put(_ node: YAMLNode, at path: ArraySlice<String>) -> Bool {
        guard let key = path.first else {
            self = node
            return true
        }
        if case .null = content { content = .mapping([]) }
        guard case .mapping(var entries) = content else { return false }
        if let index = entries.lastIndex(where: { $0.key == key }) {
            guard entries[index].value.put(node, at: path.dropFirst()) else { return false }
        } else {
            var value = YAMLNode(.null, at: node.place)
            guard value.put(node, at: path.dropFirst()) else { return false }
            entries.append(Entry(key: key, place: node.place, value: value))
        }
        content = .mapping(entries)
        return true
    }
}
