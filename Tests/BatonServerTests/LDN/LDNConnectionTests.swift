import LDN
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RelayCore
import RelayNIO
import Testing

@testable import BatonServer

@Suite("LDN clients over sockets", .timeLimit(.minutes(5)))
struct LDNConnectionTests {
    @Test func aSessionFromHandshakeToEnd() async throws {
        try await master { relay in
            let (hostEvents, guestEvents) = (Heard(), Heard())
            let host = try await LDNConnection.connect(to: relay.endpoint, configuration: patient) {
                hostEvents.add($0)
            }
            let guest = try await LDNConnection.connect(to: relay.endpoint, configuration: patient) {
                guestEvents.add($0)
            }
            let identities = (try await host.ready(), try await guest.ready())
            #expect(identities.0.macAddress != identities.1.macAddress)
            try await guest.ping()
            let opened = try await host.create(NetworkPlan())
            let found = try await guest.scan()
            #expect(found.map(\.networkID) == [opened.network.networkID])
            let place = try await guest.join(found[0])
            let (speaker, listener) = (try await guest.openSocket(), try await host.openSocket(port: 7))
            try await guest.send(
                ByteBuffer(string: "hello"), from: speaker, to: VirtualEndpoint(address: .host, port: 7))
            try await hostEvents.until { events in
                events.contains(
                    .datagram(
                        listener, from: VirtualEndpoint(address: place.address, port: speaker.port),
                        ByteBuffer(string: "hello")))
            }
            #expect(try await host.reject(nodeID: 1))
            try await guestEvents.until { $0.contains(.leftOut(wasRejected: true)) }
            await host.close()
            await host.ended()
            await #expect(throws: LDNClientFailure.closedHere) { try await host.scan() }
            await guest.close()
            try await relay.until { $0.peers == 0 && $0.rooms == 0 }
        }
    }

    @Test func aMasterThatGoesIsTold() async throws {
        try await master { relay in
            let client = try await LDNConnection.connect(to: relay.endpoint, configuration: patient)
            _ = try await client.ready()
            try await relay.relay.stop()
            await client.ended()
            await #expect(throws: LDNClientFailure.connectionEnded) { try await client.scan() }
        }
    }

    @Test func nobodyThereIsTold() async throws {
        let closed = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let endpoint = try #require(closed.localAddress?.endpoint)
        try await closed.close()
        await #expect(throws: LDNConnection.NotConnected.self) { try await LDNConnection.connect(to: endpoint) }
    }

    @Test func theProbesStepsAllSucceed() async throws {
        try await master { relay in
            let outcomes = NIOLockedValueBox<[MasterProbe.Outcome]>([])
            await MasterProbe(relay.endpoint, patience: .seconds(120)).run { outcome in
                outcomes.withLockedValue { $0.append(outcome) }
            }
            let all = outcomes.withLockedValue { $0 }
            #expect(all.map(\.step) == MasterProbe.Step.allCases)
            #expect(all.allSatisfy { $0.failure == nil }, "\(all)")
            try await relay.until { $0.peers == 0 && $0.rooms == 0 }
        }
    }

    // MARK: A host that relays

    @Test func aProxyHostServesJoinersUntilItIsStopped() async throws {
        try await master { relay in
            let router = ScriptedRouter()
            let hosting = AsyncStream.makeStream(of: ProxyHost.Hosting.self)
            var host = host(at: relay.endpoint, router)
            host.port = 0
            let running = Task { [host] in try await host.run { hosting.continuation.yield($0) } }
            var announced: ProxyHost.Hosting?
            for await one in hosting.stream {
                announced = one
                break
            }
            let network = try #require(announced).network
            #expect(network.ldn.nodeCountMax == 8 && announced?.externalPort == announced?.internalEndpoint.port)
            let (aEvents, bEvents) = (Heard(), Heard())
            let a = try await LDNConnection.connect(to: relay.endpoint, configuration: patient) { aEvents.add($0) }
            let b = try await LDNConnection.connect(to: relay.endpoint, configuration: patient) { bEvents.add($0) }
            for player in [a, b] {
                _ = try await player.ready()
                let place = try await player.join(network)
                #expect(place.route == .proxy(try #require(announced).internalEndpoint))
            }
            let sockets = (try await a.openSocket(port: 7), try await b.openSocket(port: 7))
            try await a.send(
                ByteBuffer(string: "all"), from: sockets.0, to: VirtualEndpoint(address: .broadcast, port: 7))
            for events in [aEvents, bEvents] {
                try await events.until { $0.contains { if case .datagram = $0 { true } else { false } } }
            }
            running.cancel()
            await #expect(throws: CancellationError.self) { try await running.value }
            try await aEvents.until { $0.contains(.leftOut(wasRejected: false)) }
            #expect(router.asked == [], "with a port of its own the router is not asked")
            await a.close()
            await b.close()
            try await relay.until { $0.peers == 0 && $0.rooms == 0 }
        }
    }

    @Test func withoutAPortTheRouterIsAskedAndWithoutARouterThereIsNoHost() async throws {
        try await master { relay in
            let router = ScriptedRouter(.init(findFailure: .noGateway))
            await #expect(throws: BatonError.self) { try await host(at: relay.endpoint, router).run() }
            #expect(router.asked == [.find])
            try await relay.until { $0.peers == 0 && $0.rooms == 0 }
        }
    }

    @Test func aMasterThatGoesEndsTheHost() async throws {
        try await master { relay in
            var host = host(at: relay.endpoint, ScriptedRouter())
            host.port = 0
            let started = AsyncStream.makeStream(of: Void.self)
            let running = Task { [host] in try await host.run { _ in started.continuation.yield() } }
            for await _ in started.stream { break }
            try await relay.relay.stop()
            await #expect(throws: BatonError.self) { try await running.value }
        }
    }

    // MARK: Within

    /// A busy machine must not make a request fail.
    private var patient: LDNClientConfiguration {
        var configuration = LDNClientConfiguration()
        configuration.handshakeTimeout = .seconds(120)
        configuration.scanTimeout = .seconds(120)
        configuration.entryTimeout = .seconds(120)
        configuration.proxyTimeout = .seconds(120)
        configuration.rejectTimeout = .seconds(120)
        configuration.pingTimeout = .seconds(120)
        return configuration
    }

    private func host(at master: Endpoint, _ router: ScriptedRouter) -> ProxyHost {
        let silence = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        guard let name = RemoteHost("\(master)", defaultPort: 0) else { preconditionFailure("\(master)") }
        var host = ProxyHost(master: name, logger: silence)
        host.finder = router
        host.client = patient
        host.proxy.tokenWait = .seconds(120)
        return host
    }

    private func master(_ body: (Loopback<LDNEngine>) async throws -> Void) async throws {
        try await Loopback<LDNEngine>.with(makeEngine: { LDNEngine(configuration: LDNConfiguration()) }, body)
    }
}

/// What a client told.
private final class Heard: Sendable {
    private let events = NIOLockedValueBox<[LDNClientEvent]>([])

    func add(_ event: LDNClientEvent) { events.withLockedValue { $0.append(event) } }

    func until(_ condition: ([LDNClientEvent]) -> Bool) async throws {
        while !condition(events.withLockedValue { $0 }) { try await Task.sleep(for: .milliseconds(1)) }
    }
}
