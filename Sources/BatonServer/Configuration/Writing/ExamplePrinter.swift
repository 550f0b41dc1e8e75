extension Configuration {
    /// A file with every setting, its meaning and its default.
    package static func example() -> String {
        var printer = ExamplePrinter()
        var configuration = complete
        configuration.describe(to: &printer)
        return ExamplePrinter.heading + printer.lines.joined(separator: "\n") + "\n"
    }
}

/// Prints settings as commented YAML.
struct ExamplePrinter: SettingWalker {
    fileprivate static let heading = """
        # Baton's configuration: every setting with its default. What you leave out keeps its default; a protocol is served
        # when its section is there. Check a file with: baton check-config FILE
        #
        # Sizes:      512, 64KiB, 1MiB, 1GiB; 64KB, 1MB, 1GB count in thousands.
        # Durations:  500ms, 30s, 5m, 2h, 1d, and sums such as 1m30s.
        # Variables:  ${NAME} in a value becomes that variable of the environment; $${ is a plain ${.
        # Overrides:  BATON_SECTION__KEY in the environment goes before the file, as in BATON_JSON__MAX_FRAME=2MiB,
        #             BATON_DRAIN_TIMEOUT=1m or BATON_JSON__LISTEN='["0.0.0.0:5300", "[::]:5300"]'; it turns its section on.
        # Reload:     SIGHUP reads the file again and ends no connection. What is marked [restart], and sections that come
        #             or go, wait for the next start.

        """

    private var width = 118
    private(set) var lines: [String] = []
    private var indentation = ""
    /// Whether the keys of one record are shown, each with its meaning behind it.
    private var isRecord = false

    mutating func value<Value: SettingValue>(_ value: inout Value, _ setting: Setting, in allowed: Allowed<Value>) {
        // Several paragraphs tell of each word already.
        let isExplained = setting.documentation.contains("\n")
        let words = Value.self is any SettingChoice.Type && !isExplained ? Value.kind : nil
        show(setting, domain: allowed.text ?? words, [ExamplePrinter.scalar(value.settingText)])
    }

    mutating func optional<Value: SettingValue>(_ value: inout Value?, _ setting: Setting, sample: Value) {
        let text = ExamplePrinter.scalar((value ?? sample).settingText)
        show(setting, [text], isCommentedOut: value == nil)
    }

    mutating func list<Value: SettingValue>(_ values: inout [Value], _ setting: Setting, canBeEmpty: Bool) {
        let items = values.map { ExamplePrinter.scalar($0.settingText) }
        show(setting, [items.count == 1 ? items[0] : "[\(items.joined(separator: ", "))]"])
    }

    mutating func secret(_ secret: inout Secret?, _ setting: Setting) {
        show(setting, ["${SOME_VARIABLE}"], isCommentedOut: true)
        show(setting.file, ["/run/secrets/baton_\(setting.key)"], isCommentedOut: true)
    }

    mutating func records<Section: SettingSection>(_ records: inout [Section], _ setting: Setting, sample: Section) {
        var printer = ExamplePrinter()
        printer.isRecord = true
        var sample = sample
        sample.describe(to: &printer)
        let shown = printer.lines.enumerated().map { "# \($0.offset == 0 ? "-" : " ") \($0.element)" }
        show(setting, ["[]"] + shown)
    }

    mutating func table<Value: SettingValue>(
        _ values: inout [String: Value], _ setting: Setting, sample: (name: String, value: Value)
    ) {
        show(setting, ["{}", "#   \(sample.name): \(ExamplePrinter.scalar(sample.value.settingText))"])
    }

    mutating func section<Section: SettingSection>(_ section: inout Section, _ setting: Setting) {
        var heading = setting
        heading.needsRestart = false
        show(heading, [""])
        let outer = indentation
        indentation += "  "
        section.describe(to: &self)
        indentation = outer
    }

    mutating func optionalSection<Section: SettingSection>(_ section: inout Section?, _ setting: Setting) {
        if var present = section { return self.section(&present, setting) }
        var printer = ExamplePrinter()
        printer.width = width - indentation.count - 2
        var sample = Section()
        printer.section(&sample, setting)
        // The section's own comment needs no second mark.
        let all = printer.lines.drop(while: \.isEmpty)
        let isComment = { (line: String) in line.hasPrefix("# ") }
        let shown = all.prefix(while: isComment) + all.drop(while: isComment).map { $0.isEmpty ? "#" : "# \($0)" }
        lines += [""] + shown.map { indentation + $0 }
    }

    /// The first text is what stands behind the key, the others are lines below it.
    private mutating func show(
        _ setting: Setting, domain: String? = nil, _ texts: [String], isCommentedOut: Bool = false
    ) {
        var comment = setting.documentation
        if let domain { comment += " (\(domain))" }
        if setting.needsRestart { comment += " [restart]" }
        var texts = texts
        texts[0] = "\(setting.key):" + (texts[0].isEmpty ? "" : " " + texts[0])
        if isRecord {
            lines.append("\(texts[0])  # \(comment)")
            return
        }
        if isCommentedOut { texts[0] = "# " + texts[0] }
        let comments = comment.split(separator: "\n").flatMap {
            ExamplePrinter.wrap($0, to: width - indentation.count).map { "# " + $0 }
        }
        let isFirst = lines.last?.hasSuffix(":") ?? false
        lines += (isFirst ? [] : [""]) + (comments + texts).map { indentation + $0 }
    }

    private static func wrap(_ text: Substring, to width: Int) -> [String] {
        text.split(separator: " ").reduce(into: []) { lines, word in
            if let last = lines.last, last.count + 1 + word.count <= width {
                lines[lines.count - 1] = last + " " + word
            } else {
                lines.append(String(word))
            }
        }
    }

    /// Quotes what YAML could take for something else.
    private static func scalar(_ text: String) -> String {
        let isPlain = text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_./-".contains($0)) }
        if isPlain, !text.isEmpty { return text }
        return "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
