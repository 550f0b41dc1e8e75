import ArgumentParser
import BatonServer
import Netplay
import RelayCore
import UnixSignals

struct Join: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lets any RetroArch join a relayed session, through a port of this machine.",
        discussion: """
            Listens on this machine and leads every connection into the session, also a second one after a wrong \
            password. Prints the port and runs until TERM or INT; what goes wrong with a try is told on standard error.

            With --exec it starts a program instead, with {host} and {port} in its arguments replaced (or with \
            '-C HOST --port PORT' added), passes signals on to it, and ends with its exit code:

              baton netplay join relay.example.org --session PIbhU6O6BXl7GfyK \\
                --exec retroarch -L core_libretro.so game.zip

            Exit codes: 0 after a signal, the program's with --exec, 69 the address is taken or there is no such \
            program, 77 a privilege is missing.
            """
    )

    @Argument(help: "The tunnel server: HOST, HOST:PORT or [IPV6]:PORT; its port is 55435 if not given.")
    var host: RemoteHost

    @Option(help: "The session, 16 characters of Base64, as lobbies and 'baton netplay rooms' show it.")
    var session: TunnelID

    @Option(help: "Where to listen; port 0 is any free one.")
    var listen = "127.0.0.1:0"

    @Flag(help: "Print the port as a line of JSON.")
    var json = false

    @Option(
        parsing: .remaining,
        help: ArgumentHelp(
            "A program to start once it listens, with its arguments; must come last.", valueName: "program"))
    var exec: [String] = []

    /// How long what a program said last may take to reach the tunnel.
    private static let grace = Duration.seconds(2)

    private var listenEndpoint: Endpoint? { RemoteHost(listen, defaultPort: 0)?.endpoint }

    func validate() throws {
        if listenEndpoint == nil {
            throw ValidationError("'\(listen)' is no address and port such as 127.0.0.1:0 or [::1]:0.")
        }
    }

    func run() async throws {
        guard let listenEndpoint else { return }
        let trapped = exec.isEmpty ? [.sigterm, .sigint] : BridgedProgram.signals
        let signals = await UnixSignalsSequence(trapping: trapped)
        let bridge = try await TunnelBridge.listen(on: listenEndpoint, joining: session, at: host) { [host] failure in
            StandardError.write("\(failure.sentence(about: host))\n")
        }
        guard let program = BridgedProgram(exec, joining: bridge.endpoint) else {
            try announce(bridge.endpoint)
            for await _ in signals { break }
            await bridge.close(within: .zero)
            return
        }
        if json { try announce(bridge.endpoint) }
        let code = try await program.run(passingOn: signals)
        await bridge.close(within: Self.grace)
        throw ExitCode(code)
    }

    private struct Announcement: Encodable {
        var host: String
        var port: UInt16
        var arguments: [String]
    }

    private func announce(_ bridge: Endpoint) throws {
        let arguments = BridgedProgram.retroArchArguments(joining: bridge)
        let announcement = Announcement(host: "\(bridge.address)", port: bridge.port, arguments: arguments)
        let command = "retroarch \(arguments.joined(separator: " ")) -L CORE CONTENT"
        StandardOutput.write(
            json ? try announcement.jsonLine() : "listening on \(bridge); join with: \(command)\n")
    }
}

extension TunnelBridge.Failure {
    fileprivate func sentence(about host: RemoteHost) -> String {
        switch self {
        case .unreachable(let why): "\(host) cannot be reached: \(why)"
        case .unanswered:
            "\(host) closed the connection before the session's host answered: the session has ended or never "
                + "existed, is full, or its host lets nobody in"
        case .crowded(let most): "a connection was turned away: \(most) are open already"
        }
    }
}
