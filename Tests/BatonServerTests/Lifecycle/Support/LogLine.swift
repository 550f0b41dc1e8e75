import Foundation

extension LifecycleTests {
    /// A line of the server's log, in either format.
    struct LogLine {
        var text: String
        var level: String
        var fields: [String: String]

        init?(_ text: String) {
            self.text = text
            if text.hasPrefix("{") {
                guard let fields = try? JSONDecoder().decode([String: String].self, from: Data(text.utf8)),
                    let level = fields["level"]
                else { return nil }
                self.level = level
                self.fields = fields
            } else {
                let words = text.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
                guard words.count == 3, words[0].hasSuffix("Z"), words[0].contains("T") else { return nil }
                level = String(words[1])
                fields = [:]
                for match in words[2].matches(of: /([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ "]+)/) {
                    fields[String(match.1)] = match.2.trimmingCharacters(in: ["\""])
                }
            }
        }

        var event: String? { fields["event"] }
    }
}
