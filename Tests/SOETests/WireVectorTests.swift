import NIOCore
import RelayTesting
import Testing

@testable import SOE

/// The golden values of `Tests/Fixtures/soe`, made by one implementation and checked by another.
@Suite("SOE wire vectors")
struct WireVectorTests {
    private struct File<Vector: Decodable>: Decodable { var vectors: [Vector] }

    private func vectors<Vector: Decodable>(_ type: Vector.Type, in file: String) throws -> [Vector] {
        try Fixtures.load(File<Vector>.self, from: "soe/\(file).json", snakeCase: true).vectors
    }

    private func octets(_ hex: String?) throws -> [UInt8] {
        try #require(hex.flatMap { bytes(hex: $0) })
    }

    @Test func crcs() throws {
        struct Vector: Decodable { var name: String, seed: UInt32, inputHex: String, crc: String }
        let all = try vectors(Vector.self, in: "crc32")
        #expect(all.count == 99)
        for vector in all {
            let crc = try #require(SeededCRC(seed: vector.seed, length: 4))
            let value = try octets(vector.inputHex).withUnsafeBytes { crc.value(of: $0) }
            #expect(value == UInt32(vector.crc, radix: 16), "\(vector.name)")
        }
    }

    @Test func crcTrailers() throws {
        struct Vector: Decodable { var name: String, seed: UInt32, crcLength: Int, inputHex: String, outputHex: String }
        let all = try vectors(Vector.self, in: "crc_trailer")
        #expect(all.count == 75)
        for vector in all {
            let crc = try #require(SeededCRC(seed: vector.seed, length: vector.crcLength))
            // Something before the datagram must not matter.
            var buffer = ByteBuffer(bytes: [1, 2, 3] + (try octets(vector.inputHex)))
            crc.append(to: &buffer, from: 3)
            buffer.moveReaderIndex(forwardBy: 3)
            #expect(Array(buffer.readableBytesView) == bytes(hex: vector.outputHex), "\(vector.name)")
            #expect(crc.verifies(buffer), "\(vector.name)")
            for index in buffer.readerIndex..<buffer.writerIndex where vector.crcLength > 0 {
                var damaged = buffer
                damaged.setInteger(buffer.getInteger(at: index, as: UInt8.self).map { $0 ^ 0x10 } ?? 0, at: index)
                #expect(!crc.verifies(damaged), "\(vector.name), byte \(index)")
            }
        }
    }

