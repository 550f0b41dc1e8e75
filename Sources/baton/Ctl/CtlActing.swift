import ArgumentParser
import BatonServer

struct CtlKick: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "kick", abstract: "Parts from a peer.")

    @Argument(help: "The peer's protocol.")
    var protocolName: String

    @Argument(help: "The peer's number, as in the list of peers and in the log.")
    var peer: String

    @OptionGroup var options: CtlOptions

    func run() async throws {
        try await options.run("DELETE", "peers/\(AdminClient.part(protocolName))/\(AdminClient.part(peer))")
    }
}

struct CtlClose: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "close", abstract: "Closes a room: parts from all who are in it.")

    @Argument(help: "The room's protocol.")
    var protocolName: String

    @Argument(help: "The room, as in the list of rooms.")
    var room: String

    @OptionGroup var options: CtlOptions

    func run() async throws {
        try await options.run("DELETE", "rooms/\(AdminClient.part(protocolName))/\(AdminClient.part(room))")
    }
}

struct CtlDrain: AsyncParsableCommand {
    enum Verb: String, CaseIterable, ExpressibleByArgument {
        case start, stop, status
    }

    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Begins a drain, ends it, or tells how far it is.",
        discussion: "A drained server takes no new rooms, and stops when the last one has ended or time is up."
    )

    @Argument(help: "start, stop or status.")
    var verb = Verb.status

    @Option(help: "With start: for how many seconds rooms are waited for; else it is drain_timeout.")
    var timeout: Int?

    @OptionGroup var options: CtlOptions

    private struct Answer: Decodable {
        var phase: String
        var rooms: Int
        var deadline: String?
    }

    func validate() throws {
        if timeout != nil, verb != .start { throw ValidationError("--timeout goes with start.") }
    }

    func run() async throws {
        let method =
            switch verb {
            case .start: "POST"
            case .stop: "DELETE"
            case .status: "GET"
            }
        let body = verb == .start ? timeout.map { ["timeoutSeconds": $0] } : nil
        try await options.run(method, "drain", body: body, as: Answer.self) { answer in
            let deadline = answer.deadline.map { ", at the latest at \(cell($0))" } ?? ""
            return ["\(cell(answer.phase)), \(answer.rooms) rooms\(deadline)"]
        }
    }
}

struct CtlReload: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload", abstract: "Lets the server read its configuration again.",
        discussion: "It says which changes wait for a restart. With a mistake in the configuration nothing changes.")

    @OptionGroup var options: CtlOptions

    private struct Answer: Decodable {
        var restartNeeded: [String]
    }

    func run() async throws {
        try await options.run("POST", "reload", as: Answer.self) { answer in
            ["reloaded"] + answer.restartNeeded.map { "\(cell($0)) waits for a restart" }
        }
    }
}

struct CtlLogLevel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log-level", abstract: "Tells or changes what is logged, until the next reload.")

    @Argument(help: "The least serious level that shall be logged.")
    var level: Configuration.Log.Level?

    @OptionGroup var options: CtlOptions

    private struct Answer: Decodable {
        var level: String
    }

    func run() async throws {
        let body = level.map { ["level": $0.rawValue] }
        try await options.run(body == nil ? "GET" : "PUT", "log-level", body: body, as: Answer.self) { answer in
            [cell(answer.level)]
        }
    }
}
