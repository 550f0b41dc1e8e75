import NIOCore
import RelayCore
import Testing

@testable import JSONRelay

@Suite("Frames")
struct FrameReaderTests {
    private let limit = 1 << 20

    /// Feeds pieces to a reader and gives what comes out.
    private func frames(_ pieces: some Sequence<ByteBuffer>) throws -> [[UInt8]] {
        var reader = FrameReader()
        var frames: [[UInt8]] = []
        for piece in pieces {
            var rest = piece
            while let frame = try reader.next(from: &rest, limit: limit) {
                frames.append(Array(frame.readableBytesView))
            }
            #expect(rest.readableBytes == 0)
        }
        return frames
    }

    @Test("pieces of one octet make the same frames")
    func singleOctets() throws {
        let bodies = ["{}", String(repeating: "x", count: 60_000), "abc"]
        let stream = bodies.flatMap { frame($0) }
        let found = try frames(stream.lazy.map { ByteBuffer(bytes: [$0]) })
        #expect(found == bodies.map { frame($0) })
    }

    @Test("any cut of a stream makes the same frames", arguments: 0..<200 as Range<UInt64>)
    func randomCuts(seed: UInt64) throws {
        var random = RandomSource.seeded(seed)
        let expected = (0..<Int.random(in: 1...20, using: &random)).map { _ in
            frame(Array(repeating: UInt8(ascii: "x"), count: Int.random(in: 1...200, using: &random)))
        }
        var rest = ByteBuffer(bytes: expected.flatMap { $0 })
        var pieces: [ByteBuffer] = []
        while rest.readableBytes > 0 {
            let piece = rest.readSlice(length: Int.random(in: 0...min(rest.readableBytes, 300), using: &random))
            pieces.append(try #require(piece))
        }
        #expect(try frames(pieces) == expected, "seed \(seed)")
    }

    @Test("many frames in one read are slices of it")
    func manyInOne() throws {
        let read = ByteBuffer(bytes: (0..<1000).flatMap { frame("message \($0)") })
        var reader = FrameReader()
        var rest = read
        var offset = 0
        while let frame = try reader.next(from: &rest, limit: limit) {
            #expect(address(of: frame) == address(of: read).map { $0 + offset })
            offset += frame.readableBytes
        }
        #expect(offset == read.readableBytes)
        #expect(!reader.isInsideFrame)
    }

    @Test("the frames after a cut one are slices of the read")
    func slicesAfterCut() throws {
        var reader = FrameReader()
        var first = ByteBuffer(bytes: frame("first").prefix(6))
        let early = try reader.next(from: &first, limit: limit)
        #expect(early == nil)
        #expect(reader.isInsideFrame)
        let second = ByteBuffer(bytes: frame("first").dropFirst(6) + frame("second"))
        var rest = second
        let gathered = try reader.next(from: &rest, limit: limit)
        #expect(gathered == ByteBuffer(bytes: frame("first")))
        let slice = try reader.next(from: &rest, limit: limit)
        #expect(slice == ByteBuffer(bytes: frame("second")))
        #expect(slice.flatMap(address) == address(of: second).map { $0 + 3 })
    }

    @Test(
        "a header that cannot be is refused as soon as it is complete",
        arguments: [
            ([0, 0, 0, 0], .emptyFrame), ([0xFF, 0xFF, 0xFF, 0xFF], .negativeLength),
            ([0x80, 0, 0, 0], .negativeLength),
            ([0x7F, 0xFF, 0xFF, 0xFF], .frameTooLarge(limit: 1 << 20)),
            ([0x7F, 0xFF, 0xFF, 0xFB], .frameTooLarge(limit: 1 << 20)),
            ([0, 0x10, 0, 1], .frameTooLarge(limit: 1 << 20)),
        ] as [([UInt8], WireError)])
    func badHeaders(header: [UInt8], error: WireError) {
        for cut in 0...3 {
            var reader = FrameReader()
            var start = ByteBuffer(bytes: header.prefix(cut))
            var end = ByteBuffer(bytes: header.dropFirst(cut))
            #expect(throws: Never.self) { try reader.next(from: &start, limit: limit) }
            #expect(throws: error) { try reader.next(from: &end, limit: limit) }
        }
    }

    @Test("the limit itself is allowed")
    func limitItself() throws {
        let body = Array(repeating: UInt8(ascii: " "), count: limit)
        #expect(try frames([ByteBuffer(bytes: frame(body))]) == [frame(body)])
    }

    private func address(of buffer: ByteBuffer) -> UnsafeRawPointer? {
        buffer.withUnsafeReadableBytes { $0.baseAddress }
    }
}
