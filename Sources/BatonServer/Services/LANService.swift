import LANBridge
import LANSockets
import Logging
import NIOConcurrencyHelpers
import QUICTransport
import RelayCore
import ServiceLifecycle

/// The LAN relay as a service: section `lan` of the configuration.
final class LANService: Relay {
    static let protocolName = "lan"

    var name: String { Self.protocolName }
    private let section: Configuration.LAN
    private let context: RelayContext
    private let log: ListenerLog
    private let loop: RelayLoop
    private let listeners = NIOLockedValueBox<[Endpoint]>([])
    /// The files that the certificate was read from, as they were.
    private let files: CertificateFiles?

    /// How long a stop waits until everybody knows.
    private static var farewell: Duration { .seconds(1) }

    /// `nil` without the section.
    init?(_ configuration: Configuration, context: RelayContext) throws {
        guard let section = configuration.lan else { return nil }
        self.section = section
        self.context = context
        log = ListenerLog(context.logger, protocolName: Self.protocolName)
        files = section.certificate.flatMap { certificate in
            section.key.map { CertificateFiles(certificate: certificate, key: $0) }
        }
        do {
            loop = try RelayLoop()
        } catch {
            throw BatonError(.unavailable, "lan: \(error)")
        }
    }

    func start() async throws {
        let certificate = try section.loadCertificate()
        let sockets = try bind()
        do {
            try await loop.start(
                sockets, relay: section.engine, transport: section.transport, certificate: certificate,
                surroundings: RelayDriver.Surroundings(context.desk, log))
        } catch {
            throw BatonError(.unavailable, "lan: \(error)")
        }
        for socket in sockets {
            listeners.withLockedValue { $0.append(socket.local) }
            log.listening(on: socket.local)
            context.onListening(name, socket.local)
            context.portMapping?.listening(name, .udp, socket.local)
        }
        context.logger.notice(
            "the LAN relay's certificate has this fingerprint",
            metadata: ["event": "lan_identity", "protocol": "lan", "fingerprint": "\(certificate.fingerprint)"])
    }

    /// Binds all, or none. A machine without IPv6 does without `[::]` where there is another address.
    private func bind() throws -> [BoundSocket] {
        var sockets: [BoundSocket] = []
        for endpoint in section.listen {
            do throws(NetworkFailure) {
                sockets.append(try BoundSocket(endpoint))
            } catch {
                if error.meansNoIPv6, endpoint.address == .anyIPv6, section.listen.count > 1 {
                    log.noIPv6(endpoint)
                    continue
                }
                for socket in sockets { socket.close() }
                throw BatonError.binding(endpoint, for: name, error)
            }
        }
        return sockets
    }

    /// Serves until the server stops; then everybody is told.
    func run() async throws {
        let (loop, files, log) = (loop, files, log)
        let watching = Task {
            while let files, (try? await Task.sleep(for: .seconds(60))) != nil {
                if let certificate = files.changed(log.certificateFailed) { await loop.use(certificate, log) }
            }
        }
        try await gracefulShutdown()
        watching.cancel()
        _ = await loop.perform { $0.stop() }
        let deadline = ContinuousClock.now + Self.farewell
        while await loop.perform({ $0.connectionCount }) ?? 0 > 0, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(20))
        }
        await loop.stop()
    }

    func beginDrain() async throws {
        _ = await loop.perform { $0.drainRooms() }
    }

    func endDrain() async throws {
        _ = await loop.perform { $0.endDrain() }
    }

    func reconfigure(_ configuration: Configuration) async throws {
        guard let section = configuration.lan else { return }
        let engine = section.engine
        _ = await loop.perform { $0.reconfigure(engine) }
        if let certificate = files?.changed(log.certificateFailed) { await loop.use(certificate, log) }
    }

    func kick(_ peer: PeerID, for removal: Removal) async throws -> Bool {
        await loop.perform { $0.kick(peer, for: removal) } ?? false
    }

    func rooms() async throws -> [RoomSnapshot] {
        await loop.perform { $0.snapshots() } ?? []
    }

    func status() async throws -> RelayStatus {
        let (name, listeners) = (name, listeners.withLockedValue { $0.map(\.description) })
        let status = await loop.perform { driver in
            RelayStatus(
                name: name, listeners: listeners, peers: driver.connectionCount, rooms: driver.engine.roomCount,
                queuedBytes: 0, counters: driver.allCounters, figures: driver.figures)
        }
        return status
            ?? RelayStatus(
                name: name, listeners: [], peers: 0, rooms: 0, queuedBytes: 0, counters: StreamCounters())
    }
}

extension RelayLoop {
    fileprivate func use(_ certificate: TLSCertificate, _ log: ListenerLog) async {
        let failure = await perform { driver -> String? in
            do throws(TLSError) {
                try driver.use(certificate)
                return nil
            } catch {
                return error.description
            }
        }
        if let failure = failure ?? nil { log.certificateFailed("the certificate cannot be used: \(failure)") }
    }
}

extension ListenerLog {
    fileprivate func certificateFailed(_ message: String) { failed("certificate_failed", message) }
}

extension RelayDriver {
    fileprivate var allCounters: StreamCounters {
        var all = counters
        for (reason, count) in engine.droppedFrames { all.dropped.add(Tally([(reason, count)])) }
        return all
    }

    fileprivate var figures: [RelayFigure] {
        let transport = transportCounters
        func counter(_ name: String, _ help: String, _ value: some BinaryInteger) -> RelayFigure {
            RelayFigure(name: name, kind: .counter, help: help, value: UInt64(clamping: value))
        }
        return [
            counter("packets_sent_total", "QUIC packets sent.", transport.packetsSent),
            counter("packets_unsent_total", "QUIC packets that the system did not take.", packetsDropped),
            counter("malformed_packets_total", "UDP datagrams that are no QUIC packets.", transport.malformed),
            counter("handshakes_total", "Handshakes begun.", transport.accepted),
            counter("handshakes_failed_total", "Handshakes that came to nothing.", handshakesFailed),
            counter("handshakes_refused_total", "Strangers sent away before a handshake.", transport.refused),
            counter("retries_total", "Strangers asked to prove their address first.", transport.retries),
            counter(
                "stateless_resets_total", "Packets of connections nobody knows any more.", transport.statelessResets),
            counter("migrations_total", "Peers whose address changed.", transport.migrations),
            counter(
                "undeliverable_frames_total", "Frames for a LAN whose gateway was away, or that were too long.",
                engine.undeliverable),
        ]
    }
}

extension RelayDriver.Surroundings {
    fileprivate init(_ desk: AdmissionDesk, _ log: ListenerLog) {
        self.init(
            admit: { address, evenIfBanned, now in
                do throws(Admission.Refusal) {
                    try desk.admit(address, evenIfBanned: evenIfBanned, at: now)
                    return nil
                } catch {
                    return error
                }
            },
            release: { desk.release($0, at: $1) },
            note: { log.event($0, $1) },
            closed: { log.closed($0, $1, $2) },
            refused: { log.refused($0, $1) },
            findBan: { address, naming, now in
                if let ban = desk.ban(of: address, at: now) { return .banned(reason: ban.reason) }
                return desk.removal(of: naming, in: LANService.protocolName, at: now)
            })
    }
}
