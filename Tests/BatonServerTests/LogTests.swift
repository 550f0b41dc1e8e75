import Foundation
import Logging
import NIOConcurrencyHelpers
import RelayCore
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
            LineLogHandler(format: format, settings: LogSettings(.init())) { line in
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
        let settings = LogSettings(.init())
        settings.level = .warning
        let lines = Lines()
        let logger = Logger(label: "test") { _ in
            LineLogHandler(format: .text, settings: settings) { line in lines.all.withLockedValue { $0.append(line) } }
        }
        logger.info("hidden")
        settings.level = .debug
        logger.debug("shown")
        #expect(lines.all.withLockedValue { $0.count } == 1)
    }

    // MARK: Addresses

    @Test func addressesCanBeHidden() throws {
        let settings = LogSettings(.init())
        let lines = Lines()
        let logger = Logger(label: "test") { _ in
            LineLogHandler(format: .text, settings: settings) { line in lines.all.withLockedValue { $0.append(line) } }
        }
        let log = ListenerLog(logger, protocolName: "json")
        let one = try #require(IPAddress("203.0.113.7").map { Endpoint(address: $0, port: 1000) })
        let other = try #require(IPAddress("203.0.113.7").map { Endpoint(address: $0, port: 2000) })
        let stranger = try #require(IPAddress("203.0.113.8").map { Endpoint(address: $0, port: 1000) })
        func words(_ endpoint: Endpoint) -> String {
            log.refused(endpoint, .banned)
            let line = lines.all.withLockedValue { $0.removeLast() }
            return line.firstMatch(of: /address="?([^ "]+)/).map { String($0.1) } ?? ""
        }
        #expect(words(one) == "203.0.113.7:1000")
        var hashed = Configuration.Log()
        hashed.addresses = .hashed
        try settings.take(hashed)
        #expect(words(one).wholeMatch(of: /#[0-9a-f]{12}/) != nil)
        #expect(words(one) == words(other) && words(one) != words(stranger))
        let next = LogSettings(hashed)
        #expect(
            next.text(of: StrangerAddress(one)) != settings.text(of: StrangerAddress(one)), "another run, another key")
        log.listening(on: one)
        #expect(lines.all.withLockedValue { $0.last?.contains("address=203.0.113.7:1000") } == true, "it is our own")
    }

    // MARK: Many lines

    @Test func whatOneRepeatsLeavesRoomForOthers() throws {
        let lines = Lines()
        let logger = Logger(label: "test") { _ in
            LineLogHandler(format: .text, settings: LogSettings(.init())) { line in
                lines.all.withLockedValue { $0.append(line) }
            }
        }
        let log = ListenerLog(logger, protocolName: "json")
        let endpoint = try #require(IPAddress("203.0.113.7").map { Endpoint(address: $0, port: 1000) })
        for _ in 0..<5000 { log.refused(endpoint, .banned) }
        log.refused(endpoint, .serverFull)
        let all = lines.all.withLockedValue { $0 }
        #expect((200..<1000).contains(all.count))
        #expect(all.last?.contains("reason=server_full") == true)
        #expect(all.last?.contains("suppressed_lines") == false, "nothing of its kind was left out")
    }

    // MARK: A file

    @Test func aFileThatWasMovedAwayIsMadeAnew() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "baton-log-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (file, old) = (folder.appending(path: "baton.log"), folder.appending(path: "baton.log.1"))
        var configuration = Configuration.Log()
        configuration.file = file.path
        let output = try LogOutput(path: file.path)
        let settings = LogSettings(configuration, output: output)
        output.write("one\n")
        try FileManager.default.moveItem(at: file, to: old)
        output.write("two\n")
        try settings.take(configuration)
        output.write("three\n")
        #expect(try String(contentsOf: old, encoding: .utf8) == "one\ntwo\n")
        #expect(try String(contentsOf: file, encoding: .utf8) == "three\n")

        configuration.file = folder.appending(path: "nowhere/baton.log").path
        configuration.level = .error
        #expect(throws: BatonError.self) { try settings.take(configuration) }
        #expect(settings.level == .info, "nothing of it is taken over")
        output.write("four\n")
        #expect(try String(contentsOf: file, encoding: .utf8) == "three\nfour\n")
        #expect(throws: BatonError.self) { _ = try LogOutput(path: folder.path) }
    }
}
