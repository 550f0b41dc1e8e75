import ArgumentParser

struct Netplay: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "RetroArch netplay from a terminal or a launcher.",
        subcommands: [Daemon.self]
    )
}
