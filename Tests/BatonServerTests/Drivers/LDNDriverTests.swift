import LDN
import NIOCore
import NIOPosix
import RelayCore
import Testing

@testable import BatonServer

@Suite("LDN over sockets", .timeLimit(.minutes(5)))
struct LDNDriverTests {
    @Test func playersMeetAndPlay() async throws {
        try await master { relay in
            let (host, id) = try await relay.host()
            let player = try await relay.player(of: id)
            #expect(try await host.readPacket().type == .syncNetwork)
            try await player.send(.proxyData(Self.broadcast, data: ByteBuffer(string: "hello")))
            for client in [host, player] {
                let (type, payload) = try await client.readPacket()
                #expect(type == .proxyData && payload.suffix(5).elementsEqual("hello".utf8))
            }
            try await host.close()
            #expect(try await player.readPacket().type == .syncNetwork)
            #expect(try await player.readPacket().type == .disconnect)
            try await player.close()
        }
    }

    @Test func aProxyThatCanBeReachedIsUsed() async throws {
        let proxy = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(proxy.localAddress?.port)
        try await master { relay in
            let host = try await relay.named()
            try await host.send(.createAccessPoint(Self.request(proxyPort: UInt16(port)), advertiseData: ByteBuffer()))
            var types: [PacketType] = []
            for _ in 0..<3 { types.append(try await host.readPacket().type) }
            #expect(types == [.externalProxyToken, .externalProxy, .connected])
            try await host.close()
        }
        try await proxy.close()
    }

    @Test func forAProxyThatCannotBeReachedTheMasterRelays() async throws {
        let proxy = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(proxy.localAddress?.port)
        try await proxy.close()
        try await expectRelayed(port: port)
    }

