extension Duration: SettingValue {
    /// From long to short, which is the order they must be written in.
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    static var kind: String { "a duration such as 500ms, 30s, 1m30s, 2h or 1d" }

    init(setting text: String) throws(BadValue) {
        if text == "0" {
            self = .zero
            return
        }
        if !text.isEmpty, text.utf8.allSatisfy(\.isASCIIDigit) { throw BadValue(advice: "a number needs a unit") }
        guard let milliseconds = Duration.milliseconds(in: text) else { throw BadValue() }
        self = .milliseconds(milliseconds)
    }

    /// Parses what settings take, such as `500ms` or `1m30s`.
    package init?(_ text: String) {
        guard let duration = try? Duration(setting: text) else { return nil }
        self = duration
    }

    /// As settings have it, such as `1m30s`.
    package var text: String { settingText }

    /// `nil` also for more than an Int64 holds.
    private static func milliseconds(in text: String) -> Int64? {
        guard !text.isEmpty else { return nil }
        var rest = text[...]
        var unitsLeft = units[...]
        var total: Int64 = 0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.utf8.allSatisfy(\.isASCIIDigit) }
            rest.removeFirst(digits.count)
            let name = rest.prefix { !$0.utf8.allSatisfy(\.isASCIIDigit) }
            rest.removeFirst(name.count)
            guard let count = Int64(digits), let unit = unitsLeft.firstIndex(where: { $0.name == name })
            else { return nil }
            let (part, overflow) = count.multipliedReportingOverflow(by: units[unit].milliseconds)
            let (sum, carried) = total.addingReportingOverflow(part)
            if overflow || carried { return nil }
            total = sum
            unitsLeft = units[(unit + 1)...]
        }
        return total
    }

    /// In the fewest units; less than a millisecond cannot be written and is dropped.
    var settingText: String {
        var rest = components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
        var text = ""
        for unit in Duration.units where rest >= unit.milliseconds {
            text += "\(rest / unit.milliseconds)\(unit.name)"
            rest %= unit.milliseconds
        }
        return text.isEmpty ? "0" : text
    }
}
