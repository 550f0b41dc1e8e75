package import Logging

/// Writes each log entry as one line: `TIME LEVEL MESSAGE key=value ...`, or one JSON object.
///
/// What strangers send can end up in a line, so anything that could end it or move the cursor is escaped.
package struct LineLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    private let format: Configuration.Log.Format
    private let settings: LogSettings
    private let feed: EventFeed?
    private let write: @Sendable (String) -> Void

    package init(
        format: Configuration.Log.Format, settings: LogSettings, feed: EventFeed? = nil,
        write: @escaping @Sendable (String) -> Void = StandardError.write
    ) {
        self.format = format
        self.settings = settings
        self.feed = feed
        self.write = write
    }

    /// Follows the shared level; a logger cannot have one of its own. Events reach the feed even if no line is written.
    package var logLevel: Logger.Level {
        get { feed == nil ? settings.threshold : min(settings.threshold, .info) }
        set {}
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var fields = metadata
        if let own = event.metadata { fields.merge(own) { _, new in new } }
        let ordered = fields.map { ($0.key, text(of: $0.value)) }.sorted { Self.order($0.0) < Self.order($1.0) }
        if event.level >= .info { feed?.note(event.level, "\(event.message)", ordered) }
        guard event.level >= settings.threshold else { return }
        let time = LogTime.now
        switch format {
        case .text: write(Self.text(time, event.level, "\(event.message)", ordered))
        case .json: write(Self.json(time, event.level, "\(event.message)", ordered))
        }
    }

    private func text(of value: Logger.Metadata.Value) -> String {
        guard case .stringConvertible(let value) = value, let address = value as? StrangerAddress else {
            return "\(value)"
        }
        return settings.text(of: address)
    }

    /// Who before what: the fields a reader looks for first come first.
    private static func order(_ key: String) -> (Int, String) {
        let first = ["protocol", "peer", "address", "reason"]
        return (first.firstIndex(of: key) ?? (key == "event" ? first.count + 1 : first.count), key)
    }

    private static func text(
        _ time: String, _ level: Logger.Level, _ message: String, _ fields: [(String, String)]
    ) -> String {
        var line = "\(time) \(level.rawValue) \(escaped(message))"
        for (key, value) in fields {
            let isPlain = !value.isEmpty && value.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }
            line += isPlain ? " \(key)=\(value)" : " \(key)=\"\(escaped(value))\""
        }
        return line + "\n"
    }

    private static func json(
        _ time: String, _ level: Logger.Level, _ message: String, _ fields: [(String, String)]
    ) -> String {
        let head = [("time", time), ("level", level.rawValue), ("message", message)]
        let members = (head + fields).map { "\"\(escaped($0.0))\":\"\(escaped($0.1))\"" }
        return "{\(members.joined(separator: ","))}\n"
    }

    /// Escapes as JSON does; control and format characters (which can reverse the direction of text) always.
    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": escaped += "\\\""
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            default:
                switch scalar.properties.generalCategory {
                case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned, .surrogate:
                    for unit in String(scalar).utf16 {
                        let digits = String(unit, radix: 16)
                        escaped += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                    }
                default:
                    escaped.unicodeScalars.append(scalar)
                }
            }
        }
        return escaped
    }
}
