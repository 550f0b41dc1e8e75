import ArgumentParser
import BatonServer
import LANSockets
import RelayCore

/// Probes of the protocols, one subcommand each.
struct ProbeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe",
        abstract: "Says whether a relay works, by playing a client of it, and how fast it is.",
        discussion: """
            Asks at every address that the host's name has, and prints for each how long the handshake takes, the round \
            trips, how many answers are missing, and a verdict with its reason. It works with any server of the \
            protocol, not only with Baton.

            Exit codes, as monitoring systems know them: 0 all is well; 1 slow, lossy, or not at every address; 2 it \
            does not work; 64 the command line is wrong.
            """,
        subcommands: [
            ProbeJSON.self, ProbeNetplay.self, ProbeLobby.self, ProbeLDN.self, ProbeSOE.self, ProbeLAN.self,
        ]
    )
}

/// A probe of one protocol. A new one names its client and the port that is usual, and stands in the list above.
protocol ProbingCommand: AsyncParsableCommand {
    static var defaultPort: UInt16 { get }
    var client: any ProbeClient { get }
    var host: String { get }
    var options: ProbeOptions { get }
}

extension ProbingCommand {
    func validate() throws {
        if remoteHost == nil { throw ValidationError("'\(host)' is no HOST, HOST:PORT or [IPV6]:PORT.") }
    }

    func run() async throws {
        guard let remoteHost else { return }
        let report = await options.probe.run(client, at: remoteHost)
        StandardOutput.write(options.json ? try report.jsonLine() : "\(report)\n")
        if report.verdict != .ok { throw ExitCode(report.verdict.rawValue) }
    }

    private var remoteHost: RemoteHost? { RemoteHost(host, defaultPort: Self.defaultPort) }
}

struct ProbeJSON: ProbingCommand {
    static let configuration = CommandConfiguration(
        commandName: "json", abstract: "A JSON relay: takes an id and sends messages to itself.")
    static let defaultPort: UInt16 = 5300

    @Argument(help: "The relay: HOST, HOST:PORT or [IPV6]:PORT; the port is 5300 if not given.")
    var host: String

    @OptionGroup var options: ProbeOptions

    var client: any ProbeClient { JSONProbe() }
}

struct ProbeNetplay: ProbingCommand {
    static let configuration = CommandConfiguration(
        commandName: "netplay",
        abstract: "A netplay tunnel: opens a session, joins it, and has a guest's bytes come back from the host.",
        discussion: "Both ends are played, so a round trip is twice the way to the server.")
    static let defaultPort: UInt16 = 55435

    @Argument(help: "The tunnel server: HOST, HOST:PORT or [IPV6]:PORT; the port is 55435 if not given.")
    var host: String

    @OptionGroup var options: ProbeOptions

    var client: any ProbeClient { NetplayProbe() }
}

struct ProbeLobby: ProbingCommand {
    static let configuration = CommandConfiguration(
        commandName: "lobby", abstract: "A lobby: asks for its list of rooms.",
        discussion: "The handshake is the connection with the first answer.")
    static let defaultPort: UInt16 = 8080

    @Argument(help: "The lobby: HOST, HOST:PORT or [IPV6]:PORT; the port is 8080 if not given.")
    var host: String

    @OptionGroup var options: ProbeOptions

    var client: any ProbeClient { LobbyProbe() }
}

struct ProbeLDN: ProbingCommand {
    static let configuration = CommandConfiguration(
        commandName: "ldn", abstract: "An LDN master: shakes hands and scans for networks.",
        discussion: "'baton ldn probe' plays a whole session, and takes longer.")
    static let defaultPort: UInt16 = 30456

    @Argument(help: "The master: HOST, HOST:PORT or [IPV6]:PORT; the port is 30456 if not given.")
    var host: String

    @OptionGroup var options: ProbeOptions

    var client: any ProbeClient { LDNMasterProbe() }
}

struct ProbeSOE: ProbingCommand {
    static let configuration = CommandConfiguration(
        commandName: "soe", abstract: "An SOE server or gateway: asks for a session and gives it back.",
        discussion: """
            The game behind it is told of nothing. 'baton soe ping' checks messages too, at a server that sends them back.
            """)
    static let defaultPort: UInt16 = 20260

    @Argument(help: "The server: HOST, HOST:PORT or [IPV6]:PORT; the port is 20260 if not given.")
    var host: String

    @OptionGroup var session: SessionOptions
    @OptionGroup var options: ProbeOptions

    var client: any ProbeClient { SOEProbe(session.parameters) }
}

struct ProbeLAN: ProbingCommand {
    static let configuration = CommandConfiguration(
        commandName: "lan", abstract: "A LAN relay: says hello for a room that nobody is in.",
        discussion: """
            Each exchange is a connection of its own, so a round trip is that of QUIC's handshake and of hello. A relay that \
            knows no such room and says so is well. Of a room's link only the relay and its certificate's fingerprint are \
            used: nobody in that room hears of the probe.
            """)
    static let defaultPort: UInt16 = RoomLink.defaultPort

    @Argument(
        help: """
            The relay: a room's link (baton://...), or HOST, HOST:PORT or [IPV6]:PORT if an authority that this machine \
            trusts has signed its certificate; the port is 4443 if not given.
            """)
    var relay: String

    @OptionGroup var options: ProbeOptions

    var host: String {
        guard let link = RoomLink(relay) else { return relay }
        return link.host.contains(":") ? "[\(link.host)]:\(link.port)" : "\(link.host):\(link.port)"
    }

    var client: any ProbeClient { LANRelayProbe(fingerprint: RoomLink(relay)?.fingerprint) }
}
