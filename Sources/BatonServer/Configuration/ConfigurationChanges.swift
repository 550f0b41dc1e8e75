extension Configuration {
    /// The settings and sections in which this differs from what a server runs with, and which it cannot take over
    /// while it runs. Whatever else differs, it can.
    package func changesNeedingRestart(from old: Configuration) -> [String] {
        let old = SettingRecorder(old).settings.filter(\.needsRestart)
        let new = SettingRecorder(self).settings.filter(\.needsRestart)
        let oldTexts = Dictionary(old.map { ($0.path, $0.text) }, uniquingKeysWith: { first, _ in first })
        let newTexts = Dictionary(new.map { ($0.path, $0.text) }, uniquingKeysWith: { first, _ in first })
        var changed: [String] = []
        for path in old.map(\.path) + new.map(\.path).filter({ oldTexts[$0] == nil })
        where oldTexts[path] != newTexts[path] {
            // What a section holds need not be named when the section itself came or went.
            if !changed.contains(where: { path.hasPrefix($0 + ".") }) { changed.append(path) }
        }
        return changed
    }
}

/// Writes down every setting with its value as text.
struct SettingRecorder: SettingWalker {
    struct Recorded {
        var path: String
        /// `nil` for a setting without a value.
        var text: String?
        var needsRestart: Bool
    }

    private(set) var settings: [Recorded] = []
    private var prefix = ""

    init(_ configuration: Configuration) {
        var configuration = configuration
        configuration.describe(to: &self)
    }

    mutating func value<Value: SettingValue>(_ value: inout Value, _ setting: Setting, in allowed: Allowed<Value>) {
        record(setting, value.settingText)
    }

    mutating func optional<Value: SettingValue>(_ value: inout Value?, _ setting: Setting, sample: Value) {
        record(setting, value?.settingText)
    }

    mutating func list<Value: SettingValue>(_ values: inout [Value], _ setting: Setting, canBeEmpty: Bool) {
        record(setting, values.map(\.settingText).joined(separator: "\n"))
    }

    mutating func secret(_ secret: inout Secret?, _ setting: Setting) {
        record(setting, secret?.text)
        record(setting.file, nil)
    }

    mutating func records<Section: SettingSection>(_ records: inout [Section], _ setting: Setting, sample: Section) {
        record(setting, "\(records)")
    }

    mutating func table<Value: SettingValue>(
        _ values: inout [String: Value], _ setting: Setting, sample: (name: String, value: Value)
    ) {
        record(setting, values.map { "\($0.key): \($0.value.settingText)" }.sorted().joined(separator: "\n"))
    }

    mutating func section<Section: SettingSection>(_ section: inout Section, _ setting: Setting) {
        let outer = prefix
        prefix += setting.key + "."
        section.describe(to: &self)
        prefix = outer
    }

    mutating func optionalSection<Section: SettingSection>(_ section: inout Section?, _ setting: Setting) {
        guard var present = section else { return }
        record(setting, "enabled")
        self.section(&present, setting)
    }

    private mutating func record(_ setting: Setting, _ text: String?) {
        settings.append(Recorded(path: prefix + setting.key, text: text, needsRestart: setting.needsRestart))
    }
}
