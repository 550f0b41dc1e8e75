import Foundation
import Logging
import NIOConcurrencyHelpers
import Testing

@testable import BatonServer

@Suite("Log lines")
struct LogTests {
    private final class Lines: Sendable {
        let all = NIOLockedValueBox<[String]>([])
    }

    private func line(_ format: Configuration.Log.Format, _ body: (Logger) -> Void) -> String {
        let lines = Lines()
        let logger = Logger(label: "test") { _ in
            LineLogHandler(format: format, level: LogLevel(.info)) { line in
                lines.all.withLockedValue { $0.append(line) }
            }
        }
        body(logger)
        return lines.all.withLockedValue { $0.joined() }
    }

    @Test func textPutsWhoBeforeWhat() {
        let text = line(.text) {
            $0.info(
                "gone",
                metadata: ["event": "left", "reason": "idle", "peer": "3.0", "protocol": "json", "extra": "1 2"])
        }
        #expect(text.hasSuffix(" info gone protocol=json peer=3.0 reason=idle extra=\"1 2\" event=left\n"))
    }

    @Test func strangersCannotBreakALine() {
        let nasty = "a\nb\u{1B}[2J\u{202E}\"\\\u{7F}"
        let text = line(.text) { $0.info("x", metadata: ["nick": "\(nasty)"]) }
        #expect(text.filter(\.isNewline).count == 1)
        #expect(text.unicodeScalars.dropLast().allSatisfy { $0.properties.generalCategory != .control })
        #expect(!text.unicodeScalars.contains("\u{202E}"))
    }

    @Test func jsonCanBeRead() throws {
        let nasty = "a\nb\u{1B}\u{202E}\"\\\u{1F600}"
        let text = line(.json) { $0.warning("odd", metadata: ["nick": "\(nasty)"]) }
        let object = try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: String])
        #expect(object["nick"] == nasty)
        #expect(object["level"] == "warning")
        #expect(object["message"] == "odd")
    }

    @Test func levelIsSharedAndCanChange() {
        let level = LogLevel(.warning)
        let lines = Lines()
        let logger = Logger(label: "test") { _ in
            LineLogHandler(format: .text, level: level) { line in lines.all.withLockedValue { $0.append(line) } }
        }
        logger.info("hidden")
        level.current = .debug
        logger.debug("shown")
        #expect(lines.all.withLockedValue { $0.count } == 1)
    }
}
