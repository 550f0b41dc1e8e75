import LDN
import RelayCore

/// The LDN master as a service: section `ldn` of the configuration.
struct LDNService: StreamService {
    let relay: StreamRelay

    /// `nil` without the section.
    init?(_ configuration: Configuration, context: RelayContext) async throws {
        guard let section = configuration.ldn else { return nil }
        var settings = StreamSettings()
        settings.queue = SendQueue.Limits(bytes: section.queueBytes, frames: section.queueFrames)
        settings.proxySources = section.proxyProtocolFrom
        settings.userTimeout = section.userTimeout
        relay = try await StreamRelay(name: "ldn", endpoints: section.listen, settings: settings, context: context) {
            LDNEngine(configuration: section.master)
        }
    }

    /// A copy of all networks, private ones included.
    func networks() async throws -> [NetworkSnapshot] {
        try await relay.read { (engine: LDNEngine) in engine.networkSnapshots }
    }

    func reconfigure(_ configuration: Configuration) async throws {
        guard let section = configuration.ldn else { return }
        try await relay.update { (engine: inout LDNEngine) in engine.reconfigure(section.master) }
    }
}
