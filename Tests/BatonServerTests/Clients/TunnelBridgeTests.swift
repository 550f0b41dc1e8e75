import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Netplay
import RelayCore
import Testing

@testable import BatonServer

@Suite("Bridge into a tunnel", .timeLimit(.minutes(5)))
struct TunnelBridgeTests {
    @Test(arguments: ["127.0.0.1", "::1"])
    func carriesBytesBothWaysFromTheFirstOn(_ address: String) async throws {
        try await withSession(address: address) { session in
            let guest = try await session.connect()
            try await guest.send([1, 2, 3])
            let link = try await session.link()
            #expect(try await link.read(3) == [1, 2, 3])
            try await link.send([4, 5])
            #expect(try await guest.read(2) == [4, 5])
            for client in [guest, link] { try await client.close() }
        }
    }

    @Test func secondTryWorksAfterTheHostHungUp() async throws {
        try await withSession { session in
            let first = try await session.connect()
            let firstLink = try await session.link()
            try await firstLink.send([1])
            try await firstLink.close()
            #expect(try await first.readToEnd() == [1])
            let second = try await session.connect()
            let link = try await session.link()
            try await play(second, link)
            for client in [first, second, link] { try await client.close() }
            #expect(session.failures.withLockedValue { $0 }.isEmpty)
        }
    }

    @Test func endsCrossBehindTheBytesBeforeThem() async throws {
        try await withSession { session in
            for guestEndsFirst in [true, false] {
                let guest = try await session.connect()
                let link = try await session.link()
                let (early, late) = guestEndsFirst ? (guest, link) : (link, guest)
                let bulk = (0..<2_000_000).map { UInt8(truncatingIfNeeded: $0 / 251) }
                early.post(ByteBuffer(bytes: bulk))
                early.channel.close(mode: .output, promise: nil)
                #expect(try await late.readToEnd() == bulk)
                try await late.send([9])
                #expect(try await early.read(1) == [9])
                try await late.end()
                #expect(try await early.readToEnd().isEmpty)
                for client in [guest, link] { try? await client.close() }
            }
        }
    }

    @Test func lostGuestEndsItsLink() async throws {
        try await withSession { session in
            let guest = try await session.connect()
            let link = try await session.link()
            try await play(guest, link)
            // No time to linger: the kernel resets the connection.
            let options = try #require(guest.channel as? any SocketOptionProvider)
            let now = (isOn: Int32(1), seconds: Int32(0))
            try await options.unsafeSetSocketOption(level: .socket, name: .so_linger, value: now).get()
            try await guest.close()
            #expect(try await link.readToEnd().isEmpty)
            try await link.close()
        }
    }

    @Test func manyTriesAtOnceAndOneTooMany() async throws {
        try await withSession { session in
            var pairs: [(guest: TestClient, link: TestClient)] = []
            var guests: [TestClient] = []
            for _ in 0..<8 { guests.append(try await session.connect()) }
            var links: [TestClient] = []
            for _ in 0..<8 { links.append(try await session.link()) }
            // Links come in the order in which the tunnel saw the guests: each says which one it got.
            for (index, guest) in guests.enumerated() { try await guest.send([UInt8(index)]) }
            for link in links {
                let index = Int(try await link.read(1)[0])
                pairs.append((guests[index], link))
            }
            for (guest, link) in pairs { try await play(guest, link) }

            for _ in 8..<16 { guests.append(try await session.connect()) }
            for _ in 8..<16 { links.append(try await session.link()) }
            let another = try await session.connect()
            _ = try? await another.readToEnd()
            #expect(session.failures.withLockedValue { $0 } == [.crowded(16)])
            for client in guests + links + [another] { try? await client.close() }
        }
    }

