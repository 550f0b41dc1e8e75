import ArgumentParser

struct LAN: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ethernet over the internet: what passes between the players of a LAN party.",
        subcommands: [Explain.self]
    )
}
