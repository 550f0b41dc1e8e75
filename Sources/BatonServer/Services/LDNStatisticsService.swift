import LDN
import NIOConcurrencyHelpers
import RelayCore
import ServiceLifecycle

/// The LDN master's statistics and its list of public games over HTTP: section `ldn.api` of the configuration.
struct LDNStatisticsService: Relay {
    let name = "ldn_api"
    private let listener: HTTPListener
    private let desk: StatisticsDesk
    private let door: CallerDoor
    private let counters: NIOLockedValueBox<StreamCounters>
    private let log: ListenerLog

    /// `nil` without the section. Throws `BatonError` if the list of games cannot be used.
    init?(_ configuration: Configuration, master: LDNService?, context: RelayContext) throws {
        guard let section = configuration.ldn?.api, let master else { return nil }
        let log = ListenerLog(context.logger, protocolName: name)
        let counters = NIOLockedValueBox(StreamCounters())
        let door = CallerDoor(
            trustedProxies: section.trustedProxies, requests: section.requests, admission: context.desk
        ) { outcome in
            counters.withLockedValue { $0.count(outcome) }
            if case .tooFast(let caller) = outcome {
                log.requestRefused(caller, "too_fast", "the caller asks too often")
            }
        }
        let desk = StatisticsDesk(gameList: try Self.gameList(section)) { try await master.networks() }
        var settings = HTTPListener.Settings()
        settings.deadlines = RequestDeadlines.Limits(read: section.readTimeout, write: section.writeTimeout)
        // All whom a proxy asks for share its address; the door looks at each of them instead.
        settings.passesDesk = { !door.isTrusted($0) }
        settings.asksRouter = true
        settings.onConnection = { refusal in
            counters.withLockedValue { counters in
                if let refusal {
                    counters.refused.count(refusal.rawValue)
                } else {
                    counters.connectionsOpened += 1
                }
            }
        }
        listener = HTTPListener(
            name: name, endpoints: section.listen, settings: settings, log: log, context: context,
            responder: HTTPListener.responder(StatisticsRoutes(desk: desk, door: door).router()))
        self.desk = desk
        self.door = door
        self.counters = counters
        self.log = log
    }

    func start() async throws {
        try await listener.start()
    }

    func run() async throws {
        try? await gracefulShutdown()
        await listener.stop()
    }

    /// It tells of the networks that play on.
    func beginDrain() async throws {}

    func endDrain() async throws {}

    /// Takes new settings. A list of games that cannot be used leaves the old one in force.
    func reconfigure(_ configuration: Configuration) async throws {
        guard let section = configuration.ldn?.api else { return }
        door.reconfigure(trustedProxies: section.trustedProxies, requests: section.requests)
        do {
            await desk.use(try Self.gameList(section))
        } catch {
            log.failed("game_list_failed", "\(error); the old one stays in use")
        }
    }

    func status() async throws -> RelayStatus {
        RelayStatus(
            name: name, listeners: listener.addresses, peers: listener.connectionCount, rooms: 0, queuedBytes: 0,
            counters: counters.withLockedValue { $0 })
    }

    /// The networks are the master's.
    func rooms() async throws -> [RoomSnapshot] { [] }

    private static func gameList(_ section: Configuration.LDN.API) throws -> GameList {
        try section.gameList.map { try GameList(path: $0) } ?? GameList()
    }
}

extension StreamCounters {
    fileprivate mutating func count(_ outcome: CallerDoor.Outcome) {
        switch outcome {
        case .tooFast: refused.count("too_fast")
        case .banned: refused.count(Admission.Refusal.banned.rawValue)
        case .answered(let bytes): bytesAnswered += UInt64(bytes)
        }
    }
}
