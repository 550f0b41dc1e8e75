import NIOCore
import Netplay
import RelayCore
import Testing

@testable import BatonServer

@Suite("Transcoding over sockets", .timeLimit(.minutes(5)))
struct TranscodingDriverTests {
    /// A guest without compression and a host with it; their headers have crossed.
    private static func pair(in tunnel: Loopback<NetplayEngine>) async throws -> Loopback<NetplayEngine>.Pair {
        let pair = try await tunnel.pair()
        try await pair.guest.send(header(zlib: false))
        #expect(try await pair.link.read(24) == header(zlib: true))
        try await pair.link.send(header(zlib: true))
        #expect(try await pair.guest.read(24) == header(zlib: false))
        return pair
    }

    private static func header(zlib: Bool) -> [UInt8] {
        let header = NetplayHeader(compression: zlib ? 1 : 0, salt: 6, protocolVersion: 5)
        var bytes = ByteBuffer()
        header.encode(into: &bytes)
        return Array(bytes.readableBytesView)
    }

    /// A savestate as the host sends it, and as the guest must get it.
    private static func savestate(_ state: [UInt8]) throws -> (compressed: ByteBuffer, raw: [UInt8]) {
        var raw = ByteBuffer()
        raw.writeMultipleIntegers(NetplayCommand.loadSavestate.rawValue, UInt32(8 + state.count))
        raw.writeMultipleIntegers(UInt32(1), UInt32(state.count))
        raw.writeBytes(state)
        var transcoder = Transcoder(.deflate, maxStateBytes: state.count)
        transcoder.receive(raw)
        var (compressed, budget) = (ByteBuffer(), Int.max)
        while let bytes = try transcoder.next(within: &budget) { compressed.writeImmutableBuffer(bytes) }
        return (compressed, Array(raw.readableBytesView))
    }

    @Test func bombAtAStalledReaderStaysSmallAndHindersNobody() async throws {
        try await Loopback<NetplayEngine>.tunnel { tunnel in
            let stalled = try await Self.pair(in: tunnel)
            let lively = try await Self.pair(in: tunnel)
            try await stalled.guest.setReading(false)
            let (bomb, raw) = try Self.savestate([UInt8](repeating: 0, count: 64 << 20))
            stalled.link.post(bomb)
            // It goes off until the kernel's buffers towards the guest are full; then it must stop.
            var (relayed, rounds) = (UInt64(0), 0)
            while rounds < 200 {
                try await lively.guest.send(Array(repeating: 0, count: 8))
                #expect(try await lively.link.read(8) == Array(repeating: 0, count: 8))
                let now = try await tunnel.relay.status().counters.bytesRelayed
                rounds = now > relayed + 10_000 ? 0 : rounds + 1
                relayed = now
            }
            #expect(relayed < UInt64(raw.count))
            #expect(try await tunnel.relay.status().queuedBytes < 256 << 10)
            try await stalled.guest.setReading(true)
            #expect(try await stalled.guest.read(raw.count) == raw)
            try await stalled.close()
            try await lively.close()
        }
    }

    @Test(arguments: [true, false])
    func savestateIsDeliveredWholeBeforeTheEnd(_ closes: Bool) async throws {
        try await Loopback<NetplayEngine>.tunnel { tunnel in
            let pair = try await Self.pair(in: tunnel)
            try await pair.guest.setReading(false)
            let (compressed, raw) = try Self.savestate([UInt8](repeating: 7, count: 32 << 20))
            try await pair.link.channel.writeAndFlush(compressed)
            if closes { try await pair.link.close() } else { try await pair.link.end() }
            try await tunnel.untilQuiet()
            try await pair.guest.setReading(true)
            #expect(try await pair.guest.readToEnd() == raw)
            try await pair.close()
        }
    }

    @Test func raggedSavestateEndsThePairAndIsCounted() async throws {
        try await Loopback<NetplayEngine>.tunnel { tunnel in
            let pair = try await Self.pair(in: tunnel)
            let (compressed, _) = try Self.savestate([1, 2, 3])
            var broken = compressed
            broken.setInteger(UInt32(99), at: 12)
            try await pair.link.channel.writeAndFlush(broken)
            #expect(try await pair.link.readToEnd().isEmpty)
            _ = try await pair.guest.readToEnd()
            let counters = try await tunnel.relay.status().counters
            #expect(counters.closed["bad_savestate"] == 1)
            #expect(counters.events["pair_transcoded"] == 1)
            try await pair.close()
        }
    }
}
