import Logging
import NIOCore
import RelayCore
import RelayNIO
import ServiceLifecycle

/// What every relay over TCP does: its listeners, its driver on its event loop, and the way in for control.
final class StreamRelay: Sendable {
    let name: String
    private let endpoints: [Endpoint]
    private let eventLoop: any EventLoop
    private let driver: NIOLoopBound<StreamDriver>
    private let settings: StreamSettings
    private let log: ListenerLog
    private let onListening: @Sendable (String, Endpoint) -> Void
    private let portMapping: PortMappingService?
    private let channels = ListeningChannels()

    /// How long a stop waits for the last bytes to leave.
    private static var farewell: Duration { .milliseconds(500) }

    init(
        name: String, endpoints: [Endpoint], settings: StreamSettings, context: RelayContext,
        makeEngine: @escaping @Sendable () -> any StreamEngine
    ) async throws {
        let log = ListenerLog(context.logger, protocolName: name)
        let (eventLoop, desk) = (context.eventLoops.next(), context.desk)
        self.name = name
        self.endpoints = endpoints
        self.eventLoop = eventLoop
        self.settings = settings
        self.log = log
        onListening = context.onListening
        portMapping = context.portMapping
        driver = try await eventLoop.submit {
            let driver = StreamDriver(
                engine: makeEngine(), settings: settings, desk: desk, log: log, eventLoop: eventLoop
            )
            return NIOLoopBound(driver, eventLoop: eventLoop)
        }.get()
    }

    func start() async throws {
        let listener = StreamListener(driver: driver, eventLoop: eventLoop, settings: settings, log: log)
        let onListening: @Sendable (String, Endpoint) -> Void = { [onListening, portMapping] name, bound in
            onListening(name, bound)
            portMapping?.listening(name, .tcp, bound)
        }
        try await channels.open(endpoints, for: name, log: log, onListening: onListening) { address in
            try await listener.bind(address)
        }
    }

    /// Serves until the server stops.
    func run() async throws {
        try await gracefulShutdown()
        try await stop()
    }

    /// Takes no more connections, parts from every peer and waits until the last words have left.
    func stop() async throws {
        await channels.close()
        let driver = driver
        try await eventLoop.submit { driver.value.stop() }.get()
        let deadline = ContinuousClock.now + Self.farewell
        while try await eventLoop.submit({ driver.value.openSockets }).get() > 0, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    func beginDrain() async throws {
        let driver = driver
        try await eventLoop.submit { driver.value.beginDrain() }.get()
    }

    func endDrain() async throws {
        let driver = driver
        try await eventLoop.submit { driver.value.endDrain() }.get()
    }

    /// Changes the engine, which must be of the kind that `change` takes.
    func update<Engine: StreamEngine>(_ change: @escaping @Sendable (inout Engine) -> Void) async throws {
        let driver = driver
        try await eventLoop.submit { driver.value.update(change) }.get()
    }

    /// Asks the engine, which must be of the kind that `question` takes.
    func read<Engine: StreamEngine, Answer: Sendable>(
        _ question: @escaping @Sendable (Engine) -> Answer
    ) async throws -> Answer {
        let driver = driver
        return try await eventLoop.submit {
            guard let engine = driver.value.engine as? Engine else { preconditionFailure("the engine is another one") }
            return question(engine)
        }.get()
    }

    func status() async throws -> RelayStatus {
        let (driver, name) = (driver, name)
        let listeners = channels.addresses
        return try await eventLoop.submit {
            RelayStatus(
                name: name, listeners: listeners, peers: driver.value.peerCount, rooms: driver.value.engine.roomCount,
                queuedBytes: driver.value.queuedBytes, counters: driver.value.allCounters
            )
        }.get()
    }

    /// Cheaper than `status`, which looks at every connection.
    func takeTurn() async throws { try await eventLoop.submit {}.get() }

    func kick(_ peer: PeerID, for removal: Removal) async throws -> Bool {
        let driver = driver
        return try await eventLoop.submit { driver.value.kick(peer, for: removal) }.get()
    }

    func enforceBans() async throws -> Int {
        let driver = driver
        return try await eventLoop.submit { driver.value.enforceBans() }.get()
    }

    func closeRoom(_ id: String) async throws -> Bool {
        let driver = driver
        return try await eventLoop.submit { driver.value.closeRoom(id) }.get()
    }

    func peers() async throws -> [PeerDetail] {
        let driver = driver
        return try await eventLoop.submit { driver.value.peers() }.get()
    }

    func rooms() async throws -> [RoomSnapshot] {
        let driver = driver
        return try await eventLoop.submit { driver.value.engine.rooms(at: .now) }.get()
    }
}

/// What all relays of a server share.
struct RelayContext: Sendable {
    var eventLoops: any EventLoopGroup
    var desk: AdmissionDesk
    var logger: Logger
    /// Told of every listener that players need.
    var portMapping: PortMappingService?
    /// Told of every listener that is bound: protocol and address.
    var onListening: @Sendable (String, Endpoint) -> Void = { _, _ in }
}