    @Test func sessionThatIsNotThereIsTold() async throws {
        try await withSession { session in
            let wrong = try await session.bridge(to: try #require(TunnelID("AAAAAAAAAAAAAAAB")))
            let guest = try await TestClient.connect(to: wrong.endpoint)
            try await guest.send([1])
            #expect(try await guest.readToEnd().isEmpty)
            try await guest.close()
            await wrong.close(within: .seconds(30))
            #expect(session.failures.withLockedValue { $0 } == [.unanswered])
        }
    }

    @Test func tunnelThatIsNotThereIsTold() async throws {
        let failures = NIOLockedValueBox<[TunnelBridge.Failure]>([])
        let nobody = try await portOfNobody()
        let bridge = try await TunnelBridge.listen(
            on: loopback, joining: try #require(TunnelID("AAAAAAAAAAAAAAAB")), at: nobody
        ) { failure in failures.withLockedValue { $0.append(failure) } }
        for _ in 0..<2 {
            let guest = try await TestClient.connect(to: bridge.endpoint)
            #expect(try await guest.readToEnd().isEmpty)
            try? await guest.close()
        }
        await bridge.close(within: .seconds(30))
        let expected = TunnelBridge.Failure.unreachable("connection refused, nothing listens there")
        #expect(failures.withLockedValue { $0 } == [expected, expected])
    }

    /// A guest that hangs up while nobody answers did not fail for the tunnel's sake.
    @Test func guestThatGivesUpIsNoFailure() async throws {
        try await withSession { session in
            let guest = try await session.connect()
            let link = try await session.link()
            try await guest.close()
            #expect(try await link.readToEnd().isEmpty)
            try await link.close()
            await session.bridge.close(within: .seconds(30))
            #expect(session.failures.withLockedValue { $0 }.isEmpty)
        }
    }

    @Test func closingPartsFromThoseWhoStay() async throws {
        try await withSession { session in
            let guest = try await session.connect()
            let link = try await session.link()
            try await play(guest, link)
            await session.bridge.close(within: .zero)
            #expect(try await guest.readToEnd().isEmpty)
            #expect(try await link.readToEnd().isEmpty)
            await #expect(throws: (any Error).self) { try await session.connect() }
            for client in [guest, link] { try? await client.close() }
        }
    }

    @Test func addressInUseIsSaid() async throws {
        try await withSession { session in
            await #expect(throws: BatonError.self) {
                try await TunnelBridge.listen(
                    on: session.bridge.endpoint, joining: .none, at: session.tunnel, onFailure: { _ in })
            }
        }
    }

    // MARK: Support

    private var loopback: Endpoint { Endpoint(address: IPAddress(ipv4: 0x7F00_0001), port: 0) }

    /// A session of a tunnel, its host, and a bridge into it.
    private struct Session {
        var host: TestClient
        var tunnel: RemoteHost
        var endpoint: Endpoint
        var bridge: TunnelBridge
        var failures: NIOLockedValueBox<[TunnelBridge.Failure]>

        func connect() async throws -> TestClient {
            try await TestClient.connect(to: bridge.endpoint)
        }

        /// The host hears of a guest and opens the link.
        func link() async throws -> TestClient {
            let notice = try await host.read(16)
            let link = try await TestClient.connect(to: endpoint)
            try await link.send(notice)
            return link
        }

        func bridge(to session: TunnelID) async throws -> TunnelBridge {
            try await TunnelBridge.listen(
                on: Endpoint(address: IPAddress(ipv4: 0x7F00_0001), port: 0), joining: session, at: tunnel
            ) { [failures] failure in failures.withLockedValue { $0.append(failure) } }
        }
    }

    private func withSession(
        address: String = "127.0.0.1", _ body: (Session) async throws -> Void
    ) async throws {
        var configuration = NetplayConfiguration()
        configuration.maxClients = 0
        try await Loopback<NetplayEngine>.tunnel(address: address, configuration) { tunnel in
            let (host, id) = try await tunnel.host()
            var opening = ByteBuffer(bytes: Array("RATS".utf8) + id)
            guard case .join(let session)? = try TunnelOpening.decode(from: &opening) else { return }
            let failures = NIOLockedValueBox<[TunnelBridge.Failure]>([])
            let remote = try #require(RemoteHost("\(tunnel.endpoint)", defaultPort: 0))
            let bridge = try await TunnelBridge.listen(on: loopback, joining: session, at: remote) { failure in
                failures.withLockedValue { $0.append(failure) }
            }
            do {
                try await body(
                    Session(
                        host: host, tunnel: remote, endpoint: tunnel.endpoint, bridge: bridge, failures: failures))
            } catch {
                await bridge.close(within: .zero)
                throw error
            }
            await bridge.close(within: .seconds(30))
            // Nothing is left behind in the tunnel.
            try await tunnel.until { $0.peers == 1 }
            try await host.close()
        }
    }

    private func play(_ guest: TestClient, _ link: TestClient) async throws {
        for round in UInt8(0)..<3 {
            try await guest.send([round, 1])
            #expect(try await link.read(2) == [round, 1])
            try await link.send([round, 2])
            #expect(try await guest.read(2) == [round, 2])
        }
    }

    /// Where a listener was, and is no longer.
    private func portOfNobody() async throws -> RemoteHost {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        try await listener.close()
        return try #require(RemoteHost("127.0.0.1:\(port)", defaultPort: 0))
    }
}
