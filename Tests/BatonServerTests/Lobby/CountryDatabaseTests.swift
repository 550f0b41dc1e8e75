import Foundation
import Netplay
import RelayCore
import Testing

@testable import BatonServer

@Suite struct CountryDatabaseTests {
    /// Writes a file in MaxMind's format and hands over its path.
    static func with<Result>(
        _ countries: [(prefix: String, code: String)], _ body: (String) async throws -> Result
    ) async throws -> Result {
        let path = FileManager.default.temporaryDirectory.appending(path: "baton-\(UUID().uuidString).mmdb").path
        try Data(try MaxMindWriter(countries).file).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try await body(path)
    }

    @Test func addressesHaveCountries() async throws {
        let countries = [("192.0.2.0/24", "DE"), ("127.0.0.0/8", "AT"), ("2001:db8::/32", "JP")]
        try await Self.with(countries) { path in
            let database = try CountryDatabase(path: path)
            for (address, country) in [
                ("192.0.2.77", "de"), ("127.0.0.1", "at"), ("2001:db8:1::1", "jp"), ("192.0.3.1", ""),
                ("2001:db9::", ""),
            ] {
                #expect(await database.country(of: try #require(IPAddress(address))) == country, "\(address)")
            }
        }
    }

    @Test func codesThatAreNoneAreLeftOut() async throws {
        try await Self.with([("192.0.2.0/24", "<>"), ("192.0.3.0/24", "DEU")]) { path in
            let database = try CountryDatabase(path: path)
            for address in ["192.0.2.1", "192.0.3.1"] {
                #expect(await database.country(of: try #require(IPAddress(address))) == "")
            }
        }
    }

    @Test func aFileThatCannotBeUsedIsSaid() async throws {
        for path in ["/nonexistent/x.mmdb", CommandLine.arguments[0]] {
            let error = #expect(throws: BatonError.self) { try CountryDatabase(path: path) }
            #expect(error?.code == .storage && error?.message.contains(path) == true)
        }
    }

    @Test func roomsShowTheirCountry() async throws {
        try await Self.with([("127.0.0.0/8", "AT")]) { path in
            let lobby = try LobbyFixture()
            try lobby.desk.openCountries(path)
            let room = try await lobby.announce(Announced.relayed())
            #expect(LobbyText.added(room).contains("\ncountry=AT\n"))
            #expect(lobby.list.contains("\"country\": \"at\""))
        }
    }

    @Test func aBadFileAtAReloadLeavesTheOldOne() async throws {
        try await Self.with([("127.0.0.0/8", "AT")]) { path in
            let lobby = try LobbyFixture()
            try lobby.desk.openCountries(path)
            lobby.desk.reconfigure(LobbyConfiguration(), countries: "/nonexistent/x.mmdb")
            #expect(try await lobby.announce(["username": "a"]).country == "at")
            lobby.desk.reconfigure(LobbyConfiguration(), countries: nil)
            #expect(try await lobby.announce(["username": "b"]).country == "")
        }
    }
}

/// Writes the format that MaxMind publishes: a binary tree of the bits of addresses, data, and a map about both.
private struct MaxMindWriter {
    private var nodes: [[Int?]] = [[nil, nil]]
    private var data: [UInt8] = []
    /// What a record of a node is that leads to data: the offset is put on later.
    private static let leaf = 1 << 20

    init(_ countries: [(prefix: String, code: String)]) throws {
        for (prefix, code) in countries {
            let parts = prefix.split(separator: "/")
            let address = try #require(IPAddress(parts[0]))
            let isIPv4 = address.ipv4 != nil
            let bits = try #require(Int(parts[1])) + (isIPv4 ? 96 : 0)
            // IPv4 addresses are in the tree as ::a.b.c.d.
            let low = isIPv4 ? address.low & 0xFFFF_FFFF : address.low
            insert(high: address.high, low: low, bits: bits, leaf: Self.leaf + data.count)
            data += Self.map([("country", Self.map([("iso_code", Self.string(code))]))])
        }
    }

    var file: [UInt8] {
        let tree = nodes.flatMap { node in
            node.flatMap { record -> [UInt8] in
                let value = record.map { $0 >= Self.leaf ? nodes.count + 16 + $0 - Self.leaf : $0 } ?? nodes.count
                return [UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
            }
        }
        let about = Self.map([
            ("binary_format_major_version", Self.number(5, 2)), ("binary_format_minor_version", Self.number(5, 0)),
            ("build_epoch", Self.number(9, 1)), ("database_type", Self.string("Test-Country")),
            ("description", Self.map([])), ("ip_version", Self.number(5, 6)), ("languages", [0x00, 0x04]),
            ("node_count", Self.number(6, nodes.count)), ("record_size", Self.number(5, 24)),
        ])
        return tree + [UInt8](repeating: 0, count: 16) + data + [0xAB, 0xCD, 0xEF] + Array("MaxMind.com".utf8) + about
    }

    private mutating func insert(high: UInt64, low: UInt64, bits: Int, leaf: Int) {
        var node = 0
        for bit in 0..<bits {
            let side = Int((bit < 64 ? high >> UInt64(63 - bit) : low >> UInt64(127 - bit)) & 1)
            if bit == bits - 1 {
                nodes[node][side] = leaf
            } else if let next = nodes[node][side] {
                node = next
            } else {
                nodes.append([nil, nil])
                nodes[node][side] = nodes.count - 1
                node = nodes.count - 1
            }
        }
    }

    private static func string(_ text: String) -> [UInt8] { [0x40 | UInt8(text.utf8.count)] + Array(text.utf8) }

    private static func map(_ pairs: [(String, [UInt8])]) -> [UInt8] {
        [0xE0 | UInt8(pairs.count)] + pairs.flatMap { string($0.0) + $0.1 }
    }

    private static func number(_ type: UInt8, _ value: Int) -> [UInt8] {
        let bytes = withUnsafeBytes(of: value.bigEndian) { Array($0.drop { $0 == 0 }) }
        return (type > 7 ? [UInt8(bytes.count), type - 7] : [type << 5 | UInt8(bytes.count)]) + bytes
    }
}
