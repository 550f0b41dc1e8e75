import ArgumentParser

struct Netplay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "RetroArch netplay from a terminal or a launcher.",
        subcommands: [Rooms.self, Join.self, Check.self, Daemon.self]
    )
}
