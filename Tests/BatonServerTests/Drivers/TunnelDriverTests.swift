import NIOCore
import Netplay
import RelayCore
import Testing

@testable import BatonServer

@Suite("Tunnel over sockets", .timeLimit(.minutes(5)))
struct TunnelDriverTests {
    @Test(arguments: ["127.0.0.1", "::1"])
    func pairCarriesBytesBothWays(_ address: String) async throws {
        try await Loopback<NetplayEngine>.tunnel(address: address) { tunnel in
            let pair = try await tunnel.pair()
            try await pair.guest.send([1, 2, 3])
            #expect(try await pair.link.read(3) == [1, 2, 3])
            try await pair.link.send([4, 5])
            #expect(try await pair.guest.read(2) == [4, 5])
            try await pair.close()
        }
    }

    @Test func endCrossesBehindEverythingSentBefore() async throws {
        try await Loopback<NetplayEngine>.tunnel { tunnel in
            let pair = try await tunnel.pair()
            let bulk = Self.pattern(3_000_000)
            pair.link.post(ByteBuffer(bytes: bulk))
            pair.link.channel.close(mode: .output, promise: nil)
            #expect(try await pair.guest.readToEnd() == bulk)
            try await pair.guest.send([9])
            #expect(try await pair.link.read(1) == [9])
            try await pair.guest.end()
            #expect(try await pair.link.readToEnd().isEmpty)
            try await tunnel.until { $0.peers == 1 }
            try await pair.close()
        }
    }

    @Test func closedLinkEndsItsGuestAtOnce() async throws {
        try await Loopback<NetplayEngine>.tunnel { tunnel in
            let pair = try await tunnel.pair()
            try await pair.link.close()
            #expect(try await pair.guest.readToEnd().isEmpty)
            try await pair.close()
        }
    }

    @Test func waitingGuestsEndWithTheirHost() async throws {
        try await Loopback<NetplayEngine>.tunnel { tunnel in
            let (host, session) = try await tunnel.host()
            let guest = try await tunnel.connect()
            try await guest.send(Array("RATS".utf8) + session)
            _ = try await host.read(16)
            try await host.close()
            #expect(try await guest.readToEnd().isEmpty)
            try await guest.close()
            try await tunnel.until { $0.peers == 0 && $0.rooms == 0 }
        }
    }

    @Test func stalledReaderStopsItsSenderAndNobodyElse() async throws {
        try await Loopback<NetplayEngine>.tunnel { tunnel in
            let stalled = try await tunnel.pair()
            let lively = try await tunnel.pair()
            try await stalled.link.setReading(false)
            let bulk = Self.pattern(32 << 20)
            stalled.guest.post(ByteBuffer(bytes: bulk))
            // The server reads on until the kernel's buffers towards the reader are full; then it must stop.
            var received: UInt64 = 0
            var rounds = 0
            while rounds < 200 {
                try await lively.guest.send([7])
                #expect(try await lively.link.read(1) == [7])
                let now = try await tunnel.relay.status().counters.bytesReceived
                rounds = now > received + 1000 ? 0 : rounds + 1
                received = now
            }
            #expect(received < UInt64(bulk.count))
            #expect(try await tunnel.relay.status().queuedBytes < 512 << 10)
            try await stalled.link.setReading(true)
            #expect(try await stalled.link.read(bulk.count) == bulk)
            try await stalled.close()
            try await lively.close()
        }
    }

    /// The sender's end must reach the server while it is paused, so what is sent has to be a little more than the server
    /// takes before it pauses: a first pair tells how much that is.
    @Test func senderThatHangsUpWhilePausedIsDeliveredWhole() async throws {
        try await Loopback<NetplayEngine>.tunnel { tunnel in
            let (host, session) = try await tunnel.host()
            let measured = try await tunnel.pair(host, session)
            try await measured.link.setReading(false)
            measured.guest.post(ByteBuffer(repeating: 0, count: 32 << 20))
            try await tunnel.untilQuiet()
            let taken = Int(try await tunnel.relay.status().counters.bytesReceived)
            for extra in [300 << 10, 400 << 10] {
                let pair = try await tunnel.pair(host, session)
                try await pair.link.setReading(false)
                let bulk = Self.pattern(taken + extra)
                pair.guest.post(ByteBuffer(bytes: bulk))
                pair.guest.channel.close(mode: .output, promise: nil)
                try await tunnel.untilQuiet()
                try await pair.link.setReading(true)
                #expect(try await pair.link.readToEnd() == bulk)
                for client in [pair.guest, pair.link] { try? await client.close() }
            }
            #expect(try await tunnel.relay.status().counters.closed["slow_reader"] == 0)
            try await measured.close()
        }
    }

    /// The kernel doubles what it is asked for.
    @Test func queueHasRoomForAWholeReceiveBuffer() {
        #expect(NetplayService.settings.queue.bytes >= 2 * NetplayService.settings.receiveBuffer)
    }

    @Test func refusalsAreCountedByReason() async throws {
        var limits = Admission.Limits()
        limits.connectionsPerAddress = 2
        try await Loopback<NetplayEngine>.tunnel(limits: limits) { tunnel in
            let (first, _) = try await tunnel.host()
            let (second, _) = try await tunnel.host()
            let third = try await tunnel.connect()
            #expect(try await third.readToEnd().isEmpty)
            let neighbour = try await tunnel.connect(from: "127.0.0.2")
            try await neighbour.send(Array("NOPE".utf8))
            #expect(try await neighbour.readToEnd().isEmpty)
            let counters = try await tunnel.relay.status().counters
            #expect(counters.refused["address_full"] == 1)
            #expect(counters.closed["unknown_opening"] == 1)
            for client in [first, second, third, neighbour] { try? await client.close() }
        }
    }

    @Test func bannedAddressIsTurnedAway() async throws {
        let ban = BanList.Ban(prefix: try #require(IPPrefix("127.0.0.3")), until: nil, reason: "test")
        try await Loopback<NetplayEngine>.tunnel(bans: BanList([ban])) { tunnel in
            let banned = try await tunnel.connect(from: "127.0.0.3")
            #expect(try await banned.readToEnd().isEmpty)
            try await tunnel.until { $0.counters.refused["banned"] == 1 }
            try? await banned.close()
        }
    }

    @Test func slotsComeBackAfterTenThousandConnections() async throws {
        var limits = Admission.Limits()
        limits.connections = 20
        limits.newConnections = .unlimited
        try await Loopback<NetplayEngine>.tunnel(limits: limits) { tunnel in
            for _ in 0..<500 {
                try await withThrowingTaskGroup { group in
                    for _ in 0..<20 {
                        group.addTask {
                            let client = try await tunnel.connect()
                            try await client.send(Array("NOPE".utf8))
                            _ = try? await client.readToEnd()
                            try? await client.close()
                        }
                    }
                    try await group.waitForAll()
                }
                try await tunnel.until { _ in true }
            }
            let status = try await tunnel.relay.status()
            #expect(status.peers == 0)
            let (host, _) = try await tunnel.host()
            try await host.close()
        }
    }

    private static func pattern(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    }
}
