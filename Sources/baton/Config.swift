import ArgumentParser
import BatonServer

struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Helps to write a configuration.", subcommands: [Example.self, Manual.self]
    )

    struct Example: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints every setting with its default and what it does."
        )

        func run() {
            print(Configuration.example(), terminator: "")
        }
    }

    struct Manual: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints the manual page baton.yaml(5).",
            discussion: "To read it without installing it: baton config manual | man -l -"
        )

        func run() {
            print(Configuration.manual(), terminator: "")
        }
    }
}
