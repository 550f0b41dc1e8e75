import Logging
import NIOConcurrencyHelpers
import NIOCore
import RelayCore
import ServiceLifecycle

/// Has the router let in what the server's players need, as long as `port_mapping` in the configuration asks for it.
final class PortMappingService: Service {
    private struct State {
        var wanted: [PortMapping] = []
        var mapper: PortMapper?
        var events = Tally()
    }

    private let state = NIOLockedValueBox(State())
    private let sections: AsyncStream<Configuration.PortMapping>
    private let reconfiguration: AsyncStream<Configuration.PortMapping>.Continuation
    private let eventLoop: any EventLoop
    private let finder: any GatewayFinder
    private let logger: Logger

    /// How many external ports are tried: the listener's own number, then those above it.
    private static let attempts: UInt16 = 10

    init(
        _ section: Configuration.PortMapping, eventLoop: any EventLoop, finder: any GatewayFinder = UPnPFinder(),
        logger: Logger
    ) {
        (sections, reconfiguration) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.eventLoop = eventLoop
        self.finder = finder
        self.logger = logger
        reconfiguration.yield(section)
    }

    /// A listener is bound. It is mapped once the service runs, if the router can be between it and its players.
    func listening(_ name: String, _ transport: PortMapping.Transport, _ endpoint: Endpoint) {
        guard endpoint.address.ipv4 != nil, !endpoint.address.isLoopback else { return }
        let (last, overflow) = endpoint.port.addingReportingOverflow(Self.attempts - 1)
        let mapping = PortMapping(
            name: name, transport: transport, target: endpoint, externalPorts: endpoint.port...(overflow ? .max : last))
        state.withLockedValue { $0.wanted.append(mapping) }
    }

    /// Takes over another section, when the router is done with the last.
    func reconfigure(_ section: Configuration.PortMapping) {
        reconfiguration.yield(section)
    }

    /// Every port the router is asked for.
    func statuses() async -> [PortMappingStatus] {
        await state.withLockedValue { $0.mapper }?.statuses() ?? []
    }

    /// How often what became of mappings.
    var events: Tally { state.withLockedValue { $0.events } }

    func run() async {
        var running = Configuration.PortMapping()
        for await section in sections.cancelOnGracefulShutdown() where section != running {
            await stop()
            if section.mode == .upnp { start(section) }
            running = section
        }
        await stop()
    }

    private func start(_ section: Configuration.PortMapping) {
        let wanted = state.withLockedValue { $0.wanted }
        guard !wanted.isEmpty else {
            logger.notice(
                "no port is mapped: every listener is on loopback or on IPv6, which needs none",
                metadata: ["event": "port_mapping_idle"])
            return
        }
        let mapper = PortMapper(lease: section.lease, eventLoop: eventLoop, finder: finder) { [weak self] event in
            self?.note(event)
        }
        state.withLockedValue { $0.mapper = mapper }
        for mapping in wanted { mapper.add(mapping) }
    }

    private func stop() async {
        await state.withLockedValue { $0.mapper }?.stop()
        state.withLockedValue { $0.mapper = nil }
    }

    private func note(_ event: PortMappingEvent) {
        let outcome = event.outcome
        state.withLockedValue { $0.events.count(outcome.name) }
        var metadata: Logger.Metadata = [
            "event": "port_\(outcome.name)", "protocol": "\(event.mapping.name)", "address": "\(event.mapping.target)",
        ]
        metadata["external"] = outcome.external.map { "\($0)" }
        metadata["reason"] = outcome.failure.map { "\($0.word)" }
        guard let (level, message) = outcome.line else { return }
        logger.log(level: level, "\(message)", metadata: metadata)
        guard case .mapped(let external) = outcome, let address = external.address, !address.isGlobal else { return }
        metadata["event"] = "port_behind_nat"
        logger.warning(
            "the router's address is none of the internet: the provider, or another router, is in between",
            metadata: metadata)
    }
}

extension PortMappingEvent.Outcome {
    /// For logs (behind `port_`) and metrics.
    fileprivate var name: String {
        switch self {
        case .mapped: "mapped"
        case .renewed: "renewed"
        case .failed: "not_mapped"
        case .notRenewed: "not_renewed"
        case .lost: "lost"
        case .removed: "removed"
        case .left: "left"
        }
    }

    fileprivate var external: ExternalPort? {
        switch self {
        case .mapped(let external), .renewed(let external), .notRenewed(let external, _, isNews: _),
            .lost(let external, _), .removed(let external), .left(let external, _, isPermanent: _):
            external
        case .failed: nil
        }
    }

    fileprivate var failure: PortMappingFailure? {
        switch self {
        case .failed(let failure, isNews: _), .notRenewed(_, let failure, isNews: _), .lost(_, let failure),
            .left(_, let failure, isPermanent: _):
            failure
        case .mapped, .renewed, .removed: nil
        }
    }

    /// What the log says; `nil` if it is no news.
    fileprivate var line: (Logger.Level, String)? {
        switch self {
        case .mapped: (.notice, "port mapped")
        case .removed: (.notice, "port mapped no more")
        case .renewed, .failed(_, isNews: false), .notRenewed(_, _, isNews: false): nil
        case .failed(let failure, isNews: true):
            (.warning, "the port is not mapped (it is tried again): \(failure.sentence)")
        case .notRenewed(_, let failure, isNews: true):
            (.warning, "the port's mapping is not renewed yet: \(failure.sentence)")
        case .lost(_, let failure): (.warning, "the port's mapping is lost: \(failure.sentence)")
        case .left(_, let failure, isPermanent: false):
            (.warning, "the mapping ends with its lease only: \(failure.sentence)")
        case .left(_, let failure, isPermanent: true):
            (.warning, "the mapping stays until it is deleted in the router's own settings: \(failure.sentence)")
        }
    }
}
