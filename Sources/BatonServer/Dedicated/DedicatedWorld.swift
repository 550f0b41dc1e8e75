import AsyncHTTPClient
import Logging
import NIOCore
import NIOPosix
import Netplay
import RelayCore

/// All that dedicated hosts need of the world, and what does not change while they live.
struct DedicatedWorld: Sendable {
    let section: Configuration.Dedicated
    let program: RetroArchProgram
    let library: HostLibrary
    let folder: RunFolder
    let lobby: LobbyAnnouncer?
    let desk: AdmissionDesk
    let log: ListenerLog
    let eventLoops: any EventLoopGroup
    private let hostLogger: Logger

    init(
        section: Configuration.Dedicated, program: RetroArchProgram, library: HostLibrary, folder: RunFolder,
        lobby: LobbyAnnouncer?, log: ListenerLog, context: RelayContext
    ) {
        self.section = section
        self.program = program
        self.library = library
        self.folder = folder
        self.lobby = lobby
        self.log = log
        desk = context.desk
        eventLoops = context.eventLoops
        hostLogger = context.logger
    }

    /// For what a host's program says.
    func logger(_ host: PeerID) -> Logger {
        var logger = hostLogger
        logger[metadataKey: "protocol"] = "\(DedicatedService.protocolName)"
        logger[metadataKey: "peer"] = "\(host)"
        return logger
    }

    /// A host's nick. Lobbies know rooms by nick, address and port, and hosts behind one relay share the latter two.
    func nick(seat: Int) -> String {
        seat == 1 ? section.nick : "\(section.nick) \(seat)"
    }

    /// Runs a host until its program ends, and says how that came.
    func run(_ plan: HostPlan, as nick: String, on port: UInt16, in name: String, output: OutputTail) async
        -> Result<String, any Error>
    {
        let path = "\(folder.path)/\(name)"
        do {
            let folder = try HostFolder(at: path, core: plan.core, password: section.password)
            defer { folder.remove() }
            let status = try await program.run(
                [
                    "--verbose", "--config", folder.configurationFile, "--libretro", plan.core.path, "--host", "--port",
                    "\(port)", "--nick", nick, plan.content.path,
                ],
                home: path
            ) { output.add($0) }
            return .success("\(status)")
        } catch {
            return .failure(error)
        }
    }

    /// A TCP port of this machine that nobody has.
    func freePort() async throws -> UInt16 {
        let channel = try await ServerBootstrap(group: eventLoops).bind(host: "0.0.0.0", port: 0).get()
        let port = channel.localAddress?.port.flatMap(UInt16.init(exactly:))
        try await channel.close()
        guard let port else { throw ChannelError.unknownLocalAddress }
        return port
    }

    /// Whether the program on this port says that it hosts.
    func answers(on port: UInt16) async -> Bool {
        let probe = ReachabilityProbe(eventLoops: eventLoops)
        return switch await probe.poke(.loopback(port: port)) {
        case .netplay, .full, .denied: true
        case .silent, .hungUp, .stranger, .unreachable: false
        }
    }
}
