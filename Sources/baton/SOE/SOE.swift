import ArgumentParser

struct SOECommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "soe",
        abstract: "SOE, the protocol of Sony Online Entertainment's games: try it, measure it, read it.",
        subcommands: [Echo.self, Ping.self, Decode.self]
    )
}
