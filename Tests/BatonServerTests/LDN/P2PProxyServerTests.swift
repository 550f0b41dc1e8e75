import LDN
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RelayCore
import Testing

@testable import BatonServer

@Suite("P2P proxy over sockets", .timeLimit(.minutes(5)))
struct P2PProxyServerTests {
    @Test func playersComeAndPlay() async throws {
        try await withProxy { proxy in
            let (a, b) = (try await proxy.player(2), try await proxy.player(3))
            try await a.send(.proxyData(Self.header(to: .broadcast), data: ByteBuffer(string: "all")))
            for player in [a, b] {
                let (type, payload) = try await player.packet()
                #expect(type == .proxyData && payload.suffix(3).elementsEqual("all".utf8))
                #expect(payload.prefix(4).elementsEqual([2, 0, 0x72, 0x0A]), "the source is filled in")
            }
            try await a.close()
            try await proxy.until { $0.left == [.player(2)] }
            try await b.close()
        }
    }

    @Test func aTokenThatComesLaterIsEnough() async throws {
        try await withProxy { proxy in
            let late = try await proxy.connect()
            try await late.send(.showing(5))
            try await proxy.until { $0.status.connections == 1 }
            proxy.server.addWaitingToken(.of(5))
            // It may have been a second before the token: then it is closed, and comes again.
            if let (type, _) = try? await late.packet() {
                #expect(type == .proxyConfig)
            } else {
                let again = try await proxy.connect()
                try await again.send(.showing(5))
                #expect(try await again.packet().type == .proxyConfig)
                try await again.close()
            }
            try? await late.close()
        }
    }

    @Test func aTokenIsGoodOnce() async throws {
        try await withProxy { proxy in
            let first = try await proxy.player(2)
            let second = try await proxy.connect()
            try await second.send(.showing(2))
            #expect(try await second.readToEnd() == [])
            try? await second.close()
            #expect(try await proxy.server.status().players == [.player(2)])
            try await first.close()
        }
    }

    @Test func theMasterHasAPlayerPutOut() async throws {
        try await withProxy { proxy in
            let player = try await proxy.player(2)
            var gone = ExternalProxyConnectionState()
            gone.ipAddress = .player(2)
            proxy.server.handleExternalProxyStateChange(gone)
            #expect(try await player.readToEnd() == [])
            try? await player.close()
            #expect(proxy.left == [])
        }
    }

    @Test func theHostPlaysInThisProcess() async throws {
        try await withProxy { proxy in
            proxy.server.setHostVirtualIP(.host)
            let player = try await proxy.player(2)
            try await player.send(.proxyData(Self.header(to: .host), data: ByteBuffer(string: "hello")))
            try await proxy.until { $0.heard == ["hello"] }
            #expect(
                try await proxy.server.broadcastFromHost(Self.header(to: .broadcast), data: ByteBuffer(string: "you")))
            let (type, payload) = try await player.packet()
            #expect(type == .proxyData && payload.suffix(3).elementsEqual("you".utf8))
            await #expect(throws: HostTrafficError.foreignSource) {
                var header = Self.header(to: .broadcast)
                header.info.sourceIPv4 = .player(9)
                _ = try await proxy.server.broadcastFromHost(header, data: ByteBuffer())
            }
            try await player.close()
        }
    }

    @Test func aSlowPlayerIsDroppedAndNobodyElseDelayed() async throws {
        var settings = StreamSettings()
        settings.queue = SendQueue.Limits(bytes: 64 << 10, frames: 512)
        try await withProxy(settings: settings) { proxy in
            let (a, slow) = (try await proxy.player(2), try await proxy.player(3))
            try await slow.setReading(false)
            let data = ByteBuffer(repeating: 1, count: 60_000)
            for _ in 0..<2000 where !proxy.left.contains(.player(3)) {
                try await a.send(.proxyData(Self.header(to: .broadcast), data: data))
                #expect(try await a.packet().type == .proxyData)
            }
            #expect(proxy.left == [.player(3)])
            try? await slow.close()
            try await a.close()
        }
    }

    @Test func manyReconnectsLeaveNothingBehind() async throws {
        try await withProxy { proxy in
            for number in UInt32(0)..<1500 {
                let player = try await proxy.player(2 + number % 250)
                try await player.close()
            }
            try await proxy.until { $0.status.openSockets == 0 && $0.left.count == 1500 }
            #expect(try await proxy.server.status().waitingTokens == 0)
        }
    }

    // MARK: Start and stop

    @Test func aTakenPortLeadsToTheNext() async throws {
        let other = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let taken = UInt16(try #require(other.localAddress?.port))
        try await withProxy(ports: taken...min(65_515, taken) + 20) { proxy in
            #expect(proxy.server.privatePort != taken && proxy.server.isRunning)
        }
        let server = try await ProxyUnderTest.server()
        await #expect(throws: BatonError.self) {
            try await server.start(ports: taken...taken, on: IPAddress(ipv4: 0x7F00_0001))
        }
        #expect(!server.isRunning && server.privatePort == 0)
        await server.stop()
        try await other.close()
    }

    @Test func stopsFromEverywhereAtOnceAllEnd() async throws {
        let proxy = try await ProxyUnderTest()
        let player = try await proxy.player(2)
        let waiting = try await proxy.connect()
        try await waiting.send(.showing(9))
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<20 { group.addTask { await proxy.server.stop() } }
        }
        await proxy.server.stop()
        for client in [player, waiting] { #expect(try await client.readToEnd() == []) }
        #expect(!proxy.server.isRunning && proxy.left == [], "the master is not told")
        await #expect(throws: BatonError.self) { try await proxy.server.start() }
        try? await player.close()
        try? await waiting.close()
    }

    @Test func aStopDuringTheStartWins() async throws {
        for _ in 0..<20 {
            let server = try await ProxyUnderTest.server()
            async let starting: Void = {
                _ = try? await server.start(ports: 0...0, on: IPAddress(ipv4: 0x7F00_0001))
            }()
            await server.stop()
            await starting
            #expect(!server.isRunning)
        }
    }

    // MARK: The router

    @Test func theRouterIsAskedForAPortAndToldWhenItIsOver() async throws {
        let router = ScriptedRouter(.init(taken: [39990, 39991]))
        let proxy = try await ProxyUnderTest(router: router)
        #expect(await proxy.server.natPunch() == 39992 && proxy.server.publicPort == 39992)
        #expect(await proxy.server.natPunch() == 39992, "asked again, it is the same")
        let entry = router.state.withLockedValue { $0.entries[39992] }
        #expect(entry?.mapping.target.port == proxy.server.privatePort && entry?.leaseSeconds == 60)
        await proxy.server.stop()
        #expect(router.ports == [] && proxy.server.publicPort == 0)
    }

    @Test func withoutARouterThereIsNoPort() async throws {
        let proxy = try await ProxyUnderTest(router: ScriptedRouter(.init(findFailure: .noGateway)))
        #expect(await proxy.server.natPunch() == 0 && proxy.server.publicPort == 0)
        await proxy.server.stop()
    }

    @Test func aMappingThatIsGoneAlreadyIsTakenBack() async throws {
        let router = ScriptedRouter()
        let proxy = try await ProxyUnderTest(router: router)
        #expect(await proxy.server.natPunch() == 39990)
        router.state.withLockedValue { $0.entries = [:] }
        await proxy.server.releaseNatPunch()
        #expect(proxy.server.publicPort == 0)
        await proxy.server.stop()
    }

    // MARK: Within

    private func withProxy(
        ports: ClosedRange<UInt16> = 0...0, settings: StreamSettings = .init(),
        _ body: (ProxyUnderTest) async throws -> Void
    ) async throws {
        let proxy = try await ProxyUnderTest(ports: ports, settings: settings)
        do {
            try await body(proxy)
        } catch {
            await proxy.server.stop()
            throw error
        }
        await proxy.server.stop()
    }

    static func header(to destination: VirtualAddress) -> ProxyDataHeader {
        var header = ProxyDataHeader()
        header.info.destinationIPv4 = destination
        return header
    }
}

