import NIOCore
import RelayTesting
import Testing

@testable import LDN

/// A packet with its bytes and all its fields.
struct PacketVector: Decodable, Sendable, CustomTestStringConvertible {
    var name: String
    var packet: String
    var id: UInt8
    var trailingSize: Int
    var payloadStruct: String?
    /// By the specification's names; whatever is not named is zero.
    var nonzeroFields: [String: String]
    var hex: String

    var bytes: [UInt8] { RelayTesting.bytes(hex: hex) ?? [] }
    var testDescription: String { name }

    enum CodingKeys: String, CodingKey {
        case name, packet, id, hex
        case trailingSize = "trailing_size"
        case payloadStruct = "payload_struct"
        case nonzeroFields = "nonzero_fields"
    }

    private struct File: Decodable { var vectors: [PacketVector] }

    static func all() throws -> [PacketVector] { try Fixtures.load(File.self, from: "ldn/packets.json").vectors }

    /// The bytes of one packet.
    static func bytes(of name: String) throws -> [UInt8] {
        try #require(all().first { $0.name == name }).bytes
    }
}

/// A stream that no client should send.
struct MalformedVector: Decodable, Sendable, CustomTestStringConvertible {
    var name: String
    var hex: String

    var bytes: [UInt8] { RelayTesting.bytes(hex: hex) ?? [] }
    var testDescription: String { name }

    private struct File: Decodable { var vectors: [MalformedVector] }

    static func all() throws -> [MalformedVector] { try Fixtures.load(File.self, from: "ldn/malformed.json").vectors }
}

/// The structs as the specification has them.
struct Layouts: Decodable {
    struct Struct: Decodable {
        var size: Int
        var fields: [Field]
    }

    struct Field: Decodable {
        var offset: Int
        var name: String
        var type: String

        init(from decoder: any Decoder) throws {
            var values = try decoder.unkeyedContainer()
            offset = try values.decode(Int.self)
            name = try values.decode(String.self)
            type = try values.decode(String.self)
        }
    }

    struct PacketID: Decodable {
        var id: UInt8
        var payload: String?
    }

    var structs: [String: Struct]
    var packets: [String: PacketID]

    static func load() throws -> Layouts { try Fixtures.load(Layouts.self, from: "ldn/layouts.json") }

    /// All fields that hold no others, as `offset name type`.
    func leaves(of name: String, at origin: Int = 0, under prefix: String = "") -> [String] {
        (structs[name]?.fields ?? []).flatMap { field in
            let parts = field.type.split(separator: "*").map(String.init)
            guard let inner = structs[parts[0]] else {
                return ["\(origin + field.offset) \(prefix)\(field.name) \(field.type)"]
            }
            let count = parts.count > 1 ? Int(parts[1]) : nil
            return (0..<(count ?? 1)).flatMap { index in
                let label = count == nil ? field.name : "\(field.name)[\(index)]"
                return leaves(
                    of: parts[0], at: origin + field.offset + index * inner.size, under: "\(prefix)\(label).")
            }
        }
    }
}

/// Lists the fields of a struct: where they are, what they are, what they hold.
struct FieldList: FieldWalker {
    private(set) var leaves: [String] = []
    private(set) var nonzero: [String: String] = [:]
    private var origin = 0
    private var prefix = ""

    init(of value: some WireStruct) {
        var value = value
        value.walk(&self)
    }

    mutating func integer<Value: FixedWidthInteger & Sendable>(_ value: inout Value, _ name: String, at offset: Int) {
        note(name, at: offset, type: "\(Value.isSigned ? "s" : "u")\(Value.bitWidth)", value == 0 ? nil : "\(value)")
    }

    mutating func octets<Value: OctetString>(_ value: inout Value, _ name: String, at offset: Int) {
        note(name, at: offset, type: "b\(Value.count)", value == .zero ? nil : "\(value)")
    }

    mutating func bytes(_ value: inout ByteBuffer, _ name: String, at offset: Int, count: Int) {
        let digits = value.readableBytesView.map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0\(text)" : text
        }
        let isZero = value.readableBytesView.allSatisfy { $0 == 0 }
        note(name, at: offset, type: "b\(count)", isZero ? nil : digits.joined())
    }

    mutating func structure<Value: WireStruct>(_ value: inout Value, _ name: String, at offset: Int) {
        let before = (origin, prefix)
        origin += offset
        prefix += "\(name)."
        value.walk(&self)
        (origin, prefix) = before
    }

    private mutating func note(_ name: String, at offset: Int, type: String, _ value: String?) {
        leaves.append("\(origin + offset) \(prefix)\(name) \(type)")
        if let value { nonzero["\(prefix)\(name)"] = value }
    }
}
