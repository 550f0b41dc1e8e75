/// A part of the configuration that names each of its settings once. From that one list the file is read, the example
/// is printed and changes are found, so these cannot drift apart.
protocol SettingSection: Sendable, Equatable {
    /// The defaults.
    init()
    /// Shows every setting to a walker, in the order of the example.
    mutating func describe(to walker: inout some SettingWalker)
}

/// Something that goes through all settings: it may fill them, or only look.
protocol SettingWalker {
    mutating func value<Value: SettingValue>(_ value: inout Value, _ setting: Setting, in allowed: Allowed<Value>)

    /// A value that need not be there. The sample is what the example shows, commented out.
    mutating func optional<Value: SettingValue>(_ value: inout Value?, _ setting: Setting, sample: Value)

    /// A list of values, or one value alone.
    mutating func list<Value: SettingValue>(_ values: inout [Value], _ setting: Setting, canBeEmpty: Bool)

    /// A secret, under its key or in a file that is named under its key with `_file` behind.
    mutating func secret(_ secret: inout Secret?, _ setting: Setting)

    /// A list of mappings. The sample is what the example shows, commented out.
    mutating func records<Section: SettingSection>(_ records: inout [Section], _ setting: Setting, sample: Section)

    /// A mapping of names to values. The sample is what the example shows, commented out.
    mutating func table<Value: SettingValue>(
        _ values: inout [String: Value], _ setting: Setting, sample: (name: String, value: Value))

    /// A section that always applies.
    mutating func section<Section: SettingSection>(_ section: inout Section, _ setting: Setting)

    /// A section that turns something on by being there.
    mutating func optionalSection<Section: SettingSection>(_ section: inout Section?, _ setting: Setting)
}

extension SettingWalker {
    mutating func value<Value: SettingValue>(_ value: inout Value, _ setting: Setting) {
        self.value(&value, setting, in: .anything)
    }
}

/// The name of a setting and what an operator must know of it.
struct Setting {
    var key: String
    var documentation: String
    /// Whether a running server cannot take over a change.
    var needsRestart = false
    /// Whether there is no default.
    var isRequired = false

    init(_ key: String, _ documentation: String, needsRestart: Bool = false, isRequired: Bool = false) {
        self.key = key
        self.documentation = documentation
        self.needsRestart = needsRestart
        self.isRequired = isRequired
    }

    /// The setting that names a file to read this one from.
    var file: Setting {
        Setting("\(key)_file", "The same, from a file.", needsRestart: needsRestart)
    }
}
