import ArgumentParser
import BatonServer

struct Daemon: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "daemon",
        abstract: "Runs dedicated hosts only, until a signal ends it.",
        discussion: """
            Starts a headless RetroArch for whoever asks for one by a datagram, or over the admin listener, and ends it \
            when nobody plays. It reads section netplay.dedicated, and admin, of the configuration; signals and exit \
            codes are those of 'baton serve', which does the same beside its relays.
            """
    )

    @OptionGroup var source: ConfigurationSource
    @OptionGroup var logging: LogOptions

    func run() async throws {
        try await serve(.dedicatedHosts, logging: logging) { [source] in try source.load(dev: false) }
    }
}
