import NIOCore
import RelayTesting
import Testing

@testable import Netplay

@Suite("Netplay header")
struct HeaderTests {
    private static let guest = NetplayHeader(
        platform: 0x0004_0008, compression: 1, salt: 6, protocolVersion: 5, implementation: 0x469)

    private func vector(_ name: String) throws -> ByteBuffer {
        let vectors = try Fixtures.load(WireTests.VectorFile.self, from: "netplay/wire.json").vectors
        let hex = try #require(vectors.first { $0.name == name }).hex
        return ByteBuffer(bytes: try #require(bytes(hex: hex)))
    }

    @Test func recordedHeadersDecodeAndEncode() throws {
        var recorded = try vector("netplay_header_client")
        let copy = recorded
        #expect(try NetplayHeader.decode(from: &recorded) == Self.guest)
        #expect(recorded.readableBytes == 0)
        var encoded = ByteBuffer()
        Self.guest.encode(into: &encoded)
        #expect(encoded == copy)
    }

    @Test func everyPrefixIsIncomplete() throws {
        let whole = try vector("netplay_header_host")
        for length in 0..<NetplayHeader.size {
            var prefix = try #require(whole.getSlice(at: 0, length: length))
            #expect(try NetplayHeader.decode(from: &prefix) == nil)
            #expect(prefix.readableBytes == length)
        }
    }

    @Test func otherMagicIsRefusedAtTheFourthByte() {
        var bytes = ByteBuffer(string: "HTTP")
        #expect(throws: NetplayWireError.unknownMagic) { try NetplayHeader.decode(from: &bytes) }
    }

    @Test("implementation word", arguments: [("1.14.0", 6, 0x469), ("1.9.8", 5, 0x2D9)])
    func implementation(version: String, highest: UInt32, expected: UInt32) {
        #expect(NetplayHeader.implementation(version: version, highestProtocol: highest) == expected)
    }

    @Test func identifiersReadTheirOwnText() throws {
        let id = try #require(TunnelID("PIbhU6O6BXl7GfyK"))
        #expect(id == TunnelID(high: 0x3C86_E153_A3BA_0579, low: 0x7B19_FC8A))
        #expect(id.description == "PIbhU6O6BXl7GfyK")
        for wrong in [
            "", "PIbhU6O6BXl7Gfy", "PIbhU6O6BXl7GfyKK", "PIbhU6O6BXl7Gf_K", "AAAAAAAAAAAAAAAA", "ÄIbhU6O6BXl7Gfy",
        ] {
            #expect(TunnelID(wrong) == nil)
        }
    }

    @Test func whatOneSideSaysTheOtherReads() throws {
        let id = try #require(TunnelID("PIbhU6O6BXl7GfyK"))
        for opening in [TunnelOpening.openSession, .join(id), .link(id)] {
            var bytes = opening.encoded
            #expect(try TunnelOpening.decode(from: &bytes) == opening)
        }
        for message in [OwnerMessage.ping, .addressQuery(id)] {
            var bytes = message.encoded
            #expect(try OwnerMessage.decode(from: &bytes) == message)
        }
        for name in [
            "tunnel_session_reply", "tunnel_link_notice", "tunnel_addr_reply_v4", "tunnel_addr_reply_v6", "tunnel_ping",
        ] {
            var bytes = try vector(name)
            let copy = bytes
            let reply = try #require(try TunnelReply.decode(from: &bytes))
            #expect(bytes.readableBytes == 0)
            #expect(reply.encoded == copy)
        }
    }
}
