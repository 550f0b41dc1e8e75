import Netplay
import RelayCore
import ServiceLifecycle

/// The lobby, RetroArch's list of rooms, as a service: section `lobby` of the configuration.
struct LobbyService: Relay {
    let name = "lobby"
    let isList = true
    private let listener: HTTPListener
    private let desk: LobbyDesk
    private let door: CallerDoor
    private let reachability: ReachabilityDesk

    /// `nil` without the section. Opens the files it names; throws `BatonError` if there are no countries in theirs.
    init?(_ configuration: Configuration, context: RelayContext) throws {
        guard let section = configuration.lobby else { return nil }
        let log = ListenerLog(context.logger, protocolName: "lobby")
        let reachability = ReachabilityDesk(probe: ReachabilityProbe(eventLoops: context.eventLoops))
        reachability.reconfigure(allowsPrivateTargets: section.allowPrivateTargets)
        let desk = LobbyDesk(
            section.rules, reachability: reachability, log: log,
            allowsName: { [desk = context.desk] name in
                desk.removal(of: PeerNaming(name: name), in: "lobby") == nil
            }, openStore: { try LobbyStore(path: section.database) })
        try desk.openCountries(section.countryDatabase)
        let door = CallerDoor(
            trustedProxies: section.trustedProxies, requests: section.requests, admission: context.desk
        ) { outcome in
            switch outcome {
            case .tooFast(let caller): desk.refused(.tooFast, caller)
            case .banned: desk.countConnection(refused: .banned)
            case .answered(let bytes): desk.count(answered: bytes)
            }
        }
        let routes = LobbyRoutes(desk: desk, door: door, reachability: reachability, page: RoomPageCache())
        var settings = HTTPListener.Settings()
        settings.deadlines = RequestDeadlines.Limits(read: section.readTimeout, write: section.writeTimeout)
        // All whom a proxy asks for share its address; the door looks at each of them instead.
        settings.passesDesk = { !door.isTrusted($0) }
        settings.asksRouter = true
        settings.onConnection = { desk.countConnection(refused: $0) }
        listener = HTTPListener(
            name: "lobby", endpoints: section.listen, settings: settings, log: log, context: context,
            responder: HTTPListener.responder(routes.router()))
        self.desk = desk
        self.door = door
        self.reachability = reachability
    }

    func start() async throws {
        try await listener.start()
    }

    func run() async throws {
        await withTaskGroup { group in
            group.addTask { await desk.keepUp() }
            try? await gracefulShutdown()
            group.cancelAll()
        }
        await listener.stop()
        try await desk.close()
    }

    func beginDrain() async throws {
        desk.drain()
    }

    func endDrain() async throws {
        desk.endDrain()
    }

    /// Takes a room out of the list, whose host is all there is to part from.
    func kick(_ peer: PeerID, for removal: Removal) async throws -> Bool {
        peer.generation == 0 && Int32(exactly: peer.slot).map(desk.remove) ?? false
    }

    func reconfigure(_ configuration: Configuration) async throws {
        guard let section = configuration.lobby else { return }
        desk.reconfigure(section.rules, countries: section.countryDatabase)
        door.reconfigure(trustedProxies: section.trustedProxies, requests: section.requests)
        reachability.reconfigure(allowsPrivateTargets: section.allowPrivateTargets)
    }

    func status() async throws -> RelayStatus {
        RelayStatus(
            name: name, listeners: listener.addresses, peers: listener.connectionCount, rooms: desk.rooms().count,
            queuedBytes: 0, counters: desk.counters
        )
    }

    func rooms() async throws -> [RoomSnapshot] {
        let now = Timestamp.now()
        return desk.rooms().map { room in
            let host = PeerSnapshot(
                peer: PeerID(slot: UInt32(clamping: room.id), generation: 0), name: room.content.username, role: "host",
                endpoint: Endpoint(address: room.content.address, port: room.content.port),
                connected: .seconds(now.seconds - room.created.seconds))
            return RoomSnapshot(id: "\(room.id)", peers: [host])
        }
    }
}
