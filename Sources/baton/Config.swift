import ArgumentParser
import BatonServer

struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Helps to write a configuration.", subcommands: [Example.self]
    )

    struct Example: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints every setting with its default and what it does."
        )

        func run() {
            print(Configuration.example(), terminator: "")
        }
    }
}
