import Logging
import NIOConcurrencyHelpers
import NIOPosix
import RelayCore
import Testing

@testable import BatonServer

@Suite(.timeLimit(.minutes(5))) struct PortMappingServiceTests {
    /// The service between a scripted router and a log.
    private struct House: Sendable {
        let router: ScriptedRouter
        let service: PortMappingService
        private let lines: AsyncStream<String>

        init(_ router: ScriptedRouter = ScriptedRouter(), mode: Configuration.PortMapping.Mode = .upnp) {
            let (lines, continuation) = AsyncStream.makeStream(of: String.self)
            let logger = Logger(label: "test") { _ in
                LineLogHandler(format: .text, settings: LogSettings(.init())) { continuation.yield($0) }
            }
            self.router = router
            self.lines = lines
            service = PortMappingService(
                Self.section(mode), eventLoop: MultiThreadedEventLoopGroup.singleton.next(), finder: router,
                logger: logger)
        }

        static func section(_ mode: Configuration.PortMapping.Mode, lease: Int = 60) -> Configuration.PortMapping {
            var section = Configuration.PortMapping()
            section.mode = mode
            section.lease = .seconds(lease)
            return section
        }

        func listening(_ name: String, _ address: String, _ port: UInt16) throws {
            service.listening(name, .tcp, Endpoint(address: try #require(IPAddress(address)), port: port))
        }

        /// Runs the service for as long as `body` takes.
        func run(_ body: () async throws -> Void) async throws {
            let task = Task { await service.run() }
            do {
                try await body()
            } catch {
                task.cancel()
                throw error
            }
            task.cancel()
            await task.value
        }

        /// Waits for a line of the log, beyond those waited for before.
        func line(_ event: String) async throws -> String {
            for await line in lines where line.hasSuffix("event=\(event)\n") { return line }
            throw CancellationError()
        }
    }

    @Test func whatPlayersNeedIsMapped() async throws {
        let house = House()
        try house.listening("netplay", "0.0.0.0", 55435)
        try house.listening("netplay", "::", 55435)
        try house.listening("json", "127.0.0.1", 5300)
        try house.listening("soe", "192.168.1.2", 65535)
        try await house.run {
            let line = try await house.line("port_mapped")
            #expect(
                line.contains(
                    "port mapped protocol=netplay address=0.0.0.0:55435 external=203.0.113.7:55435"), "\(line)")
            #expect(try await house.line("port_mapped").contains("external=203.0.113.7:65535"))
            #expect(house.router.ports == [55435, 65535])
            let statuses = await house.service.statuses()
            #expect(statuses.map(\.mapping.name) == ["netplay", "soe"])
            #expect(statuses.allSatisfy { $0.external != nil })
        }
        #expect(house.router.ports.isEmpty)
        #expect(try await house.line("port_removed").contains("protocol=netplay"))
        #expect(house.service.events["mapped"] == 2 && house.service.events["removed"] == 2)
    }

    @Test func withNothingToMapNobodyIsAsked() async throws {
        let house = House()
        try house.listening("netplay", "127.0.0.1", 55435)
        try house.listening("netplay", "::", 55435)
        try await house.run { _ = try await house.line("port_mapping_idle") }
        #expect(house.router.asked.isEmpty)
    }

    @Test func aReloadTurnsItOnAndOff() async throws {
        let house = House(mode: .off)
        try house.listening("netplay", "0.0.0.0", 55435)
        try await house.run {
            house.service.reconfigure(House.section(.upnp))
            _ = try await house.line("port_mapped")
            // The same again changes nothing.
            house.service.reconfigure(House.section(.upnp))
            house.service.reconfigure(House.section(.upnp, lease: 100))
            _ = try await house.line("port_removed")
            _ = try await house.line("port_mapped")
            #expect(house.router.state.withLockedValue { $0.entries[55435]?.leaseSeconds } == 100)
            house.service.reconfigure(House.section(.off))
            _ = try await house.line("port_removed")
            #expect(house.router.ports.isEmpty)
        }
        #expect(house.service.events["mapped"] == 2)
        // Per life of a mapping: a search, an addition and a removal; and nothing while it is off.
        #expect(house.router.asked.count == 6)
    }

    @Test func aRouterBehindAnotherIsTold() async throws {
        let house = House()
        try house.listening("netplay", "0.0.0.0", 55435)
        try await house.run {
            let line = try await house.line("port_behind_nat")
            #expect(line.contains(" warning ") && line.contains("external=203.0.113.7:55435"), "\(line)")
        }
    }

    @Test func withoutARouterTheReasonIsLogged() async throws {
        let house = House(ScriptedRouter(.init(findFailure: .noGateway)))
        try house.listening("netplay", "0.0.0.0", 55435)
        try await house.run {
            let line = try await house.line("port_not_mapped")
            #expect(line.contains(" warning ") && line.contains("reason=no_gateway"), "\(line)")
            #expect(await house.service.statuses().map(\.failure) == [.noGateway])
        }
    }
}
