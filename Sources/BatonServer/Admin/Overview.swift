import RelayCore

/// Everything the admin listener can tell, gathered from its owners when somebody asks.
struct Overview: Sendable {
    let relays: [any Relay]
    let dedicated: DedicatedService?
    let desk: AdmissionDesk
    let bans: BanDesk
    let portMapping: PortMappingService
    let phase: ServerPhase
    let drain: Drain
    let reloader: Reloader
    let logSettings: LogSettings
    let history: TrafficHistory
    let events: EventFeed

    func statuses() async throws -> [RelayStatus] {
        var statuses: [RelayStatus] = []
        for relay in relays { statuses.append(try await relay.status()) }
        return statuses
    }
}
