import JSONRelay
import Logging
import NIOCore
import NIOPosix
import Netplay
import RelayCore
import RelayNIO
import Testing

@testable import BatonServer

/// One relay on a free loopback port.
struct Loopback<Engine: StreamEngine>: Sendable {
    let relay: StreamRelay
    let endpoint: Endpoint

    /// Starts a relay, hands it to `body`, and stops it.
    static func with(
        settings: StreamSettings = StreamSettings(), limits: Admission.Limits = .init(), bans: BanList = BanList(),
        address: String = "127.0.0.1", makeEngine: @escaping @Sendable () -> Engine,
        _ body: (Loopback) async throws -> Void
    ) async throws {
        let context = RelayContext(
            eventLoops: MultiThreadedEventLoopGroup.singleton, desk: AdmissionDesk(limits: limits, bans: bans),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let any = Endpoint(address: try #require(IPAddress(address)), port: 0)
        let relay = try await StreamRelay(
            name: "test", endpoints: [any], settings: settings, context: context, makeEngine: makeEngine
        )
        try await relay.start()
        let listener = try await relay.status().listeners.first
        let bound = try #require(SocketAddress(listener: listener)?.endpoint)
        do {
            try await body(Loopback(relay: relay, endpoint: bound))
        } catch {
            try await relay.stop()
            throw error
        }
        try await relay.stop()
    }

    func connect(from address: String? = nil) async throws -> TestClient {
        try await TestClient.connect(to: endpoint, from: address)
    }

    /// Waits until the relay's figures are as they should be; the suite's time limit bounds it.
    func until(_ condition: (RelayStatus) -> Bool) async throws {
        while try await !condition(relay.status()) { try await Task.sleep(for: .milliseconds(1)) }
    }
}

extension Loopback {
    /// Waits until many looks in a row have found nothing new received.
    func untilQuiet() async throws {
        var (received, looks) = (UInt64(0), 0)
        while looks < 500 {
            let now = try await relay.status().counters.bytesReceived
            looks = now > received ? 0 : looks + 1
            received = now
        }
    }
}

extension SocketAddress {
    /// `127.0.0.1:5300` or `[::1]:5300`.
    fileprivate init?(listener text: String?) {
        guard let text, let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]) else {
            return nil
        }
        let address = text[..<colon].trimmingPrefix("[").prefix { $0 != "]" }
        guard let parsed = try? SocketAddress(ipAddress: String(address), port: port) else { return nil }
        self = parsed
    }
}

/// The tunnel from its clients' side.
extension Loopback<NetplayEngine> {
    struct Pair {
        var host: TestClient
        var session: [UInt8]
        var guest: TestClient
        var link: TestClient

        func close() async throws {
            for client in [guest, link, host] { try? await client.close() }
        }
    }

    static func tunnel(
        settings: StreamSettings = NetplayService.settings, limits: Admission.Limits = .init(),
        bans: BanList = BanList(), address: String = "127.0.0.1", _ configuration: NetplayConfiguration = .init(),
        _ body: (Loopback) async throws -> Void
    ) async throws {
        try await with(
            settings: settings, limits: limits, bans: bans, address: address,
            makeEngine: { NetplayEngine(configuration: configuration) }, body
        )
    }

    func host() async throws -> (client: TestClient, session: [UInt8]) {
        let client = try await connect()
        try await client.send(Array("RATS".utf8) + [UInt8](repeating: 0, count: 12))
        return (client, Array(try await client.read(16).dropFirst(4)))
    }

    func pair() async throws -> Pair {
        let (host, session) = try await host()
        return try await pair(host, session)
    }

    func pair(_ host: TestClient, _ session: [UInt8]) async throws -> Pair {
        let guest = try await connect()
        try await guest.send(Array("RATS".utf8) + session)
        let notice = try await host.read(16)
        let link = try await connect()
        try await link.send(notice)
        return Pair(host: host, session: session, guest: guest, link: link)
    }
}

/// The JSON relay from its clients' side.
extension Loopback<JSONRelayEngine> {
    static func json(
        settings: StreamSettings = StreamSettings(), _ configuration: JSONRelayConfiguration = .init(),
        _ body: (Loopback) async throws -> Void
    ) async throws {
        try await with(settings: settings, makeEngine: { JSONRelayEngine(configuration: configuration) }, body)
    }

    func client(named id: String) async throws -> TestClient {
        let client = try await connect()
        try await client.send(frame(#"{"payloadType":"INIT","source":"\#(id)"}"#))
        _ = try await client.readFrame()
        return client
    }
}

/// A frame of the JSON relay: its length in 4 bytes, then its body.
func frame(_ body: String) -> [UInt8] {
    var bytes = ByteBuffer()
    bytes.writeInteger(UInt32(body.utf8.count))
    bytes.writeString(body)
    return Array(bytes.readableBytesView)
}

func message(from source: String, to destination: String, _ payload: String) -> [UInt8] {
    frame(#"{"payloadType":"MESSAGE","source":"\#(source)","destination":"\#(destination)","payload":"\#(payload)"}"#)
}

extension TestClient {
    /// The body of the next frame.
    func readFrame() async throws -> String {
        let length = try await read(4).reduce(0) { $0 << 8 | Int($1) }
        return String(decoding: try await read(length), as: UTF8.self)
    }
}
