import NIOCore
import RelayCore
import SOE
import SOEGateway
import Testing

@testable import BatonServer

/// Ends that are slow, silent or gone.
@Suite("SOE gateway over sockets: slowness and loss", .timeLimit(.minutes(5)))
struct GatewayFlowTests {
    /// What clients say stays with them, and is there when the backend reads again.
    @Test func aBackendThatDoesNotReadMakesClientsWait() async throws {
        try await GatewayLoopback.with { gateway in
            let (client, number) = try await gateway.join()
            try await gateway.backend.setReading(false)
            let message = ByteBuffer(repeating: 7, count: 16 << 10)
            let count = 2000
            var sent = 0
            func send() {
                while sent < count, client.say(message) == .accepted { sent += 1 }
            }
            var (relayed, looks) = (UInt64(0), 0)
            try await gateway.until { gateway in
                send()
                let now = try await gateway.service.status().counters.messagesRelayed
                looks = now > relayed ? 0 : looks + 1
                relayed = now
                return looks > 300
            }
            #expect(sent < count && client.queuedBytes > 0)
            #expect(try await gateway.service.status().queuedBytes < 1 << 20)
            try await gateway.backend.setReading(true)
            try await gateway.until { gateway in
                send()
                return gateway.backend.messages(of: number).count == count + 1
            }
            #expect(gateway.backend.messages(of: number).dropFirst().allSatisfy { $0 == message })
            #expect(client.end == nil)
        }
    }

    @Test func aBackendPausesASession() async throws {
        try await GatewayLoopback.with { gateway in
            let (quiet, first) = try await gateway.join()
            let (other, second) = try await gateway.join()
            // Its figures come behind the pause.
            gateway.backend.say(.pause(first), .stats(first, nil))
            try await gateway.until { $0.backend.frames.contains { if case .stats = $0 { true } else { false } } }
            quiet.say("later")
            other.say("now")
            try await gateway.until { $0.backend.messages(of: second).count == 2 }
            try await gateway.untilQuiet()
            #expect(gateway.backend.messages(of: first).count == 1)
            gateway.backend.say(.resume(first))
            try await gateway.until { $0.backend.messages(of: first).last == ByteBuffer(string: "later") }
        }
    }

    /// The backend is asked to wait for a client that takes nothing, and told when it goes on.
    @Test func aClientThatIsSilentMakesTheBackendWait() async throws {
        try await GatewayLoopback.with("max_queued: 256KiB") { gateway in
            let (client, number) = try await gateway.join()
            let (other, second) = try await gateway.join()
            client.isAsleep = true
            let message = ByteBuffer(repeating: 9, count: 1000)
            var sent = 0
            try await gateway.until { gateway in
                if gateway.backend.frames.contains(.pause(number)) { return true }
                gateway.backend.say(.data(number, .reliable0, message))
                sent += 1
                return false
            }
            #expect(try await gateway.service.status().queuedBytes <= 256 << 10)
            gateway.backend.say(.data(second, .reliable0, ByteBuffer(string: "you")))
            try await gateway.until { _ in other.texts() == ["you"] }
            client.isAsleep = false
            try await gateway.until { $0.backend.frames.contains(.resume(number)) && client.messages.count == sent }
            let isWhole = client.messages.allSatisfy { $0.message == message }
            #expect(isWhole && client.end == nil)
        }
    }

    @Test func aBackendThatDoesNotWaitLosesTheSession() async throws {
        try await GatewayLoopback.with("max_queued: 64KiB, flush_timeout: 100ms") { gateway in
            let (client, number) = try await gateway.join()
            client.isAsleep = true
            for _ in 0..<200 { gateway.backend.say(.data(number, .reliable0, ByteBuffer(repeating: 9, count: 1000))) }
            try await gateway.until { !$0.backend.closed.isEmpty }
            let end = try #require(gateway.backend.closed.first)
            #expect(end.number == number && end.session.reason == .reliableOverflow)
            #expect(!end.session.isByClient && end.session.undelivered > 0)
        }
    }

    @Test func sessionsOutliveALostBackend() async throws {
        try await GatewayLoopback.with("backend_grace: 1h") { gateway in
            let (client, number) = try await gateway.join()
            try await gateway.backend.stop()
            try await gateway.until { try await $0.figure("backend_connected") == 0 }
            client.say("kept")
            let late = try gateway.connect()
            try await gateway.until { _ in late.end != nil }
            #expect(late.end == .connectionRefused && client.end == nil)
            try await gateway.restartBackend()
            try await gateway.until { $0.backend.messages(of: number) == [ByteBuffer(string: "kept")] }
            let opened = try #require(gateway.backend.opened.first)
            #expect(gateway.backend.opened.count == 1 && opened.number == number)
            #expect(opened.session.isResumed && opened.session.wireID == client.session)
            gateway.backend.say(.data(number, .reliable0, ByteBuffer(string: "back")))
            try await gateway.until { _ in client.texts() == ["back"] }
            let (_, next) = try await gateway.join()
            #expect(next != number && gateway.backend.opened.last?.session.isResumed == false)
        }
    }

    @Test(arguments: ["0", "50ms"])
    func sessionsEndWhenTheBackendStaysAway(_ grace: String) async throws {
        try await GatewayLoopback.with("backend_grace: \(grace)") { gateway in
            let (client, _) = try await gateway.join()
            try await gateway.backend.stop()
            try await gateway.until { _ in client.end != nil }
            #expect(client.end == .application && client.endedByGateway)
            try await gateway.until { try await $0.service.status().peers == 0 }
        }
    }

    @Test func aBackendThatSpeaksOtherwiseIsPartedFrom() async throws {
        try await GatewayLoopback.with(greets: false, waits: false) { gateway in
            try await gateway.until { $0.backend.frames == [.hello(version: 1)] }
            gateway.backend.say(.hello(version: 2))
            try await gateway.until { try await $0.service.status().counters.events["backend_lost"] == 1 }
            // It is tried again.
            try await gateway.until { $0.backend.linksEver == 2 && $0.backend.frames == [.hello(version: 1)] }
            gateway.backend.say(.hello(version: 1))
            try await gateway.until { try await $0.figure("backend_connected") == 1 }
            gateway.backend.say(bytes: ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"))
            try await gateway.until { try await $0.service.status().counters.events["backend_lost"] == 2 }
        }
    }
}
