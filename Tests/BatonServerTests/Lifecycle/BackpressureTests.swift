import Foundation
import NIOCore
import RelayCore
import Synchronization
import Testing

extension LifecycleTests {
    /// A reader that stops reading while much is sent to it.
    @Suite struct Backpressure {
        private static let size = 64 << 20

        /// How much the server may hold for it: what waits in the channel, and the allocator's rounding.
        /// A sanitizer's own memory counts too, and says nothing of the server.
        private static let bound = ProcessInfo.processInfo.environment["SANITIZED"] == nil ? 1 << 20 : 1 << 30

        @Test func theSenderIsStoppedAndEverythingArrives() async throws {
            try await withServer { server in
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                let (others, pair) = (try await host.join(), try await host.join(isReading: false))
                let before = try await settledMemory(of: server, playing: others)
                let content = Self.content()

                let sent = push(content, through: pair.link)
                try await stall(of: sent, playing: others)
                let stopped = sent.bytes
                #expect(stopped < Self.size)
                let grown = try server.process.residentBytes() - before
                #expect(grown < Self.bound)
                let relay = try await server.admin().status().relay("netplay")
                #expect(relay.queuedBytes < Self.bound)

                try await pair.guest.resumeReading()
                let arrived = try await pair.guest.take(Self.size, within: .seconds(90))
                #expect(arrived == content)
                // The pair is as good as new.
                try await pair.play(rounds: 10)
                try await others.play(rounds: 10)
            }
        }

        /// The sender's end waits behind more than any buffer on the way holds.
        @Test func aSenderThatHangsUpLosesNothing() async throws {
            try await withServer { server in
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                let (others, pair) = (try await host.join(), try await host.join(isReading: false))
                let before = try await settledMemory(of: server, playing: others)
                let content = Self.content()

                let sent = push(content, through: pair.link)
                try await stall(of: sent, playing: others)
                try await pair.link.close()
                try await others.play(rounds: 100)
                let grown = try server.process.residentBytes() - before
                #expect(grown < Self.bound)

                try await pair.guest.resumeReading()
                let arrived = try await pair.guest.readToEnd(within: .seconds(90))
                #expect(arrived.readableBytes >= sent.bytes)
                #expect(arrived == content.getSlice(at: 0, length: arrived.readableBytes))
                try await others.play(rounds: 10)
            }
        }

        /// The sender's end reaches the server at once, while the server reads nothing of it.
        @Test func anEndThatArrivesDuringThePauseLosesNothing() async throws {
            try await withServer { server in
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                let (others, first) = (try await host.join(), try await host.join(isReading: false))
                let admin = try await server.admin()
                try await stall(of: push(Self.content(), through: first.link), playing: others)
                let taken = try await admin.status().relay("netplay").bytesReceived
                try await first.close()
                try await eventually("the first pair has gone") {
                    try await admin.status().relay("netplay").peers == 3
                }

                let pair = try await host.join(isReading: false)
                let before = try await settledMemory(of: server, playing: others)
                let content = Self.content(taken + (100 << 10))
                let sent = push(content, through: pair.link)
                try await eventually("all is sent") { sent.bytes == content.readableBytes }
                try await pair.link.close()
                try await others.play(rounds: 100)
                let grown = try server.process.residentBytes() - before
                #expect(grown < Self.bound)

                try await pair.guest.resumeReading()
                #expect(try await pair.guest.readToEnd() == content)
                try await others.play(rounds: 10)
            }
        }

        /// Neither does `baton netplay join` hold for a slow player what it can leave to the sender.
        @Test func aBridgeStopsTheSenderToo() async throws {
            try await withServer { server in
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                try await Bridge.into(host) { bridge in
                    let (others, pair) = (try await bridge.join(), try await bridge.join(isReading: false))
                    try await others.play(rounds: 100)
                    let before = try bridge.process.residentBytes()
                    let content = Self.content()

                    let sent = push(content, through: pair.link)
                    try await stall(of: sent, playing: others)
                    #expect(sent.bytes < Self.size)
                    let grown = try bridge.process.residentBytes() - before
                    #expect(grown < Self.bound)

                    try await pair.guest.resumeReading()
                    let arrived = try await pair.guest.take(Self.size, within: .seconds(90))
                    #expect(arrived == content)
                    try await pair.play(rounds: 10)
                    try await others.play(rounds: 10)
                }
            }
        }

        /// Bytes in which a piece that is missing or doubled shows.
        private static func content(_ size: Int = size) -> ByteBuffer {
            var random = RandomSource.seeded(64)
            // Prime, so that no power of two of it falls on its own repetition.
            let block = (0..<1_000_003 / 8).map { _ in UInt64.random(in: 0...UInt64.max, using: &random) }
            let bytes = block.withUnsafeBytes { ByteBuffer(bytes: $0) }
            var content = ByteBuffer()
            content.reserveCapacity(size)
            while content.readableBytes < size {
                content.writeImmutableBuffer(
                    bytes.getSlice(at: 0, length: min(bytes.readableBytes, size - content.readableBytes)) ?? bytes)
            }
            return content
        }

        /// How much of what was written has left this process.
        private final class Sent: Sendable {
            private let count = Atomic(0)
            var bytes: Int { count.load(ordering: .relaxed) }
            func add(_ bytes: Int) { count.add(bytes, ordering: .relaxed) }
        }

        private func push(_ content: ByteBuffer, through connection: Connection) -> Sent {
            let sent = Sent()
            var rest = content
            while let piece = rest.readSlice(length: min(rest.readableBytes, 64 << 10)), piece.readableBytes > 0 {
                connection.channel.writeAndFlush(piece).whenSuccess { sent.add(piece.readableBytes) }
            }
            return sent
        }

        /// Returns when nothing has left for as long as it takes others to play many rounds.
        private func stall(of sent: Sent, playing others: Tunnel.Pair) async throws {
            var (last, rounds) = (-1, 0)
            while rounds < 100 {
                try await others.play()
                let bytes = sent.bytes
                rounds = bytes == last && bytes > 0 ? rounds + 1 : 0
                last = bytes
            }
        }

        /// What the server occupies once it has done what it will do again.
        private func settledMemory(of server: RunningServer, playing others: Tunnel.Pair) async throws -> Int {
            try await others.play(rounds: 100)
            _ = try await server.admin().status()
            return try server.process.residentBytes()
        }
    }
}