/// A proxy on a loopback port, and what it told.
private final class ProxyUnderTest: Sendable {
    let server: P2PProxyServer
    private let told = NIOLockedValueBox<(left: [VirtualAddress], heard: [String])>(([], []))

    init(
        ports: ClosedRange<UInt16> = 0...0, settings: StreamSettings = .init(), router: ScriptedRouter = .init()
    ) async throws {
        let told = told
        server = try await P2PProxyServer(
            logger: Self.silence, settings: settings, finder: router,
            onPlayerLeft: { address in told.withLockedValue { $0.left.append(address) } },
            onHostData: { datagram in told.withLockedValue { $0.heard.append(String(buffer: datagram.data)) } })
        try await server.start(ports: ports, on: IPAddress(ipv4: 0x7F00_0001))
    }

    /// One that was not started.
    static func server() async throws -> P2PProxyServer {
        try await P2PProxyServer(logger: silence, onPlayerLeft: { _ in })
    }

    private static var silence: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

    var left: [VirtualAddress] { told.withLockedValue { $0.left } }
    var heard: [String] { told.withLockedValue { $0.heard } }

    struct Seen {
        var left: [VirtualAddress]
        var heard: [String]
        var status: P2PProxyServer.Status
    }

    /// Waits until all is as it should be; the suite's time limit bounds it.
    func until(_ condition: (Seen) -> Bool) async throws {
        while try await !condition(Seen(left: left, heard: heard, status: server.status())) {
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    func connect() async throws -> TestClient {
        try await TestClient.connect(to: Endpoint(address: IPAddress(ipv4: 0x7F00_0001), port: server.privatePort))
    }

    func player(_ last: UInt32) async throws -> TestClient {
        server.addWaitingToken(.of(last))
        let client = try await connect()
        try await client.send(.showing(last))
        #expect(try await client.packet().type == .proxyConfig)
        return client
    }
}

extension VirtualAddress {
    fileprivate static func player(_ last: UInt32) -> VirtualAddress {
        VirtualAddress(rawValue: network.rawValue | last)
    }
}

extension ExternalProxyToken {
    fileprivate static func of(_ last: UInt32) -> ExternalProxyToken {
        var token = ExternalProxyToken()
        token.virtualIP = .player(last)
        token.token = ProxyToken(high: 1, low: UInt64(last))
        return token
    }
}

extension Packet {
    fileprivate static func showing(_ last: UInt32) -> Packet {
        var config = ExternalProxyConfig()
        config.token = ProxyToken(high: 1, low: UInt64(last))
        return .externalProxy(config)
    }
}

extension TestClient {
    fileprivate func send(_ packet: Packet) async throws { try await send(packet.encoded.readableBytesView) }

    fileprivate func packet() async throws -> (type: PacketType, payload: [UInt8]) {
        let header = try await read(12)
        let length = header[8...].reversed().reduce(0) { $0 << 8 | Int($1) }
        return (PacketType(rawValue: header[4]), try await read(length))
    }
}
