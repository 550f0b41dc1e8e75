/// A YAML value that knows where it was written.
struct YAMLNode {
    typealias Place = ConfigurationError.Diagnostic.Place

    enum Content {
        case null
        case scalar(String)
        /// The text of a variable, which becomes what the setting it is for wants.
        case override(String)
        case sequence([YAMLNode])
        /// In the order of the file, doubled keys included.
        case mapping([Entry])
    }

    struct Entry {
        var key: String
        var place: Place
        var value: YAMLNode
    }

    var content: Content
    var place: Place

    init(_ content: Content, at place: Place) {
        self.content = content
        self.place = place
    }

    /// For people.
    var kind: String {
        switch content {
        case .null: "nothing"
        case .scalar, .override: "a single value"
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }
}

/// The tree of a text, as far as there is one, and what is wrong with the text.
struct YAMLDocument {
    /// `nil` if the text is not YAML.
    var root: YAMLNode?
    var problems: [Problem]
}
