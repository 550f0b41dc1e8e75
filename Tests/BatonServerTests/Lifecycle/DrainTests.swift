import Logging
import NIOConcurrencyHelpers
import RelayCore
import Testing

@testable import BatonServer

@Suite struct DrainTests {
    /// Notes in which order relays hear of a drain.
    private struct Listener: Relay {
        let name: String
        let isList: Bool
        let heard: NIOLockedValueBox<[String]>

        func beginDrain() async throws { heard.withLockedValue { $0.append(name) } }
        func endDrain() async throws { heard.withLockedValue { $0.append("\(name) again") } }
        func start() async throws {}
        func run() async throws {}
        func reconfigure(_ configuration: Configuration) async throws {}
        func rooms() async throws -> [RoomSnapshot] { [] }
        func status() async throws -> RelayStatus {
            RelayStatus(name: name, listeners: [], peers: 0, rooms: 1, queuedBytes: 0, counters: StreamCounters())
        }
    }

    @Test func listsStopFirst() async throws {
        let heard = NIOLockedValueBox<[String]>([])
        let relays = [("tunnel", false), ("list", true), ("rooms", false)].map {
            Listener(name: $0, isList: $1, heard: heard)
        }
        let drain = Drain(
            relays: relays, phase: ServerPhase(),
            logger: Logger(label: "drain", factory: { _ in SwiftLogNoOpLogHandler() }))
        try await drain.begin(timeout: .seconds(600))
        #expect(heard.withLockedValue { $0 } == ["list", "tunnel", "rooms"])
        try await drain.end()
        await #expect(throws: Drain.NotDraining.self) { try await drain.end() }
    }
}
