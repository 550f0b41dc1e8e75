import NIOConcurrencyHelpers
import NIOCore
import RelayCore
import RelayNIO
import SOE
import SOEGateway
import ServiceLifecycle

/// The SOE gateway as a service: section `soe` of the configuration.
final class SOEService: Relay {
    static let protocolName = "soe"

    var name: String { Self.protocolName }
    private let section: Configuration.SOE
    private let eventLoop: any EventLoop
    private let driver: NIOLoopBound<GatewayDriver>
    private let log: ListenerLog
    private let context: RelayContext
    private let channels = ListeningChannels()

    /// How long a stop waits for the last messages to arrive.
    private static var farewell: Duration { .seconds(1) }

    /// `nil` without the section.
    init?(_ configuration: Configuration, context: RelayContext) async throws {
        guard let section = configuration.soe else { return nil }
        self.section = section
        self.context = context
        let (eventLoop, desk) = (context.eventLoops.next(), context.desk)
        let log = ListenerLog(context.logger, protocolName: Self.protocolName)
        self.eventLoop = eventLoop
        self.log = log
        driver = try await eventLoop.submit {
            let engine = GatewayEngine(configuration: section.engine, door: GatewayEngine.Door(desk))
            let driver = GatewayDriver(engine: engine, backend: section.backend, log: log, eventLoop: eventLoop)
            return NIOLoopBound(driver, eventLoop: eventLoop)
        }.get()
    }

    func start() async throws {
        let (context, driver, eventLoop) = (context, driver, eventLoop)
        let onListening: (String, Endpoint) -> Void = { name, bound in
            context.onListening(name, bound)
            context.portMapping?.listening(name, .udp, bound)
        }
        try await channels.open(section.listen, for: name, log: log, onListening: onListening) { address in
            try await GatewayDriver.listen(on: address, for: driver, eventLoop: eventLoop)
        }
        try await eventLoop.submit { driver.value.start() }.get()
    }

    /// Serves until the server stops.
    func run() async throws {
        try await gracefulShutdown()
        try await stop()
    }

    /// Ends all sessions in the protocol's words, waits until the last of these have arrived, and closes everything.
    func stop() async throws {
        let driver = driver
        try await eventLoop.submit { driver.value.beginStop() }.get()
        let deadline = ContinuousClock.now + Self.farewell
        while try await eventLoop.submit({ driver.value.engine.sessionCount }).get() > 0, ContinuousClock.now < deadline
        {
            try await Task.sleep(for: .milliseconds(20))
        }
        try await eventLoop.submit { driver.value.stop() }.get()
        await channels.close()
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
        guard let section = configuration.soe else { return }
        let driver = driver
        try await eventLoop.submit { driver.value.reconfigure(section.engine) }.get()
    }

    func kick(_ peer: PeerID, for removal: Removal) async throws -> Bool {
        let driver = driver
        return try await eventLoop.submit { driver.value.kick(peer) }.get()
    }

    func rooms() async throws -> [RoomSnapshot] {
        let driver = driver
        return try await eventLoop.submit { driver.value.engine.rooms(at: .now) }.get()
    }

    func status() async throws -> RelayStatus {
        let (driver, name, listeners) = (driver, name, channels.addresses)
        return try await eventLoop.submit {
            let engine = driver.value.engine
            return RelayStatus(
                name: name, listeners: listeners, peers: engine.clientCount, rooms: engine.clientCount,
                queuedBytes: engine.totals.queuedBytes, counters: driver.value.counters,
                figures: engine.figures + [.datagramsNotSent(driver.value.datagramsNotSent)])
        }.get()
    }
}

extension GatewayEngine.Door {
    fileprivate init(_ desk: AdmissionDesk) {
        self.init(
            isBanned: { desk.isBanned($0, at: $1) },
            admit: { address, now in
                do throws(Admission.Refusal) {
                    try desk.admit(address, at: now)
                    return nil
                } catch {
                    return error
                }
            },
            release: { desk.release($0, at: $1) })
    }
}

extension Configuration.SOE {
    /// What the engine is told, the key with it.
    fileprivate var engine: GatewayConfiguration {
        var configuration = gateway
        configuration.key = key.flatMap { RC4Key(hexadecimal: $0.text) }
        return configuration
    }
}

extension GatewayEngine {
    fileprivate var figures: [RelayFigure] {
        let totals = totals
        return [
            RelayFigure(
                name: "backend_connected", kind: .gauge, help: "1 while there is a backend.", value: hasBackend ? 1 : 0),
            RelayFigure(
                name: "datagrams_received_total", kind: .counter,
                help: "Datagrams received, those of strangers included.",
                value: statistics.datagramsReceived),
            RelayFigure(
                name: "datagrams_sent_total", kind: .counter, help: "Datagrams sent to sessions.",
                value: totals.datagramsSent),
            RelayFigure(
                name: "sent_bytes_total", kind: .counter, help: "Bytes of these.", value: totals.bytesSent),
            RelayFigure(
                name: "packets_sent_total", kind: .counter,
                help: "Reliable packets sent, those sent again included.", value: totals.packetsSent),
            RelayFigure(
                name: "packets_resent_total", kind: .counter, help: "Reliable packets sent again.",
                value: totals.packetsResent),
            RelayFigure(
                name: "packets_repeated_total", kind: .counter, help: "Reliable packets received more than once.",
                value: totals.packetsRepeated),
            RelayFigure(
                name: "bad_crc_total", kind: .counter, help: "Datagrams dropped because their CRC was wrong.",
                value: totals.badCRC),
            RelayFigure(
                name: "dropped_total", kind: .counter, help: "Packets dropped for anything else.", value: totals.dropped
            ),
            RelayFigure(
                name: "strangers_total", kind: .counter, help: "Datagrams of nobody known, or that nobody understands.",
                value: statistics.strangers),
            RelayFigure(
                name: "late_frames_total", kind: .counter, help: "Frames of the backend's for sessions that had ended.",
                value: counters.framesTooLate),
        ]
    }
}

extension RelayFigure {
    fileprivate static func datagramsNotSent(_ count: UInt64) -> RelayFigure {
        RelayFigure(
            name: "datagrams_not_sent_total", kind: .counter, help: "Datagrams the system did not take.", value: count)
    }
}