    /// So many are tried at once; who comes beyond that is relayed for rather than kept waiting.
    @Test func beyondTheLimitNoProxyIsTried() async throws {
        let proxy = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        var settings = StreamSettings()
        settings.maxProbes = 0
        try await expectRelayed(port: try #require(proxy.localAddress?.port), settings: settings)
        try await proxy.close()
    }

    private func expectRelayed(port: Int, settings: StreamSettings = .init()) async throws {
        try await master(settings: settings) { relay in
            let host = try await relay.named()
            try await host.send(.createAccessPoint(Self.request(proxyPort: UInt16(port)), advertiseData: ByteBuffer()))
            let error = try await host.readPacket()
            #expect(error.type == .networkError && error.payload == [1, 0, 0, 0])
            #expect(try await host.readPacket().type == .proxyConfig)
            #expect(try await host.readPacket().type == .connected)
            try await host.close()
        }
    }

    /// Small and large datagrams at once: some leave together, some alone, all in their order.
    @Test func whatIsSentAtOnceArrivesInItsOrder() async throws {
        try await master { relay in
            let (host, id) = try await relay.host()
            let player = try await relay.player(of: id)
            #expect(try await host.readPacket().type == .syncNetwork)
            let sizes = (0..<400).map { $0 % 20 == 0 ? 5000 + $0 : $0 % 11 == 0 ? 1100 : 1 + $0 }
            var all = ByteBuffer()
            for (number, size) in sizes.enumerated() {
                let data = ByteBuffer(repeating: UInt8(truncatingIfNeeded: number), count: size)
                Packet.proxyData(Self.broadcast, data: data).encode(into: &all)
            }
            let burst = all
            async let sending: Void = host.send(burst.readableBytesView)
            for (number, size) in sizes.enumerated() {
                for client in [host, player] {
                    let (type, payload) = try await client.readPacket()
                    #expect(type == .proxyData && payload.count == 0x14 + size)
                    let isWhole = payload.dropFirst(0x14).allSatisfy { $0 == UInt8(truncatingIfNeeded: number) }
                    #expect(isWhole)
                }
            }
            try await sending
            try await player.close()
            try await host.close()
        }
    }

    /// Behind a front end everybody has its address; whom it names counts, for introductions and for who is a neighbour.
    @Test func throughATrustedFrontEndPlayersHaveTheirOwnAddresses() async throws {
        let proxy = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = UInt16(try #require(proxy.localAddress?.port))
        var settings = StreamSettings()
        settings.proxySources = [try #require(IPPrefix("127.0.0.1"))]
        try await master(settings: settings) { relay in
            let host = try await relay.named(through: "PROXY TCP4 127.0.0.1 127.0.0.1 50000 30456\r\n")
            try await host.send(.createAccessPoint(Self.request(proxyPort: port), advertiseData: ByteBuffer()))
            _ = try await host.readPacket()
            _ = try await host.readPacket()
            let id = SessionID(connected: try await host.readPacket().payload)
            // An IPv4 address that comes in IPv6's clothes is one all the same.
            let header = "PROXY TCP6 ::ffff:198.51.100.7 ::1 50001 30456\r\n"
            let player = try await relay.named(through: header)
            try await player.send(.connect(Self.request(for: id)))
            let token = try await host.readPacket()
            #expect(token.type == .externalProxyToken)
            #expect(Array(token.payload[0x14..<0x18]) == [198, 51, 100, 7] && token.payload[0x24] == 2)
            let introduction = try await player.readPacket()
            #expect(introduction.type == .externalProxy && Array(introduction.payload[..<4]) == [127, 0, 0, 1])
            #expect(Array(introduction.payload[0x14..<0x16]) == [UInt8(port & 0xFF), UInt8(port >> 8)])
            #expect(introduction.payload[0x16..<0x26] == token.payload[0x04..<0x14])
            try await player.close()
            try await host.close()
        }
        try await proxy.close()
    }

    /// A player that reads nothing is parted from; the others get every packet meanwhile.
    @Test func aSlowPlayerIsDroppedAndNobodyElseDelayed() async throws {
        var settings = StreamSettings()
        settings.queue = SendQueue.Limits(bytes: 64 << 10, frames: 512)
        // On a slow machine its silence would be noticed first.
        var configuration = LDNConfiguration()
        configuration.pingInterval = .seconds(3600)
        try await master(configuration, settings: settings) { relay in
            let (host, id) = try await relay.host()
            let slow = try await relay.player(of: id)
            _ = try await host.readPacket()
            try await slow.setReading(false)
            let data = ByteBuffer(repeating: 1, count: 60_000)
            var sent = 0
            while try await relay.relay.status().counters.closed["slow_reader"] == 0 {
                try await host.send(.proxyData(Self.broadcast, data: data))
                var type = try await host.readPacket().type
                if type == .syncNetwork { type = try await host.readPacket().type }
                #expect(type == .proxyData)
                sent += 1
                try #require(sent < 2000)
            }
            #expect(try await relay.relay.rooms().first?.peers.count == 1)
            try? await slow.close()
            try await host.close()
        }
    }

    @Test func clientsThatSayInitializeAndGoAreNoHarm() async throws {
        try await master { relay in
            for _ in 0..<300 {
                let client = try await relay.connect()
                try await client.send(.initialize(InitializeMessage()))
                try await client.close()
            }
            _ = try await relay.host()
            try await relay.until { $0.peers == 1 && $0.rooms == 1 }
        }
    }

    @Test func playersThatAllCloseAtOnceLeaveNothingBehind() async throws {
        try await master { relay in
            let (host, id) = try await relay.host()
            var clients = [host]
            for _ in 0..<7 { clients.append(try await relay.player(of: id)) }
            try await withThrowingTaskGroup { group in
                for client in clients { group.addTask { try await client.close() } }
                try await group.waitForAll()
            }
            try await relay.until { $0.peers == 0 && $0.rooms == 0 }
        }
    }

    @Test func whatIsPassedOverIsCounted() async throws {
        try await master { relay in
            let client = try await relay.named()
            try await client.send(.proxyData(Self.broadcast, data: ByteBuffer()))
            try await relay.until { $0.counters.dropped["not_relayed"] == 1 }
            try await client.close()
        }
    }

    private func master(
        _ configuration: LDNConfiguration = .init(), settings: StreamSettings = .init(),
        _ body: (Loopback<LDNEngine>) async throws -> Void
    ) async throws {
        try await Loopback<LDNEngine>.with(
            settings: settings, makeEngine: { LDNEngine(configuration: configuration) }, body)
    }

    private static var broadcast: ProxyDataHeader {
        var header = ProxyDataHeader()
        header.info.destinationIPv4 = .broadcast
        return header
    }

    fileprivate static func request(for id: SessionID) -> ConnectRequest {
        var request = ConnectRequest()
        request.networkInfo.networkID.sessionID = id
        return request
    }

    fileprivate static func request(proxyPort: UInt16 = 0) -> CreateAccessPointRequest {
        var request = CreateAccessPointRequest()
        request.networkConfig.nodeCountMax = 8
        request.ryuNetworkConfig.externalProxyPort = proxyPort
        return request
    }
}

extension Loopback<LDNEngine> {
    /// A client that has a name.
    ///
    /// - Parameter header: what a front end says of it first.
    fileprivate func named(through header: String = "") async throws -> TestClient {
        let client = try await connect()
        if !header.isEmpty { try await client.send(header.utf8) }
        try await client.send(.initialize(InitializeMessage()))
        #expect(try await client.readPacket().type == .initialize)
        return client
    }

    fileprivate func host() async throws -> (TestClient, SessionID) {
        let client = try await named()
        try await client.send(.createAccessPoint(LDNDriverTests.request(), advertiseData: ByteBuffer()))
        #expect(try await client.readPacket().type == .proxyConfig)
        let (type, payload) = try await client.readPacket()
        #expect(type == .connected)
        return (client, SessionID(connected: payload))
    }

    fileprivate func player(of id: SessionID) async throws -> TestClient {
        let client = try await named()
        try await client.send(.connect(LDNDriverTests.request(for: id)))
        #expect(try await client.readPacket().type == .proxyConfig)
        #expect(try await client.readPacket().type == .connected)
        return client
    }
}

extension SessionID {
    /// The id of the network that a `Connected` tells of.
    fileprivate init(connected payload: [UInt8]) {
        func number(_ range: Range<Int>) -> UInt64 { payload[range].reduce(0) { $0 << 8 | UInt64($1) } }
        self.init(high: number(0x10..<0x18), low: number(0x18..<0x20))
    }
}

extension TestClient {
    fileprivate func send(_ packet: Packet) async throws {
        try await send(packet.encoded.readableBytesView)
    }

    fileprivate func readPacket() async throws -> (type: PacketType, payload: [UInt8]) {
        let header = try await read(12)
        let length = header[8...].reversed().reduce(0) { $0 << 8 | Int($1) }
        return (PacketType(rawValue: header[4]), try await read(length))
    }
}
