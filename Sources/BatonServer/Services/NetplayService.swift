import Netplay
import RelayCore

/// The netplay tunnel as a service: section `netplay` of the configuration.
struct NetplayService: StreamService {
    let relay: StreamRelay

    /// A paused sender that hangs up leaves its whole receive buffer, which is read at once: all of it must have room.
    static var settings: StreamSettings {
        var settings = StreamSettings()
        settings.queue = SendQueue.Limits(bytes: 4 * settings.receiveBuffer, frames: 1 << 16)
        return settings
    }

    /// `nil` without the section.
    init?(_ configuration: Configuration, context: RelayContext) async throws {
        guard let section = configuration.netplay else { return nil }
        var settings = Self.settings
        settings.proxySources = section.proxyProtocolFrom
        settings.userTimeout = section.userTimeout
        relay = try await StreamRelay(
            name: "netplay", endpoints: section.listen, settings: settings, context: context
        ) {
            NetplayEngine(configuration: section.tunnel)
        }
    }

    func reconfigure(_ configuration: Configuration) async throws {
        guard let section = configuration.netplay else { return }
        try await relay.update { (engine: inout NetplayEngine) in engine.reconfigure(section.tunnel) }
    }
}
