/// A kind of value that a setting can have.
protocol SettingValue: Sendable, Equatable {
    /// What it is, for people: "a duration such as 30s".
    static var kind: String { get }
    /// Reads the text of a scalar.
    init(setting text: String) throws(BadValue)
    /// The same value as text again.
    var settingText: String { get }
}

/// A text is not a value of the kind that was wanted.
struct BadValue: Error {
    /// What to do about it, where that can be told.
    var advice: String?
}

/// Which values of a kind a setting accepts.
struct Allowed<Value: Sendable>: Sendable {
    /// "between 1KiB and 64MiB"; `nil` if there is nothing to say.
    var text: String?
    var contains: @Sendable (Value) -> Bool

    static var anything: Allowed { Allowed(text: nil) { _ in true } }
}

extension Allowed where Value: SettingValue & Comparable {
    static func between(_ low: Value, _ high: Value) -> Allowed {
        Allowed(text: "between \(low.settingText) and \(high.settingText)") { low <= $0 && $0 <= high }
    }
}

extension Int: SettingValue {
    static var kind: String { "a whole number" }

    init(setting text: String) throws(BadValue) {
        guard text.utf8.allSatisfy(\.isASCIIDigit), let number = Int(text) else { throw BadValue() }
        self = number
    }

    var settingText: String { description }
}

extension Bool: SettingValue {
    static var kind: String { "true or false" }

    init(setting text: String) throws(BadValue) {
        guard let value = Bool(text) else { throw BadValue() }
        self = value
    }

    var settingText: String { description }
}

extension String: SettingValue {
    static var kind: String { "a text" }

    init(setting text: String) { self = text }

    var settingText: String { self }
}

/// One word of several.
protocol SettingChoice: SettingValue, CaseIterable, RawRepresentable<String> {}

extension SettingChoice {
    static var kind: String { "one of " + allCases.map(\.rawValue).joined(separator: ", ") }

    init(setting text: String) throws(BadValue) {
        guard let value = Self(rawValue: text) else {
            let meant = nearest(to: text, among: Self.allCases.map(\.rawValue))
            throw BadValue(advice: meant.map { "did you mean '\($0)'?" })
        }
        self = value
    }

    var settingText: String { rawValue }

}

extension UInt8 {
    var isASCIIDigit: Bool { (0x30...0x39).contains(self) }
}
