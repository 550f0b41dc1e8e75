import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import SOE

@Suite("SOE packet coding")
struct CodingTests {
    private static let seed: UInt32 = 0x1234_5678
    private static let short = Array("hello world".utf8)
    private static let long = Array(String(repeating: "abcd", count: 30).utf8)

    private func coding(_ dialect: SOEDialect, compresses: Bool = true) throws -> PacketCoding {
        try PacketCoding(
            response: SessionResponse(
                sessionID: 1, crcSeed: Self.seed, crcLength: 2, firstPass: compresses ? 1 : 0,
                secondPass: dialect.chainsXor ? 4 : 0, udpLength: 512),
            dialect: dialect)
    }

    private func seal(_ coding: PacketCoding, _ code: OpCode, _ body: [UInt8]) -> ByteBuffer {
        var bytes = ByteBuffer(bytes: [1, 2, 3, 0, code.rawValue])
        bytes.writeRepeatingByte(0, count: coding.gap)
        bytes.writeBytes(body)
        coding.seal(&bytes, from: 3, isRaw: false, zlib: ZlibCodec())
        bytes.moveReaderIndex(to: 3)
        return bytes
    }

    /// Written down by an independent program, from the facts alone.
    @Test(arguments: [
        ("everquest", "0009dd56317ab83a5d15984d3267f4fc8071", short, UInt16(5)),
        ("everquest", "0009222e35714265793b0c7c71370c90c7193fea8c", long, 6),
        ("swg", "000978535c77143f33576350413b0763cdf9", short, 5),
        ("swg", "000900ca57724b861d3c528e113cbe383f0fbfdb2b", long, 6),
        ("v3", "000901789c63604b4c4a4e19080c00ecb62e3307cc", long, 6),
    ])
    func passesOfEachDialect(_ name: String, _ hex: String, _ data: [UInt8], _ sequence: UInt16) throws {
        let coding = try coding(#require(SOEDialect.named(name)))
        let golden = ByteBuffer(bytes: try #require(bytes(hex: hex)))
        let body = be(sequence) + data
        #expect(try coding.open(golden, zlib: ZlibCodec()) == .packet(.reliableData0, body: ByteBuffer(bytes: body)))
        let sealed = seal(coding, .reliableData0, body)
        #expect(try coding.open(sealed, zlib: ZlibCodec()) == .packet(.reliableData0, body: ByteBuffer(bytes: body)))
        // Deflate may say the same in other bytes; what is not compressed is said in one way.
        if data == Self.short { #expect(sealed == golden) }
        if data == Self.long { #expect(sealed.readableBytes <= golden.readableBytes + 4) }
    }

    @Test func rawDataOfEverQuest() throws {
        let coding = try coding(.everQuest)
        let golden = ByteBuffer(bytes: try #require(bytes(hex: "41dd147756989b9a22ae")))
        #expect(try coding.open(golden, zlib: ZlibCodec()) == .raw(ByteBuffer(string: "ABCDEFG")))
    }

    @Test func compressionThatHelpsNothingIsLeftOut() throws {
        let coding = try coding(.v3)
        var random = RandomSource.seeded(1)
        let noise = (0..<400).map { _ in UInt8.random(in: 0...255, using: &random) }
        let sealed = seal(coding, .ordered, noise)
        #expect(sealed.readableBytes == 2 + 1 + 400 + 2)
        #expect(sealed.getInteger(at: sealed.readerIndex + 2, as: UInt8.self) == 0)
        #expect(try coding.open(sealed, zlib: ZlibCodec()) == .packet(.ordered, body: ByteBuffer(bytes: noise)))
    }

    /// Compression that helps only a little is still taken: the result may be nearly as long as the input.
    @Test func compressionThatHelpsALittleIsUsed() throws {
        let coding = try coding(.v3)
        var random = RandomSource.seeded(1)
        let body = (0..<400).map { _ in UInt8.random(in: 0...255, using: &random) } + [UInt8](repeating: 0, count: 60)
        let sealed = seal(coding, .ordered, body)
        #expect(sealed.readableBytes < 2 + 1 + 460 + 2)
        #expect(try coding.open(sealed, zlib: ZlibCodec()) == .packet(.ordered, body: ByteBuffer(bytes: body)))
    }

    @Test func whatIsNotCompressedAsItSaysIsRefused() throws {
        let coding = try coding(.v3)
        let crc = coding.crc
        func open(_ bytes: [UInt8]) throws(SOEWireError) -> OpenedDatagram {
            var datagram = ByteBuffer(bytes: bytes)
            crc.append(to: &datagram, from: 0)
            return try coding.open(datagram, zlib: ZlibCodec())
        }
        let stream = try #require(bytes(hex: "789c63604b4c4a4e19080c00ecb62e33"))
        #expect(throws: Never.self) { try open([0, 9, 1] + stream) }
        for count in 0..<stream.count {
            #expect(throws: SOEWireError.badCompression, "\(count) bytes of it") {
                try open([0, 9, 1] + stream.prefix(count))
            }
        }
        #expect(throws: SOEWireError.truncated) { try open([0, 9]) }
        #expect(throws: SOEWireError.badCompression) { try open([0, 9, 1] + stream.reversed()) }
        let letters = try self.coding(.everQuest)
        var wrong = ByteBuffer(bytes: [0, 9, 0xDD ^ 1, 0x56, 0x31, 0x7A])
        letters.crc.append(to: &wrong, from: 0)
        #expect(throws: SOEWireError.badCompression) { try letters.open(wrong, zlib: ZlibCodec()) }
    }

    /// Half a kilobyte may inflate to what fits into a datagram of any dialect, and not to more.
    @Test func inflationIsBounded() throws {
        let zlib = ZlibCodec()
        for (size, isTaken) in [(16 << 10, true), (16 << 10 | 1, false), (10 << 20, false)] {
            var bytes = ByteBuffer(repeating: 7, count: size)
            #expect(zlib.deflateInPlace(&bytes, from: 0, threshold: 0))
            #expect((try? zlib.inflate(bytes))?.readableBytes == (isTaken ? size : nil), "\(size)")
        }
    }

    @Test func truncatedPacketsAreRefusedWithoutATrap() throws {
        var random = RandomSource.seeded(4)
        for dialect in SOEDialect.all {
            for compresses in [true, false] {
                let coding = try coding(dialect, compresses: compresses)
                let zlib = ZlibCodec()
                for code in OpCode.allCases {
                    let sealed = seal(coding, code, (0..<60).map { _ in UInt8.random(in: 0...9, using: &random) })
                    for length in 0...sealed.readableBytes {
                        var cut = ByteBuffer(bytes: sealed.readableBytesView.prefix(length))
                        _ = try? coding.open(cut, zlib: zlib)
                        // The same with a CRC that fits.
                        coding.crc.append(to: &cut, from: 0)
                        _ = try? coding.open(cut, zlib: zlib)
                    }
                }
            }
        }
    }

    // MARK: RC4 in mid-session

    /// A login server: the request comes in the clear, everything after it is encrypted, both ways.
    @Test func encryptionBeginsInMidSession() throws {
        var desk = Desk()
        var client = HandPeer()
        let peer = try client.open(with: &desk)
        let key = try #require(RC4Key(pattern(5, 16)))
        desk.receive(client.reliable(0, [1, 2]), from: client.endpoint)
        #expect(desk.enqueue([3, 4], to: peer) == .accepted)
        desk.engine.encrypt(peer, with: key)
        #expect(desk.enqueue([5, 6], to: peer) == .accepted)
        desk.settle()
        var outgoing = RC4(key: key)
        var incoming = RC4(key: key)
        let bodies = client.takePackets(&desk).filter { $0.code == .reliableData0 }.map(\.body)
        #expect(bodies == [[0, 0, 0, 0x19, 2, 3, 4, 2] + [5, 6].map { outgoing.apply(to: $0) }])
        desk.receive(client.reliable(1, [7, 8].map { incoming.apply(to: $0) }), from: client.endpoint)
        // Off, and on again: the key stream goes on where it was.
        desk.engine.encrypt(peer, with: nil)
        desk.receive(client.reliable(2, [9]), from: client.endpoint)
        desk.engine.encrypt(peer, with: key, sending: false)
        desk.receive(client.reliable(3, [10].map { incoming.apply(to: $0) }), from: client.endpoint)
        #expect(desk.messages.map(\.bytes) == [[1, 2], [7, 8], [9], [10]])
        #expect(desk.enqueue([11], to: peer) == .accepted)
        desk.settle()
        #expect(client.takePackets(&desk).contains { $0.body == [0, 1, 11] })
    }

    @Test(arguments: [0, 1, 2, 300, 501, 506, 5000, 40_000])
    func encryptedMessagesOfAllSizesCross(_ size: Int) throws {
        var configuration = Desk.configuration
        configuration.parameters.key = RC4Key([1, 2, 3])
        let server = EngineNode(Place.server, configuration, seed: 1)
        let client = EngineNode(Place.client(), configuration, seed: 2)
        server.echoes = true
        var simulation = DatagramSimulation(SimulatedNetwork(seed: 1), nodes: [server, client])
        let peer = try client.connect(to: Place.server, at: simulation.now)
        // So many that some ciphertexts begin with a zero.
        let count = size > 1000 ? 20 : 600
        for number in 0..<count { client.send(pattern(number, size), to: peer, at: simulation.now) }
        let isDone = simulation.run(for: .seconds(120)) { client.messages.count == count }
        let isSame = client.messages.map(\.bytes) == (0..<count).map { pattern($0, size) }
        #expect(isDone && isSame)
    }
}
