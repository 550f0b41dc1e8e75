import Glibc
public import LDN
public import Logging
import NIOConcurrencyHelpers
public import NIOCore
import NIOPosix
public import RelayCore
import RelayNIO

/// A host's P2P proxy on sockets: `P2PProxyEngine` behind a listener, and its port mapped at the router on request.
///
/// Every call is safe from any thread and task. What the host must tell the master is told by `onPlayerLeft`; the
/// callbacks run on the proxy's event loop and must not block.
public final class P2PProxyServer: Sendable {
    /// What goes on in a proxy.
    public struct Status: Sendable, Equatable {
        /// Who has shown a token.
        public var players: [VirtualAddress]
        /// Connections, players and others.
        public var connections: Int
        public var waitingTokens: Int
        /// Sockets that are not closed yet.
        public var openSockets: Int
    }

    private enum State {
        case idle
        case starting
        case running(any Channel)
        case stopped
    }

    private let eventLoop: any EventLoop
    private let driver: NIOLoopBound<StreamDriver>
    private let settings: StreamSettings
    private let log: ListenerLog
    private let logger: Logger
    private let state = NIOLockedValueBox(State.idle)
    private let stopped: EventLoopPromise<Void>
    private let mapping = NIOLockedValueBox<(mapper: PortMapper, external: ExternalPort?)?>(nil)
    private let finder: any GatewayFinder

    /// How long a stop waits for the last bytes to leave.
    private static var farewell: Duration { .milliseconds(500) }
    private static var lease: Duration { .seconds(60) }
    /// Few connections are held at a time whatever their rate, so that is bounded against bursts of work only.
    private static var connectionRate: TokenBucket.Rate { .init(perSecond: 5000, burst: 20_000) }

    /// - Parameters:
    ///   - onPlayerLeft: the master must be told of it: `ExternalProxyState` of this address, not connected.
    ///   - onHostData: gets what players say to the host, once `setHostVirtualIP` has said who that is.
    public convenience init(
        configuration: P2PProxyConfiguration = .init(), logger: Logger,
        onPlayerLeft: @escaping @Sendable (VirtualAddress) -> Void,
        onHostData: @escaping @Sendable (HostDatagram) -> Void = { _ in }
    ) async throws {
        try await self.init(
            configuration: configuration, logger: logger, finder: UPnPFinder(), onPlayerLeft: onPlayerLeft,
            onHostData: onHostData)
    }

    init(
        configuration: P2PProxyConfiguration = .init(), logger: Logger, settings: StreamSettings = .init(),
        finder: any GatewayFinder, onPlayerLeft: @escaping @Sendable (VirtualAddress) -> Void,
        onHostData: @escaping @Sendable (HostDatagram) -> Void = { _ in }
    ) async throws {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let log = ListenerLog(logger, protocolName: "ldn-proxy")
        self.eventLoop = eventLoop
        self.logger = logger
        self.settings = settings
        self.finder = finder
        self.log = log
        stopped = eventLoop.makePromise()
        var limits = Admission.Limits()
        limits.newConnections = Self.connectionRate
        let desk = AdmissionDesk(limits: limits, bans: BanList())
        driver = try await eventLoop.submit {
            let driver = StreamDriver(
                engine: P2PProxyEngine(configuration: configuration), settings: settings, desk: desk, log: log,
                eventLoop: eventLoop,
                onEvent: { event in
                    if case .playerLeft(_, let address)? = event as? P2PProxyEvent { onPlayerLeft(address) }
                },
                onDelivery: { bytes in HostDatagram(bytes).map(onHostData) })
            return NIOLoopBound(driver, eventLoop: eventLoop)
        }.get()
    }

    deinit {
        // A promise must be kept; who never started has nothing to stop.
        stopped.succeed()
    }

    // MARK: Start and stop

    /// Listens on the first free of these ports. Returns it.
    ///
    /// - Parameters:
    ///   - ports: `0...0` is any free port.
    ///   - address: all IPv4 addresses of this machine, by default.
    /// - Throws: `BatonError` if none can be had, or if the proxy was started before.
    @discardableResult
    public func start(
        ports: ClosedRange<UInt16> = P2PProxyConfiguration.ports, on address: IPAddress = IPAddress(ipv4: 0)
    ) async throws -> UInt16 {
        let isFirst = state.withLockedValue { state in
            guard case .idle = state else { return false }
            state = .starting
            return true
        }
        guard isFirst else { throw BatonError(.unavailable, "a P2P proxy is started once") }
        let channel: any Channel
        do {
            channel = try await bind(ports, on: address)
        } catch {
            finishStop()
            throw error
        }
        let isWanted = state.withLockedValue { state in
            guard case .starting = state else { return false }
            state = .running(channel)
            return true
        }
        guard isWanted else {
            try? await channel.close()
            throw BatonError(.unavailable, "the P2P proxy was stopped while it was started")
        }
        return UInt16(clamping: channel.localAddress?.port ?? 0)
    }

    /// Takes no more connections, closes those there are without a word to the master, and takes the mapping back. A
    /// second call, from wherever, returns when the first does.
    public func stop() async {
        let last = state.withLockedValue { state in
            defer { state = .stopped }
            return state
        }
        switch last {
        case .stopped:
            break
        case .idle, .starting:
            await releaseNatPunch()
            stopped.succeed()
        case .running(let listener):
            try? await listener.close()
            let driver = driver
            try? await eventLoop.submit { driver.value.stop() }.get()
            await releaseNatPunch()
            await lastBytesLeft()
            stopped.succeed()
        }
        try? await stopped.futureResult.get()
    }

