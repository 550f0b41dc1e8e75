import JSONRelay
import RelayCore

/// The JSON relay as a service: section `json` of the configuration.
struct JSONService: Relay {
    private let relay: StreamRelay

    var name: String { relay.name }

    /// `nil` without the section.
    init?(_ configuration: Configuration, context: RelayContext) async throws {
        guard let section = configuration.json else { return nil }
        var settings = StreamSettings()
        settings.queue = SendQueue.Limits(bytes: section.queueBytes, frames: section.queueFrames)
        settings.proxySources = section.proxyProtocolFrom
        settings.userTimeout = section.userTimeout
        relay = try await StreamRelay(name: "json", endpoints: section.listen, settings: settings, context: context) {
            JSONRelayEngine(configuration: section.relay)
        }
    }

    func start() async throws { try await relay.start() }
    func run() async throws { try await relay.run() }
    func beginDrain() async throws { try await relay.beginDrain() }
    func status() async throws -> RelayStatus { try await relay.status() }
    func rooms() async throws -> [RoomSnapshot] { try await relay.rooms() }

    func reconfigure(_ configuration: Configuration) async throws {
        guard let section = configuration.json else { return }
        try await relay.update { (engine: inout JSONRelayEngine) in engine.reconfigure(section.relay) }
    }
}
