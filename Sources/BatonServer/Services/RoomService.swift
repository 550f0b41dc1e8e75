import Netplay
import RelayCore

/// Netplay rooms without a host as a service: section `netplay.rooms` of the configuration.
struct RoomService: StreamService {
    let relay: StreamRelay

    /// `nil` without the section.
    init?(_ configuration: Configuration, context: RelayContext) async throws {
        guard let section = configuration.netplay?.rooms else { return nil }
        var settings = Self.settings(maxStateBytes: section.rooms.maxStateBytes)
        settings.proxySources = section.proxyProtocolFrom
        settings.userTimeout = section.userTimeout
        relay = try await StreamRelay(
            name: "netplay_rooms", endpoints: section.listen, settings: settings, context: context
        ) {
            RoomEngine(configuration: section.engine)
        }
    }

    func reconfigure(_ configuration: Configuration) async throws {
        guard let section = configuration.netplay?.rooms else { return }
        try await relay.update { (engine: inout RoomEngine) in engine.reconfigure(section.engine) }
    }

    /// A guest's queue holds a savestate and, while that crosses a slow line, minutes of frames.
    static func settings(maxStateBytes: Int) -> StreamSettings {
        var settings = StreamSettings()
        settings.queue = SendQueue.Limits(bytes: maxStateBytes + 4 << 20, frames: 1 << 16)
        return settings
    }
}

extension Configuration.Rooms {
    /// What the engine is told, the password with it.
    fileprivate var engine: RoomConfiguration {
        var configuration = rooms
        configuration.password = password?.text
        return configuration
    }
}
