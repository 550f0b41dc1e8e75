import ArgumentParser
import BatonServer
import Foundation

struct CheckConfig: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Says everything that is wrong with a configuration file; exit code 78 if anything is."
    )

    @Argument(help: "The file.", completion: .file(extensions: ["yaml", "yml"]))
    var file: String

    func run() throws {
        let configuration = try Configuration.load(file: file, environment: ProcessInfo.processInfo.environment)
        for warning in configuration.warnings { print("warning: \(warning)") }
        print("\(file): no errors")
    }
}
