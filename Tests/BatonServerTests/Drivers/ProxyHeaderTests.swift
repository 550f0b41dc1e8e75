import NIOCore
import Netplay
import RelayCore
import RelayTesting
import Testing

@testable import BatonServer

@Suite("PROXY protocol", .timeLimit(.minutes(5)))
struct ProxyHeaderTests {
    private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]

    private func decode(_ bytes: [UInt8]) throws -> (header: ProxyHeader?, rest: [UInt8]) {
        var buffer = ByteBuffer(bytes: bytes)
        let header = try ProxyHeader.decode(from: &buffer)
        return (header, Array(buffer.readableBytesView))
    }

    private func endpoint(_ address: String, _ port: UInt16) throws -> Endpoint {
        Endpoint(address: try #require(IPAddress(address)), port: port)
    }

    @Test func lines() throws {
        for (line, expected) in try [
            ("PROXY TCP4 203.0.113.7 192.0.2.1 4711 5300\r\n", endpoint("203.0.113.7", 4711)),
            ("PROXY TCP6 2001:db8::7 2001:db8::1 4711 5300\r\n", endpoint("2001:db8::7", 4711)),
            ("PROXY UNKNOWN\r\n", nil), ("PROXY UNKNOWN ffff:: :: 1 2\r\n", nil),
        ] {
            let (header, rest) = try decode(Array(line.utf8) + [1, 2])
            #expect(header == ProxyHeader(source: expected))
            #expect(rest == [1, 2])
            for length in 0..<line.utf8.count { #expect(try decode(Array(line.utf8.prefix(length))).header == nil) }
        }
    }

    @Test(arguments: [
        "PROXY TCP4 203.0.113.7 192.0.2.1 4711\r\n", "PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
        "PROXY TCP6 203.0.113.7 192.0.2.1 1 2\r\n", "PROXY TCP4 203.0.113.7 192.0.2.1 70000 2\r\n",
        "PROXY TCP4 203.0.113.7 192.0.2.1 1 2\n", "GET / HTTP/1.1\r\n", "PROXY  TCP4 1.1.1.1 1.1.1.1 1 1\r\n",
    ])
    func otherLinesAreRefused(_ line: String) {
        #expect(throws: ProxyHeaderError.self) { try decode(Array(line.utf8)) }
    }

    @Test func lineWithoutEndIsRefused() {
        #expect(throws: ProxyHeaderError.self) { try decode(Array("PROXY ".utf8) + [UInt8](repeating: 65, count: 200)) }
    }

    @Test func binary() throws {
        let four = Self.signature + [0x21, 0x11, 0, 12, 203, 0, 113, 7, 192, 0, 2, 1, 0x12, 0x67, 0x14, 0xB4]
        let six =
            Self.signature + [0x21, 0x21, 0, 36, 0x20, 1, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [7]
            + [UInt8](repeating: 0, count: 16) + [0x12, 0x67, 0x14, 0xB4]
        let withExtra =
            Self.signature + [0x21, 0x11, 0, 15, 203, 0, 113, 7, 192, 0, 2, 1, 0x12, 0x67, 0x14, 0xB4, 4, 0, 0]
        let local = Self.signature + [0x20, 0, 0, 0]
        for (bytes, expected) in try [
            (four, endpoint("203.0.113.7", 4711)), (six, endpoint("2001:db8::7", 4711)),
            (withExtra, endpoint("203.0.113.7", 4711)), (local, nil),
        ] {
            let (header, rest) = try decode(bytes + [1, 2])
            #expect(header == ProxyHeader(source: expected))
            #expect(rest == [1, 2])
            for length in 0..<bytes.count { #expect(try decode(Array(bytes.prefix(length))).header == nil) }
        }
    }

    @Test(arguments: [
        [0x11, 0x11, 0, 12], [0x22, 0x11, 0, 12], [0x21, 0x11, 0xFF, 0xFF], [0x21, 0x11, 0, 4, 1, 2, 3, 4],
        [0x21, 0x21, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
    ])
    func otherBinaryIsRefused(_ tail: [UInt8]) {
        #expect(throws: ProxyHeaderError.self) { try decode(Self.signature + tail) }
    }

    @Test func anyBytesAreSurvived() {
        var random = RandomSource.seeded(5)
        for _ in 0..<20_000 {
            let tail = (0..<Int.random(in: 0...80, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
            }
            let head = [[], Self.signature, Array("PROXY ".utf8)].randomElement(using: &random) ?? []
            _ = try? decode(head + tail)
        }
    }

    @Test func tunnelSeesTheAddressTheProxyNames() async throws {
        var settings = NetplayService.settings
        settings.proxySources = [try #require(IPPrefix("127.0.0.1"))]
        try await Loopback<NetplayEngine>.tunnel(settings: settings) { tunnel in
            let host = try await tunnel.connect()
            let line = Array("PROXY TCP4 203.0.113.7 192.0.2.1 4711 55435\r\n".utf8)
            try await host.send(line + Array("RATS".utf8) + [UInt8](repeating: 0, count: 12))
            _ = try await host.read(16)
            try await host.send(Array("RATA".utf8) + [UInt8](repeating: 0, count: 12))
            #expect(try await host.read(32).suffix(4) == [203, 0, 113, 7])
            let liar = try await tunnel.connect(from: "127.0.0.9")
            try await liar.send(line)
            #expect(try await liar.readToEnd().isEmpty)
            let mute = try await tunnel.connect()
            try await mute.send(Array("RATS".utf8))
            #expect(try await mute.readToEnd().isEmpty)
            let counters = try await tunnel.relay.status().counters
            #expect(counters.closed["unknown_opening"] == 1)
            #expect(counters.refused["proxy_header_invalid"] == 1)
            for client in [host, liar, mute] { try? await client.close() }
        }
    }
}
