import JSONRelay
import RelayCore

/// The JSON relay as a service: section `json` of the configuration.
struct JSONService: StreamService {
    let relay: StreamRelay

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

    func reconfigure(_ configuration: Configuration) async throws {
        guard let section = configuration.json else { return }
        try await relay.update { (engine: inout JSONRelayEngine) in engine.reconfigure(section.relay) }
    }
}
