import ArgumentParser
import BatonServer
import Foundation
import RelayCore

struct CtlBans: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bans", abstract: "Who is kept out. With --json, a list that import-bans takes.")

    @OptionGroup var options: CtlOptions

    private struct Answer: Decodable {
        struct Ban: Decodable {
            var id, subject, value, reason, author: String
            var `protocol`, expires: String?
        }

        var bans: [Ban]
    }

    func run() async throws {
        try await options.run("GET", "bans", as: Answer.self) { answer in
            let rows = answer.bans.map { ban in
                [ban.id, ban.subject, ban.value, ban.protocol ?? "all", ban.expires ?? "never", ban.author, ban.reason]
                    .map { cell($0) }
            }
            return Table(titles: ["BAN", "SUBJECT", "VALUE", "PROTOCOL", "EXPIRES", "BY", "REASON"], rows: rows).lines
        }
    }
}

struct CtlBan: AsyncParsableCommand {
    enum Subject: String, CaseIterable, ExpressibleByArgument {
        case address, name, room
    }

    static let configuration = CommandConfiguration(
        commandName: "ban", abstract: "Keeps somebody out, and parts from him if he is here.",
        discussion: "Names (ids, nicks) and rooms are patterns: * stands for any characters, ? for one.")

    @Argument(help: "address, name or room.")
    var subject: Subject

    @Argument(help: "An address such as 203.0.113.7, a block such as 203.0.113.0/24, or a pattern.")
    var value: String

    @Option(help: "What the banned are told.")
    var reason: String?

    @Option(name: .customLong("for"), help: "How long, such as 30m or 7d; for ever if it is left out.")
    var duration: Duration?

    @Option(name: .customLong("protocol"), help: "Only in this protocol; not for addresses.")
    var protocolName: String?

    @OptionGroup var options: CtlOptions

    private struct Answer: Decodable {
        var id: String
    }

    func run() async throws {
        var body = ["subject": subject.rawValue, "value": value]
        body["reason"] = reason
        body["protocol"] = protocolName
        body["expires"] = duration.map {
            Timestamp(seconds: Timestamp.now().seconds + $0.components.seconds).description
        }
        try await options.run("POST", "bans", body: body, as: Answer.self) { ["ban \(cell($0.id))"] }
    }
}

struct CtlUnban: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "unban", abstract: "Lifts a ban.")

    @Argument(help: "The ban, as in the list of bans.")
    var ban: String

    @OptionGroup var options: CtlOptions

    func run() async throws {
        try await options.run("DELETE", "bans/\(AdminClient.part(ban))")
    }
}

struct CtlImportBans: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import-bans", abstract: "Makes all bans of a list that 'bans --json' printed.")

    @Argument(help: "The file.", completion: .file())
    var file: String

    @OptionGroup var options: CtlOptions

    private struct Answer: Decodable {
        var made, left: Int
    }

    func run() async throws {
        guard let data = FileManager.default.contents(atPath: file),
            let list = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
        else { throw BatonError(.configuration, "\(file) cannot be read, or holds no JSON object") }
        try await options.run("POST", "bans/import", body: list, as: Answer.self) { answer in
            ["\(answer.made) bans made, \(answer.left) left out"]
        }
    }
}

struct CtlEvents: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Follows what the server's log says, until it is interrupted.")

    @OptionGroup var options: CtlOptions

    private struct Event: Decodable {
        var time, event, message: String
        var `protocol`, peer, address, reason: String?
    }

    func run() async throws {
        try await options.follow("events") { data in
            if options.json { return String(decoding: data, as: UTF8.self) }
            guard let event = try? JSONDecoder().decode(Event.self, from: data) else { return nil }
            let words = [event.protocol, event.event, event.peer, event.address, event.reason].compactMap { $0 }
            return cell(event.time) + " " + words.map { cell($0) }.joined(separator: " ")
                + "  " + TerminalText.clean(event.message, atMost: 300)
        }
    }
}
