import ArgumentParser
import BatonServer
import LDN
import Logging
import UnixSignals

struct LDNProxy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "proxy",
        abstract: "Hosts a network at a master and relays for its players, as a P2P proxy.",
        discussion: """
            Opens a network of 8 at the master, whose first place it takes, and serves the players that the master \
            sends, until TERM or INT. Without --port it listens on the first free port of 39990 to 39999 and has the \
            router let one of these in by UPnP; with it, it listens on that port, which must be forwarded to this \
            machine, and announces it as it is.

            Exit codes: 0 after a signal, 69 if there is no network or no more, which standard error says.
            """
    )

    @Option(
        help: "The master: HOST, HOST:PORT or [IPV6]:PORT; its port is 30456 if not given.",
        transform: { try .ldnMaster($0) })
    var master: RemoteHost

    @Option(help: "The port to listen on and to announce; 0 is any free one.")
    var port: UInt16?

    @Option(help: "The host's name, as players see it.")
    var name = "baton"

    @Option(help: "The game: a title id of 16 hexadecimal digits.", transform: LDNProxy.title)
    var title: Int64 = 0

    @Option(help: "The game's own version number for local play; joiners must have the same.")
    var version: UInt16 = 0

    @Option(help: "The game's scene.")
    var scene: UInt16 = 0

    @Option(
        help: "With whom to play: Ryujinx- and eight lower-case hexadecimal digits; everybody if not given.",
        transform: LDNProxy.passphrase)
    var passphrase: Passphrase?

    @Flag(help: "Let a player in from another address than the master saw it at.")
    var anyAddress = false

    @OptionGroup var logging: LogOptions

    func run() async throws {
        let settings = logging.applied(to: try .development(environment: [:]))
        let log = LogSettings(settings.log)
        let logger = Logger(label: "baton") { _ in LineLogHandler(format: settings.log.format, settings: log) }
        var host = ProxyHost(master: master, logger: logger)
        host.port = port
        host.client.userName = name
        host.client.passphrase = passphrase ?? .none
        host.plan.intentID.localCommunicationID = title
        host.plan.intentID.sceneID = scene
        host.plan.localCommunicationVersion = version
        host.proxy.checksPhysicalAddress = !anyAddress

        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let hosting = Task { [host] in try await host.run() }
        let stopping = Task {
            for await _ in signals {
                hosting.cancel()
                break
            }
        }
        defer { stopping.cancel() }
        do {
            try await hosting.value
        } catch  where hosting.isCancelled {
            // That was the signal: whatever it interrupted has been tidied up.
        }
    }

    /// A master would take anything else for none, and let everybody in.
    private static func passphrase(_ text: String) throws -> Passphrase {
        guard let passphrase = Passphrase(text) else {
            throw ValidationError(
                "'\(text)' is no passphrase: Ryujinx- and eight lower-case hexadecimal digits are wanted.")
        }
        return passphrase
    }

    private static func title(_ text: String) throws -> Int64 {
        guard text.count == 16, let number = UInt64(text, radix: 16) else {
            throw ValidationError("'\(text)' is no title id of 16 hexadecimal digits.")
        }
        return Int64(bitPattern: number)
    }
}
