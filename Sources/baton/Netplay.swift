import ArgumentParser

struct Netplay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "RetroArch's netplay beside the server.", subcommands: [NetplayDaemon.self]
    )
}