    @Test func rc4() throws {
        struct Vector: Decodable { var name: String, keyHex: String, chunksIn: [String], chunksOut: [String] }
        let all = try vectors(Vector.self, in: "rc4")
        #expect(all.count == 7)
        for vector in all {
            let key = try octets(vector.keyHex)
            var cipher = RC4(key: try #require(RC4Key(key)))
            for (plain, expected) in zip(vector.chunksIn, vector.chunksOut) {
                var chunk = try octets(plain)
                chunk.withUnsafeMutableBytes { cipher.apply(to: $0) }
                #expect(chunk == bytes(hex: expected), "\(vector.name)")
            }
        }
    }

    @Test func variableLengths() throws {
        struct Vector: Decodable {
            var name: String, scheme: String, value: UInt32?, inputHex: String?, outputHex: String?
            var consumed: Int?, error: Bool?
        }
        let all = try vectors(Vector.self, in: "varint")
        #expect(all.count == 62)
        for vector in all {
            let scheme: VariableLength = vector.scheme == "multi_packet" ? .multiPacket : .dataBundle
            if let output = vector.outputHex {
                let value = try #require(vector.value)
                var buffer = ByteBuffer()
                scheme.write(value, into: &buffer)
                #expect(Array(buffer.readableBytesView) == bytes(hex: output), "\(vector.name)")
                #expect(scheme.size(of: Int(value)) == buffer.readableBytes)
            } else {
                let input = try octets(vector.inputHex)
                var buffer = ByteBuffer(bytes: input)
                let value = try? scheme.read(from: &buffer)
                #expect(value == (vector.error == true ? nil : vector.value), "\(vector.name)")
                if let consumed = vector.consumed {
                    #expect(input.count - buffer.readableBytes == consumed, "\(vector.name)")
                }
            }
        }
    }

    @Test func packets() throws {
        struct Fields: Decodable {
            var version: UInt32?, sessionId: UInt32?, udpLength: UInt32?, `protocol`: String?
            var crcSeed: UInt32?, crcLength: UInt8?, compression: UInt8?, unknown: UInt8?, reason: UInt16?
            var sequence: UInt16?
        }
        struct Vector: Decodable { var name: String, fields: Fields, outputHex: String }
        let all = try vectors(Vector.self, in: "packets")
        #expect(all.count == 39)
        for vector in all {
            let fields = vector.fields
            let golden = ByteBuffer(bytes: try octets(vector.outputHex))
            var rest = golden
            var written = ByteBuffer()
            switch vector.name.split(separator: " ").first {
            case "SessionRequest":
                let name = try #require(fields.protocol)
                let request = SessionRequest(
                    version: try #require(fields.version), sessionID: try #require(fields.sessionId),
                    udpLength: try #require(fields.udpLength),
                    protocolName: ProtocolName(name))
                written.writeOpCode(.sessionRequest)
                request.encode(into: &written)
                #expect(try rest.packetStart() == .packet(.sessionRequest))
                rest.moveReaderIndex(forwardBy: 2)
                #expect(try SessionRequest.decode(from: &rest) == request)
            case "SessionResponse":
                let response = SessionResponse(
                    sessionID: try #require(fields.sessionId), crcSeed: try #require(fields.crcSeed),
                    crcLength: try #require(fields.crcLength), firstPass: try #require(fields.compression),
                    secondPass: try #require(fields.unknown), udpLength: try #require(fields.udpLength),
                    version: fields.version)
                written.writeOpCode(.sessionResponse)
                response.encode(into: &written)
                rest.moveReaderIndex(forwardBy: 2)
                #expect(try SessionResponse.decode(from: &rest) == response)
            case "Disconnect":
                let reason = try #require(fields.reason)
                let disconnect = Disconnect(
                    sessionID: try #require(fields.sessionId), reason: DisconnectReason(wire: reason))
                disconnect.encode(into: &written)
                #expect(try Disconnect.decode(from: &rest) == disconnect)
                #expect(disconnect.reason.rawValue == fields.reason)
            case "RemapConnection":
                let remap = RemapConnection(
                    sessionID: try #require(fields.sessionId), crcSeed: try #require(fields.crcSeed))
                written.writeOpCode(.remapConnection)
                remap.encode(into: &written)
                rest.moveReaderIndex(forwardBy: 2)
                #expect(try RemapConnection.decode(from: &rest) == remap)
            case "UnknownSender":
                written.writeOpCode(.unknownSender)
            default:
                written.writeInteger(try #require(fields.sequence))
            }
            #expect(written == golden, "\(vector.name)")
        }
    }

    /// Ours are the golden ones, but for two packets that older peers send shorter.
    @Test func minimumLengths() throws {
        struct Vector: Decodable { var name: String, op: UInt8, compression: Int, crcLength: Int, length: Int }
        let all = try vectors(Vector.self, in: "min_lengths")
        #expect(all.count == 96)
        for vector in all {
            let code = try #require(OpCode(rawValue: vector.op))
            let shorter =
                switch code {
                case .sessionRequest: 1  // no name
                case .sessionResponse: 4  // no version
                case .disconnect: 2  // no reason
                default: 0
                }
            let length = code.minimumDatagram(flagged: vector.compression == 1, crcLength: vector.crcLength)
            #expect(length == vector.length - shorter, "\(vector.name)")
        }
    }

    /// Within the window the golden values are ours; beyond it, where a receiver drops them, they may be another of the
    /// numbers that end in the same bits.
    @Test func sequences() throws {
        struct Vector: Decodable { var name: String, wire: UInt16, current: Int64, window: Int64, full: Int64 }
        let all = try vectors(Vector.self, in: "sequence_unwrap")
        #expect(all.count == 448)
        for vector in all {
            let full = SequenceNumber.widen(vector.wire, near: vector.current)
            #expect(UInt16(truncatingIfNeeded: full) == vector.wire)
            if abs(vector.full - vector.current) <= vector.window {
                #expect(full == vector.full, "\(vector.name)")
            } else {
                #expect(abs(full - vector.current) > vector.window || full < 0, "\(vector.name)")
            }
        }
    }
}
