import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import Netplay

@Suite("Tunnel wire")
struct WireTests {
    struct VectorFile: Decodable {
        struct Vector: Decodable {
            var name: String
            var hex: String
            var sessionBase64: String?

            enum CodingKeys: String, CodingKey {
                case name, hex
                case sessionBase64 = "session_base64"
            }
        }

        var vectors: [Vector]
    }

    private func vector(_ name: String) throws -> VectorFile.Vector {
        try #require(Fixtures.load(VectorFile.self, from: "netplay/wire.json").vectors.first { $0.name == name })
    }

    private func buffer(_ name: String) throws -> ByteBuffer {
        ByteBuffer(bytes: try #require(bytes(hex: vector(name).hex)))
    }

    private func id(_ bytes: ByteBuffer) throws -> TunnelID {
        let (high, low) = try #require(
            bytes.getSlice(at: 4, length: 12).flatMap { slice in
                var slice = slice
                return slice.readMultipleIntegers(as: (UInt64, UInt32).self)
            }
        )
        return TunnelID(high: high, low: low)
    }

    @Test func openings() throws {
        for (name, expected) in try [
            ("tunnel_session_request", TunnelOpening.openSession),
            ("tunnel_join", .join(id(buffer("tunnel_join")))),
            ("tunnel_link_open", .link(id(buffer("tunnel_link_open")))),
        ] {
            var bytes = try buffer(name)
            #expect(try TunnelOpening.decode(from: &bytes) == expected)
            #expect(bytes.readableBytes == 0)
        }
    }

    @Test func openingLeavesWhatFollows() throws {
        var bytes = try buffer("netplay_guest_first_write")
        #expect(try TunnelOpening.decode(from: &bytes) == .join(id(buffer("tunnel_join"))))
        #expect(try bytes == buffer("netplay_header_client"))
    }

    @Test func replies() throws {
        let guest = try id(buffer("tunnel_link_notice"))
        let loopback = try #require(IPAddress("127.0.0.1"))
        #expect(
            try TunnelReply.sessionOpened(id(buffer("tunnel_session_reply"))).encoded == buffer("tunnel_session_reply"))
        #expect(try TunnelReply.guestWaits(guest).encoded == buffer("tunnel_link_notice"))
        #expect(try TunnelReply.address(guest, loopback).encoded == buffer("tunnel_addr_reply_v4"))
        #expect(try TunnelReply.address(.none, IPAddress("::1")).encoded == buffer("tunnel_addr_reply_v6"))
        #expect(try TunnelReply.address(.none, nil).encoded == buffer("tunnel_addr_reply_unknown"))
        #expect(try TunnelReply.ping.encoded == buffer("tunnel_ping"))
        #expect(try TunnelReply.bareNetplayRefusal.encoded == buffer("tunnel_legacy_reply"))
    }

    @Test func sessionIsNamedAsInRetroArch() throws {
        let reply = try vector("tunnel_session_reply")
        #expect(try id(buffer("tunnel_session_reply")).description == #require(reply.sessionBase64))
    }

    @Test func hostsWords() throws {
        var bytes = try buffer("tunnel_host_control_up")
        bytes.moveReaderIndex(forwardBy: 16)
        var queries = 0
        while let message = try OwnerMessage.decode(from: &bytes) {
            guard case .addressQuery = message else { Issue.record("\(message)"); return }
            queries += 1
        }
        #expect(queries == 2)
        #expect(bytes.readableBytes == 0)
        var ping = try buffer("tunnel_ping")
        #expect(try OwnerMessage.decode(from: &ping) == .ping)
    }

    @Test func everyPrefixWaits() throws {
        for name in ["tunnel_session_request", "tunnel_join", "tunnel_link_open"] {
            let whole = try buffer(name)
            for length in 0..<whole.readableBytes {
                var prefix = try #require(whole.getSlice(at: 0, length: length))
                #expect(try TunnelOpening.decode(from: &prefix) == nil)
                #expect(prefix.readableBytes == length)
            }
        }
    }

    @Test(arguments: ["GET / HTTP/1.1", "RATA", "RATP", "POKE", "rats", "\u{16}\u{3}\u{1}\u{2}"])
    func otherOpeningsAreRefusedAtTheFourthByte(_ text: String) {
        var bytes = ByteBuffer(string: String(text.prefix(4)))
        #expect(throws: TunnelWireError.unknownOpening) { try TunnelOpening.decode(from: &bytes) }
    }

    @Test func base64AgreesWithFoundation() {
        var random = RandomSource.seeded(3)
        for _ in 0..<500 {
            let id = TunnelID.random(from: &random)
            var bytes = ByteBuffer()
            bytes.writeMultipleIntegers(id.high, id.low)
            #expect(id.description == base64(Array(bytes.readableBytesView)))
        }
    }
}
