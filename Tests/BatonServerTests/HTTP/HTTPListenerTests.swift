import Foundation
import Hummingbird
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RelayCore
import Testing

@testable import BatonServer

@Suite(.timeLimit(.minutes(5))) struct HTTPListenerTests {
    /// A listener on a free port, and what it says to everybody.
    private func with(
        _ settings: HTTPListener.Settings = .init(), limits: Admission.Limits = .init(),
        body: ByteBuffer = ByteBuffer(string: "hello"), answer: (@Sendable () async -> Void)? = nil,
        _ visit: (HTTPListener, Endpoint) async throws -> Void
    ) async throws {
        let bound = NIOLockedValueBox<Endpoint?>(nil)
        var context = RelayContext(
            eventLoops: MultiThreadedEventLoopGroup.singleton, desk: AdmissionDesk(limits: limits, bans: BanList()),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        context.onListening = { _, endpoint in bound.withLockedValue { $0 = endpoint } }
        let here = Endpoint(address: LobbyFixture.here, port: 0)
        let listener = HTTPListener(
            name: "test", endpoints: [here], settings: settings, log: ListenerLog(context.logger, protocolName: "test"),
            context: context
        ) { _, _ in
            await answer?()
            return Response(status: .ok, body: .init(byteBuffer: body))
        }
        try await listener.start()
        do {
            try await visit(listener, try #require(bound.withLockedValue { $0 }))
        } catch {
            await listener.stop()
            throw error
        }
        await listener.stop()
    }

    private static let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

    private func until(_ condition: () -> Bool) async throws {
        while !condition() { try await Task.sleep(for: .milliseconds(5)) }
    }

    @Test func requestsOfOneConnectionAreAnsweredInTurn() async throws {
        try await with { listener, endpoint in
            let client = try await TestClient.connect(to: endpoint)
            try await client.send((Self.request + Self.request).utf8)
            try await client.send("GET / HTTP/1.1\r\nConnection: close\r\nHost: x\r\n\r\n".utf8)
            let answer = String(decoding: try await client.readToEnd(), as: UTF8.self)
            #expect(answer.components(separatedBy: "HTTP/1.1 200 OK").count == 4)
            #expect(answer.hasSuffix("\r\n\r\nhello"))
            #expect(answer.contains("Date: ") && answer.contains("Server: baton"))
        }
    }

    /// Who says a request by and by, or says nothing at all, does not stay.
    @Test(arguments: [
        "", "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\n", "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc",
    ])
    func slowRequestsAreEnded(_ beginning: String) async throws {
        var settings = HTTPListener.Settings()
        settings.deadlines.read = .milliseconds(150)
        try await with(settings) { listener, endpoint in
            let client = try await TestClient.connect(to: endpoint)
            try await client.send(beginning.utf8)
            let dripping = Task {
                while !Task.isCancelled {
                    try await client.send("x".utf8)
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            // Who is still talking when the connection ends may see it reset.
            _ = try? await client.readToEnd()
            try await until { listener.connectionCount == 0 }
            dripping.cancel()
        }
    }

    @Test func whoDoesNotTakeAnAnswerIsEnded() async throws {
        var settings = HTTPListener.Settings()
        settings.deadlines.write = .milliseconds(300)
        let isAsked = NIOLockedValueBox(false)
        let large = ByteBuffer(repeating: 0x20, count: 64 << 20)
        try await with(settings, body: large, answer: { isAsked.withLockedValue { $0 = true } }) { listener, endpoint in
            let client = try await TestClient.connect(to: endpoint)
            try await client.setReading(false)
            try await client.send(Self.request.utf8)
            try await until { isAsked.withLockedValue { $0 } }
            try await until { listener.connectionCount == 0 }
        }
    }

    @Test func connectionsPassTheDesk() async throws {
        var settings = HTTPListener.Settings()
        var limits = Admission.Limits()
        limits.connectionsPerAddress = 1
        let outcomes = NIOLockedValueBox<[Admission.Refusal?]>([])
        settings.passesDesk = { $0 != IPAddress(ipv4: 0x7F00_0009) }
        settings.onConnection = { outcome in outcomes.withLockedValue { $0.append(outcome) } }
        try await with(settings, limits: limits) { listener, endpoint in
            let first = try await TestClient.connect(to: endpoint)
            try await first.send(Self.request.utf8)
            _ = try await first.read(15)
            let second = try await TestClient.connect(to: endpoint)
            #expect(try await second.readToEnd() == [])
            #expect(outcomes.withLockedValue { $0 } == [nil, .addressFull])
            for _ in 0..<3 {
                let proxy = try await TestClient.connect(to: endpoint, from: "127.0.0.9")
                try await proxy.send(Self.request.utf8)
                _ = try await proxy.read(15)
            }
            try await first.close()
            try await until { listener.connectionCount <= 3 }
            let third = try await TestClient.connect(to: endpoint)
            try await third.send(Self.request.utf8)
            _ = try await third.read(15)
        }
    }

    @Test func whatIsNoHTTPIsRefused() async throws {
        try await with { listener, endpoint in
            for nonsense in [
                "POKE\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", String(repeating: "A", count: 100_000) + "\r\n\r\n",
            ] {
                let client = try await TestClient.connect(to: endpoint)
                try? await client.send(nonsense.utf8)
                let answer = String(decoding: (try? await client.readToEnd()) ?? [], as: UTF8.self)
                #expect(
                    answer.isEmpty || answer.hasPrefix("HTTP/1.1 400") || answer.hasPrefix("HTTP/1.1 431"), "\(answer)")
                try await client.close()
            }
            try await until { listener.connectionCount == 0 }
        }
    }
}