    public var isRunning: Bool {
        state.withLockedValue { if case .running = $0 { true } else { false } }
    }

    /// The port of this machine; 0 while it does not run.
    public var privatePort: UInt16 {
        state.withLockedValue { state in
            guard case .running(let channel) = state else { return 0 }
            return UInt16(clamping: channel.localAddress?.port ?? 0)
        }
    }

    /// The router's port that leads here; 0 without one.
    public var publicPort: UInt16 { mapping.withLockedValue { $0?.external?.port ?? 0 } }

    // MARK: The router

    /// Has the router let in one of its ports 39990 to 39999, for as long as the proxy runs. Returns that port; 0 if
    /// there is none to be had, the reason being in the log.
    public func natPunch() async -> UInt16 {
        let privatePort = privatePort
        guard privatePort > 0 else { return 0 }
        let mapper = PortMapper(lease: Self.lease, eventLoop: eventLoop, finder: finder) { [weak self] event in
            self?.note(event)
        }
        let isFirst = mapping.withLockedValue { mapping in
            guard mapping == nil else { return false }
            mapping = (mapper, nil)
            return true
        }
        guard isFirst else {
            await mapper.stop()
            return publicPort
        }
        let wanted = PortMapping(
            name: "ldn", transport: .tcp, target: Endpoint(address: IPAddress(ipv4: 0), port: privatePort),
            externalPorts: P2PProxyConfiguration.ports)
        do {
            let external = try await mapper.map(wanted)
            if isRunning { return external.port }
            // A stop came meanwhile, and may have seen no mapping yet.
            await releaseNatPunch()
            return 0
        } catch {
            await releaseNatPunch()
            return 0
        }
    }

    /// Takes the mapping back, if there is one.
    public func releaseNatPunch() async {
        // It stays known while that lasts, so that a second caller waits for the same end.
        await mapping.withLockedValue { $0?.mapper }?.stop()
        mapping.withLockedValue { $0 = nil }
    }

    // MARK: What the master says

    /// A joiner is to come.
    public func addWaitingToken(_ token: ExternalProxyToken) {
        give { engine, out in engine.addWaitingToken(token, at: .now, into: &out) }
    }

    /// A player has gone from its network.
    public func handleExternalProxyStateChange(_ state: ExternalProxyConnectionState) {
        give { engine, out in engine.handleExternalProxyStateChange(state, at: .now, into: &out) }
    }

    // MARK: The host's own traffic

    /// Says who the host is, that is in this process.
    public func setHostVirtualIP(_ address: VirtualAddress) {
        give { engine, _ in engine.setHostVirtualIP(address) }
    }

    /// Sends what the host says to a player, or to all. Returns whether it was sent to anybody.
    ///
    /// - Throws: `HostTrafficError`
    public func broadcastFromHost(_ header: ProxyDataHeader, data: ByteBuffer) async throws -> Bool {
        let driver = driver
        return try await eventLoop.submit {
            try driver.value.perform { (engine: inout P2PProxyEngine, out) throws(HostTrafficError) in
                try engine.broadcastFromHost(header, data: data, into: &out)
            }
        }.get()
    }

    public func status() async throws -> Status {
        let driver = driver
        return try await eventLoop.submit {
            guard let engine = driver.value.engine as? P2PProxyEngine else {
                preconditionFailure("the engine is another one")
            }
            return Status(
                players: engine.playerAddresses, connections: driver.value.peerCount,
                waitingTokens: engine.waitingTokens, openSockets: driver.value.openSockets)
        }.get()
    }

    /// All counters, by the words of the metrics.
    func counters() async throws -> StreamCounters {
        let driver = driver
        return try await eventLoop.submit { driver.value.allCounters }.get()
    }

    // MARK: Within

    private func give(_ input: @escaping @Sendable (inout P2PProxyEngine, inout Outbox) -> Void) {
        let (driver, state) = (driver, state)
        eventLoop.execute {
            // Behind a stop there is nobody to tell, and a token would wait for ever.
            if case .stopped = state.withLockedValue({ $0 }) { return }
            driver.value.perform(input)
        }
    }

    private func bind(_ ports: ClosedRange<UInt16>, on address: IPAddress) async throws -> any Channel {
        let listener = StreamListener(driver: driver, eventLoop: eventLoop, settings: settings, log: log)
        for port in ports {
            let endpoint = Endpoint(address: address, port: port)
            do {
                let channel = try await listener.bind(SocketAddress(ipAddress: "\(address)", port: Int(port)))
                log.listening(on: channel.localAddress?.endpoint ?? endpoint)
                return channel
            } catch let error as IOError where error.errnoCode == EADDRINUSE && port < ports.upperBound {
                continue
            } catch {
                throw BatonError.binding(endpoint, for: "ldn proxy", error)
            }
        }
        throw BatonError(.unavailable, "ldn proxy: ports \(ports) are in use by other programs")
    }

    private func finishStop() {
        state.withLockedValue { $0 = .stopped }
        stopped.succeed()
    }

    private func lastBytesLeft() async {
        let driver = driver
        let deadline = ContinuousClock.now + Self.farewell
        while (try? await eventLoop.submit({ driver.value.openSockets }).get()) ?? 0 > 0, ContinuousClock.now < deadline
        {
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    private func note(_ event: PortMappingEvent) {
        let outcome = event.outcome
        mapping.withLockedValue { mapping in
            switch outcome {
            case .mapped(let external), .renewed(let external): mapping?.external = external
            case .lost, .removed, .left: mapping?.external = nil
            case .failed, .notRenewed: break
            }
        }
        outcome.log(event.mapping, to: logger)
    }
}
