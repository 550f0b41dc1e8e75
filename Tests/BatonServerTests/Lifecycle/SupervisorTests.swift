import Foundation
import Glibc
import NIOCore
import NIOPosix
import Testing

extension LifecycleTests {
    /// What systemd would hear, by the protocol of sd_notify(3).
    @Suite struct Supervision {
        /// The socket that systemd would have.
        private final class Ear: ChannelInboundHandler, Sendable {
            typealias InboundIn = AddressedEnvelope<ByteBuffer>

            let heard = History<String>()

            func channelRead(context: ChannelHandlerContext, data: NIOAny) {
                let text = String(buffer: unwrapInboundIn(data).data)
                heard.append(text.replacing("\n", with: " "))
            }
        }

        private func withEar(_ body: (Ear, [String: String]) async throws -> Void) async throws {
            try await withDirectory { directory in
                let path = directory.appending(path: "notify").path
                let ear = Ear()
                let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .channelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(ear) }
                    }
                    .bind(unixDomainSocketPath: path).get()
                try await body(ear, ["NOTIFY_SOCKET": path, "WATCHDOG_USEC": "600000"])
                try await channel.close()
            }
        }

        @Test func itHearsTheWholeLife() async throws {
            try await withEar { ear, environment in
                try await withServer(environment: environment) { server in
                    _ = try await ear.heard.first("ready") { $0 == "READY=1" }
                    #expect(server.log.contains { $0.event == "listening" && $0.fields["protocol"] == "admin" })
                    _ = try await ear.heard.first("a sign of life") {
                        $0.wholeMatch(of: /WATCHDOG=1 STATUS=running: 0 peers, 0 rooms, 2 relays/) != nil
                    }
                    let anna = try await JSONClient.named("anna", at: try await server.address(of: "json"))
                    _ = try await ear.heard.first("a player") { $0.contains("STATUS=running: 1 peers, 1 rooms") }
                    server.process.send(SIGHUP)
                    _ = try await ear.heard.first("a reload") {
                        $0.wholeMatch(of: /RELOADING=1 MONOTONIC_USEC=[0-9]+/) != nil
                    }
                    try await eventually("the end of it") {
                        let after = ear.heard.all.drop { !$0.hasPrefix("RELOADING=1") }
                        return after.contains("READY=1")
                    }
                    server.process.send(SIGTERM)
                    _ = try await ear.heard.first("a drain that takes its time") {
                        $0.wholeMatch(of: /WATCHDOG=1 STATUS=draining: 1 peers.* EXTEND_TIMEOUT_USEC=1200000/) != nil
                    }
                    try await anna.connection.close()
                    _ = try await ear.heard.first("the end") { $0 == "STOPPING=1 STATUS=stopping" }
                    #expect(try await server.process.exit() == .code(0))
                }
            }
        }

        @Test func aStuckServerIsSilent() async throws {
            try await withEar { ear, environment in
                try await withServer(environment: environment) { server in
                    _ = try await ear.heard.first("a sign of life") { $0.hasPrefix("WATCHDOG=1") }
                    server.process.send(SIGSTOP)
                    // What was under way has come by then.
                    try await Task.sleep(for: .milliseconds(300))
                    let count = ear.heard.all.count
                    try await Task.sleep(for: .seconds(1))
                    #expect(ear.heard.all.count == count)
                    server.process.send(SIGCONT)
                    try await eventually("a sign of life again") { ear.heard.all.count > count }
                }
            }
        }
    }
}
