import ArgumentParser
import BatonServer

struct HealthCheck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "healthcheck",
        abstract: "Asks the server of this machine, at its admin listener, whether it is alive.",
        discussion: """
            For containers and supervisors. It reads the configuration to know where to ask. A server that drains is \
            alive; with --ready it must also take new players.

            Exit codes: 0 it is, 1 it is not, 78 the configuration is wrong or has no section admin.
            """
    )

    @OptionGroup var source: ConfigurationSource

    @Flag(help: "Ask whether it is ready, not only whether it is alive.")
    var ready = false

    func run() async throws {
        let check = try AdminHealth(try source.load(dev: false))
        let answer = await check.ask(ready ? .ready : .alive)
        StandardOutput.write(answer.sentence + "\n")
        if !answer.isHealthy { throw ExitCode.failure }
    }
}
