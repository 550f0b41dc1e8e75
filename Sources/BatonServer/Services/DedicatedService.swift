import Logging
import NIOConcurrencyHelpers
import NIOCore
import Netplay
import RelayCore
import RelayNIO
import ServiceLifecycle

/// Dedicated hosts as a service: section `netplay.dedicated` of the configuration.
final class DedicatedService: Relay {
    static let protocolName = "dedicated"

    var name: String { Self.protocolName }
    private let section: Configuration.Dedicated
    private let eventLoop: any EventLoop
    private let world: DedicatedWorld
    private let driver: NIOLoopBound<DedicatedDriver>
    private let context: RelayContext

    /// How long a stop waits at most: a program has its grace, and then is killed.
    private static var farewell: Duration { RetroArchProgram.grace + .seconds(5) }

    /// `nil` without the section. Throws `BatonError` if the program or a folder is missing.
    init?(_ configuration: Configuration, context: RelayContext) async throws {
        guard let section = configuration.netplay?.dedicated else { return nil }
        self.section = section
        self.context = context
        let eventLoop = context.eventLoops.next()
        self.eventLoop = eventLoop
        let program = try await RetroArchProgram(named: section.retroarch)
        let library = try await HostLibrary(section, logger: context.logger)
        let world = DedicatedWorld(
            section: section, program: program, library: library, folder: try RunFolder(),
            lobby: section.lobby.map(LobbyAnnouncer.init),
            log: ListenerLog(context.logger, protocolName: Self.protocolName), context: context)
        self.world = world
        driver = try await eventLoop.submit {
            let engine = DedicatedEngine(configuration: section.rules)
            return NIOLoopBound(
                DedicatedDriver(engine: engine, world: world, eventLoop: eventLoop), eventLoop: eventLoop)
        }.get()
    }

    func start() async throws {
        for (index, endpoint) in section.listen.enumerated() {
            do {
                let address = try SocketAddress(ipAddress: "\(endpoint.address)", port: Int(endpoint.port))
                let channel = try await RequestSocket.bind(address, driver: driver, eventLoop: eventLoop, index: index)
                let driver = driver
                try await eventLoop.submit { driver.value.sockets.append(channel) }.get()
                let bound = channel.localAddress?.endpoint ?? endpoint
                world.log.listening(on: bound)
                context.onListening(name, bound)
            } catch let error as IOError
                where error.meansNoIPv6 && endpoint.address == .anyIPv6 && section.listen.count > 1
            {
                world.log.noIPv6(endpoint)
            } catch {
                await stop()
                throw BatonError.binding(endpoint, for: name, error)
            }
        }
    }

    /// Serves until the server stops; no program outlives it.
    func run() async throws {
        try await gracefulShutdown()
        await stop()
    }

    private func stop() async {
        let driver = driver
        let sockets = try? await eventLoop.submit { driver.value.sockets }.get()
        for socket in sockets ?? [] { try? await socket.close() }
        try? await eventLoop.submit { driver.value.stop() }.get()
        let deadline = ContinuousClock.now + Self.farewell
        while (try? await eventLoop.submit { driver.value.isAtRest }.get()) == false, ContinuousClock.now < deadline {
            try? await Task.sleep(for: .milliseconds(20))
        }
        world.folder.remove()
    }

    func beginDrain() async throws {
        let driver = driver
        try await eventLoop.submit { driver.value.beginDrain() }.get()
    }

    func endDrain() async throws {
        let driver = driver
        try await eventLoop.submit { driver.value.endDrain() }.get()
    }

    func reconfigure(_ configuration: Configuration) async throws {
        guard let section = configuration.netplay?.dedicated else { return }
        // What needs a restart stays as it was, and so do the folders; what is in them may have changed.
        try await world.library.refresh(self.section, logger: context.logger)
        var rules = section.rules
        rules.ports = self.section.rules.ports
        rules.isRelayed = self.section.rules.isRelayed
        let (driver, fresh) = (driver, rules)
        try await eventLoop.submit { driver.value.reconfigure(fresh) }.get()
    }

    // MARK: To look at

    func status() async throws -> RelayStatus {
        let (driver, name) = (driver, name)
        return try await eventLoop.submit {
            RelayStatus(
                name: name, listeners: driver.value.sockets.compactMap { $0.localAddress?.endpoint?.description },
                peers: driver.value.runs.values.reduce(0) { $0 + $1.visits.count },
                rooms: driver.value.engine.hostCount, queuedBytes: 0, counters: driver.value.counters)
        }.get()
    }

    func rooms() async throws -> [RoomSnapshot] {
        let driver = driver
        return try await eventLoop.submit {
            driver.value.runs.values.sorted { $0.id.description < $1.id.description }.map(\.snapshot)
        }.get()
    }

    // MARK: For the operator

    func hosts() async throws -> [DedicatedHostSnapshot] {
        let driver = driver
        return try await eventLoop.submit { driver.value.engine.snapshots(at: .now) }.get()
    }

    /// Opens a host and waits until it takes guests. Throws `HostingRefusal` or `HostEnd` if there will be none.
    func open(_ request: HostingRequest) async throws -> DedicatedHostSnapshot {
        let driver = driver
        let (id, opened) = try await eventLoop.submit { try driver.value.open(request) }.get()
        try await opened.get()
        let snapshot = try await eventLoop.submit { driver.value.engine.snapshot(of: id, at: .now) }.get()
        guard let snapshot else { throw HostEnd.crashed }
        return snapshot
    }

    func closeRoom(_ id: String) async throws -> Bool { try await close(id) }

    /// Ends a host; `false` if there is none of that number.
    func close(_ id: String) async throws -> Bool {
        let driver = driver
        return try await eventLoop.submit {
            let known = driver.value.runs.keys.first { $0.description == id }
            return known.map { driver.value.close($0) } ?? false
        }.get()
    }
}

extension Configuration.Dedicated {
    /// What the desk goes by.
    fileprivate var rules: DedicatedConfiguration {
        var rules = desk
        rules.isRelayed = relay != nil
        return rules
    }
}

extension HostRun {
    /// The host as a room. What only asks whether it is there is no member.
    fileprivate var snapshot: RoomSnapshot {
        RoomSnapshot(
            id: id.description,
            peers: visits.all.filter { $0.kind == .guest }.map { visit in
                PeerSnapshot(
                    peer: visit.id, name: "", role: "guest", endpoint: visit.endpoint, connected: .now - visit.since)
            })
    }
}
