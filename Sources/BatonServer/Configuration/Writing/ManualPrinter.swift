extension Configuration {
    /// The manual page baton.yaml(5), in mdoc(7).
    package static func manual() -> String {
        var printer = ManualPrinter()
        var configuration = complete
        configuration.describe(to: &printer)
        let sections = printer.sections.filter { !$0.entries.isEmpty }
        return ManualPrinter.beginning + sections.map(\.text).joined() + ManualPrinter.end
    }
}

/// Prints settings as the entries of a manual page, a subsection for each section.
struct ManualPrinter: SettingWalker {
    struct Section {
        /// `netplay.rooms`; empty for what is in no section.
        var path: String
        var documentation: String
        var entries: [String] = []

        fileprivate var text: String {
            ".Ss \(path.isEmpty ? "Settings in no section" : path)\n\(Roff.paragraphs(documentation))"
                + ".Bl -tag -width Ds\n\(entries.joined()).El\n"
        }
    }

    private(set) var sections = [Section(path: "", documentation: "They stand at the beginning of a line.")]
    /// Index of the section that is walked through.
    private var current = 0
    /// Whether values are samples and no defaults.
    private var isRecord = false

    mutating func value<Value: SettingValue>(_ value: inout Value, _ setting: Setting, in allowed: Allowed<Value>) {
        add(setting, kind: allowed.text ?? Value.kind, default: value.settingText)
    }

    mutating func optional<Value: SettingValue>(_ value: inout Value?, _ setting: Setting, sample: Value) {
        add(setting, kind: Value.kind, default: value?.settingText)
    }

    mutating func list<Value: SettingValue>(_ values: inout [Value], _ setting: Setting, canBeEmpty: Bool) {
        let items = values.map(\.settingText)
        add(
            setting, kind: "\(Value.kind), or a list of them",
            default: items.isEmpty ? nil : items.joined(separator: ", "))
    }

    mutating func secret(_ secret: inout Secret?, _ setting: Setting) {
        add(setting, kind: "a text", default: nil)
        add(setting.file, kind: "the name of a file", default: nil)
    }

    mutating func records<Section: SettingSection>(_ records: inout [Section], _ setting: Setting, sample: Section) {
        var printer = ManualPrinter()
        printer.isRecord = true
        var sample = sample
        sample.describe(to: &printer)
        let keys = printer.sections[0].entries.joined()
        let nested = ".Pp\nEach has:\n.Bl -tag -width Ds\n\(keys).El\n"
        add(setting, kind: "a list", default: nil, followedBy: nested)
    }

    mutating func table<Value: SettingValue>(
        _ values: inout [String: Value], _ setting: Setting, sample: (name: String, value: Value)
    ) {
        add(setting, kind: "names, each with \(Value.kind)", default: nil)
    }

    mutating func section<Section: SettingSection>(_ section: inout Section, _ setting: Setting) {
        let outer = current
        let path = sections[outer].path.isEmpty ? setting.key : "\(sections[outer].path).\(setting.key)"
        sections.append(ManualPrinter.Section(path: path, documentation: setting.documentation))
        current = sections.count - 1
        section.describe(to: &self)
        current = outer
    }

    mutating func optionalSection<Section: SettingSection>(_ section: inout Section?, _ setting: Setting) {
        var present = section ?? Section()
        self.section(&present, setting)
    }

    private mutating func add(_ setting: Setting, kind: String, default text: String?, followedBy nested: String = "") {
        var entry = ".It Ic \(Roff.word(setting.key))\n" + Roff.paragraphs(setting.documentation)
        var facts = [kind.prefix(1).uppercased() + kind.dropFirst()]
        if let text, !text.isEmpty { facts.append("\(isRecord ? "for example" : "default") \(text)") }
        if setting.isRequired { facts.append("must be given") }
        if setting.needsRestart { facts.append("a change waits for a restart") }
        entry += ".Pp\n" + Roff.line(facts.joined(separator: "; ") + ".") + nested
        sections[current].entries.append(entry)
    }
}

extension ManualPrinter {
    fileprivate static let beginning = """
        .Dd $Mdocdate$
        .Dt BATON.YAML 5
        .Os Baton
        .Sh NAME
        .Nm baton.yaml
        .Nd configuration of the relay server Baton
        .Sh DESCRIPTION
        .Xr baton-serve 1
        reads
        .Pa ./baton.yaml ,
        else
        .Pa /etc/baton/baton.yaml ,
        unless it is told another file.
        The file is strict YAML: an unknown key, a value of the wrong kind or a doubled key stops the start with exit code 78.
        .Xr baton-check-config 1
        tells all mistakes at once, each with its line;
        .Xr baton-config-example 1
        prints a file with every setting.
        .Pp
        A protocol is served when its section is there, be it empty.
        What is left out keeps its default.
        .Bl -tag -width Ds
        .It Sizes
        512, 64KiB, 1MiB, 1GiB; 64KB, 1MB, 1GB count in thousands.
        .It Durations
        500ms, 30s, 5m, 2h, 1d, and sums such as 1m30s.
        .It Variables
        .Li ${NAME}
        in a value becomes that variable of the environment;
        .Li $${
        is a plain
        .Li ${ .
        .El
        .Pp
        SIGHUP reads the file again.
        With a mistake in it nothing changes; no connection ends either way.
        .Sh SETTINGS

        """

    fileprivate static let end = """
        .Sh ENVIRONMENT
        .Bl -tag -width Ds
        .It Ev BATON_SECTION__KEY
        goes before the file and turns its section on; what is in no section has no
        .Li __ .
        Lists are one value or YAML in brackets, tables are YAML in braces:
        .Li BATON_JSON__LISTEN='[\\(dq0.0.0.0:5300\\(dq, \\(dq[::]:5300\\(dq]' .
        .El
        .Sh FILES
        .Bl -tag -width Ds
        .It Pa /etc/baton/baton.yaml
        The configuration of the system's service.
        .It Pa /var/lib/baton
        Where the system's service keeps what outlives it.
        .El
        .Sh EXAMPLES
        A relay for RetroArch with a lobby that survives a restart:
        .Bd -literal -offset indent
        netplay:
        lobby:
          database: /var/lib/baton/lobby.sqlite
        admin:
        .Ed
        .Sh SEE ALSO
        .Xr baton 1 ,
        .Xr baton-serve 1

        """
}

/// Text for roff.
private enum Roff {
    /// A line of text, whatever is in it.
    static func line(_ text: some StringProtocol) -> String {
        var line = String(text).replacing("\\", with: "\\e").replacing("-", with: "\\-")
        if line.hasPrefix(".") || line.hasPrefix("'") { line = "\\&" + line }
        return line + "\n"
    }

    static func word(_ text: String) -> String {
        text.replacing("\\", with: "\\e")
    }

    /// Of each line of the text a paragraph of the page, of each sentence a line: roff knows where one ends by that.
    static func paragraphs(_ text: String) -> String {
        text.split(separator: "\n").map { paragraph in
            paragraph.replacing(/([.!?]) +/) { "\($0.1)\n" }.split(separator: "\n").map { line($0) }.joined()
        }.joined(separator: ".Pp\n")
    }
}
