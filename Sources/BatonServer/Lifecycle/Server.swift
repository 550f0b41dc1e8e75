package import Logging
import NIOCore
import NIOPosix
package import RelayCore
import RelayNIO
import ServiceLifecycle
import UnixSignals

/// One server: every relay its configuration asks for, the admin listener, and what signals do to them.
package struct Server: Sendable {
    /// What of a configuration is served; the admin listener always is.
    package enum Scope: Sendable {
        case everything
        case dedicatedHosts
    }

    /// Reads the configuration again, for a reload.
    package typealias ConfigurationLoader = @Sendable () throws -> Configuration

    private let configuration: Configuration
    private let scope: Scope
    private let loadConfiguration: ConfigurationLoader
    private let logger: Logger
    private let logSettings: LogSettings
    private let events: EventFeed
    private let onListening: @Sendable (String, Endpoint) -> Void

    /// `logSettings` is what `logger`'s handler looks at, and `events` what it feeds; a reload may change it. `onListening`
    /// is told protocol and address of every listener that is bound.
    package init(
        _ configuration: Configuration, scope: Scope = .everything, logger: Logger, logSettings: LogSettings,
        events: EventFeed = EventFeed(),
        reloading load: @escaping ConfigurationLoader,
        onListening: @escaping @Sendable (String, Endpoint) -> Void = { _, _ in }
    ) {
        self.onListening = onListening
        self.configuration = configuration
        self.scope = scope
        self.logger = logger
        self.logSettings = logSettings
        self.events = events
        self.loadConfiguration = load
    }

    /// Serves until a signal ends it. Throws `BatonError` if it cannot start.
    package func run() async throws {
        let eventLoops = MultiThreadedEventLoopGroup(numberOfThreads: System.coreCount)
        let result: Result<Void, any Error>
        do {
            result = .success(try await serve(on: eventLoops))
        } catch {
            result = .failure(error)
        }
        try await eventLoops.shutdownGracefully()
        try result.get()
    }

    private func serve(on eventLoops: any EventLoopGroup) async throws {
        let desk = AdmissionDesk(limits: Self.limits(of: configuration, logger), bans: configuration.banList(at: .now))
        let bans = BanDesk(path: configuration.admin?.bansDatabase, admission: desk, logger: logger)
        let portMapping = PortMappingService(
            configuration.portMapping, eventLoop: eventLoops.next(), logger: logger)
        let context = RelayContext(
            eventLoops: eventLoops, desk: desk, logger: logger, portMapping: portMapping, onListening: onListening
        )
        let dedicated = try await DedicatedService(configuration, context: context)
        let relays = try await relays(dedicated, context: context)
        let (logger, logSettings) = (logger, logSettings)
        let supervisor = Supervisor()
        let phase = ServerPhase()
        let gate = AdminGate(configuration.admin, logger: logger)
        let reloader = Reloader(
            running: configuration, load: loadConfiguration, logger: logger, supervisor: supervisor
        ) { configuration in
            // First, for it can fail.
            try logSettings.take(configuration.log)
            desk.reconfigure(limits: Self.limits(of: configuration, logger), bans: configuration.banList(at: .now))
            portMapping.reconfigure(configuration.portMapping)
            gate.reconfigure(configuration.admin)
            for relay in relays { try await relay.reconfigure(configuration) }
            await bans.enforce()
        }
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        bans.watch(relays)
        for relay in relays { try await relay.start() }
        let drain = Drain(relays: relays, phase: phase, logger: logger)
        let history = TrafficHistory(relays: relays)
        let overview = Overview(
            relays: relays, dedicated: dedicated, desk: desk, bans: bans, portMapping: portMapping, phase: phase,
            drain: drain, reloader: reloader, logSettings: logSettings, history: history, events: events
        )
        let admin = AdminService(configuration, gate: gate, overview: overview, context: context)
        try await admin?.start()
        let control = SignalService(
            signals: signals, drain: drain, phase: phase, reloader: reloader, logger: logger
        )
        // They stop in reverse order: ports are taken back when nobody is served any more.
        let watch = SupervisorService(supervisor: supervisor, phase: phase, statuses: overview.statuses)
        let services: [any Service] = [portMapping, bans] + relays + (admin.map { [history, $0] } ?? []) + [watch]
        let members = services.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) }
        let last = ServiceGroupConfiguration.ServiceConfiguration(
            service: control, successTerminationBehavior: .gracefullyShutdownGroup
        )
        try await ServiceGroup(configuration: .init(services: members + [last], logger: Self.silent)).run()
        logger.notice("stopped", metadata: ["event": "stopped"])
    }

    private func relays(_ dedicated: DedicatedService?, context: RelayContext) async throws -> [any Relay] {
        switch scope {
        case .everything:
            let ldn = try await LDNService(configuration, context: context)
            let services: [(any Relay)?] = try await [
                JSONService(configuration, context: context),
                NetplayService(configuration, context: context),
                LobbyService(configuration, context: context),
                ldn,
                LDNStatisticsService(configuration, master: ldn, context: context),
                RoomService(configuration, context: context),
                SOEService(configuration, context: context),
                LANService(configuration, context: context),
                dedicated,
            ]
            return services.compactMap { $0 }
        case .dedicatedHosts:
            guard let dedicated else {
                throw BatonError(.configuration, "the configuration has no section netplay.dedicated")
            }
            return [dedicated]
        }
    }

    /// The limits asked for, within the file descriptors there are.
    private static func limits(of configuration: Configuration, _ logger: Logger) -> Admission.Limits {
        var limits = configuration.limits
        let possible = max(1, OpenFiles.raiseLimit() - OpenFiles.reserve)
        guard limits.connections == 0 || limits.connections > possible else { return limits }
        if limits.connections > possible {
            logger.warning(
                "the system's limit of open files allows fewer connections than limits.connections",
                metadata: ["event": "connections_capped", "connections": "\(possible)"]
            )
        }
        limits.connections = possible
        return limits
    }

    /// For the lifecycle package, whose own account of starts and stops would only repeat ours.
    private static var silent: Logger { Logger(label: "lifecycle") { _ in SwiftLogNoOpLogHandler() } }
}
