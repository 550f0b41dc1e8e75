import Netplay
import RelayCore

/// The netplay tunnel as a service: section `netplay` of the configuration.
struct NetplayService: Relay {
    private let relay: StreamRelay

    var name: String { relay.name }

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

    func start() async throws { try await relay.start() }
    func run() async throws { try await relay.run() }
    func beginDrain() async throws { try await relay.beginDrain() }
    func status() async throws -> RelayStatus { try await relay.status() }
    func rooms() async throws -> [RoomSnapshot] { try await relay.rooms() }

    func reconfigure(_ configuration: Configuration) async throws {
        guard let section = configuration.netplay else { return }
        try await relay.update { (engine: inout NetplayEngine) in engine.reconfigure(section.tunnel) }
    }
}
