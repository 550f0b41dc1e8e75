import ArgumentParser
import BatonServer

@main
struct Baton: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "baton",
        abstract: "One relay for every multiplayer game.",
        discussion: "Shell completions: baton --generate-completion-script bash|zsh|fish",
        version: BatonVersion.current,
        subcommands: [
            Serve.self, Ctl.self, CheckConfig.self, Config.self, ProbeCommand.self, Doctor.self, HealthCheck.self,
            Netplay.self, LDNCommand.self, SOECommand.self, LAN.self,
        ]
    )

    /// Does what the command says and ends the process with the code that the outcome has.
    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let error as ConfigurationError {
            exit(with: BatonError(.configuration, error.description))
        } catch let error as BatonError {
            exit(with: error)
        } catch {
            exit(withError: error)
        }
    }

    private static func exit(with error: BatonError) -> Never {
        StandardError.write(error.description + "\n")
        exit(withError: ExitCode(error.code.rawValue))
    }
}
