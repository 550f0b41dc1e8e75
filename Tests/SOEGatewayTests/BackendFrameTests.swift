import NIOCore
import SOE
import SOEGateway
import Testing

@Suite("Frames between gateway and backend")
struct BackendFrameTests {
    static let number = SessionNumber(0x0102_0304_0506_0708)

    static let frames: [BackendFrame] = [
        .hello(version: 1),
        .opened(
            number,
            OpenedSession(
                isResumed: true, isEncrypted: true, wireID: 0xCAFE_BABE, protocolName: "LoginUdp_9",
                address: "[2001:db8::1]:5000")),
        .opened(number, OpenedSession(isResumed: false, wireID: 1, protocolName: "", address: "192.0.2.1:1")),
        .data(number, .reliable3, ByteBuffer(bytes: 0...99)),
        .data(number, .orderedUnbuffered, ByteBuffer()),
        .closed(number, ClosedSession(reason: .timeout, isByClient: true, undelivered: 7)),
        .stats(number, nil),
        .stats(number, SessionFigures()),
        .encrypt(number, EncryptionChange(toClient: true, fromClient: false, key: RC4Key([1, 2, 3]))),
        .encrypt(number, EncryptionChange(toClient: false, fromClient: true, key: nil)),
        .pause(number),
        .resume(number),
        .moved(number, address: "192.0.2.1:2"),
    ]

    private func encoded(_ frames: [BackendFrame]) -> ByteBuffer {
        frames.reduce(into: ByteBuffer()) { $1.encode(into: &$0) }
    }

    @Test("What is written is read, cut anywhere", arguments: [1, 2, 3, 7, 1000])
    func roundTrip(step: Int) throws {
        var bytes = encoded(Self.frames)
        var reader = BackendFrameReader()
        var read: [BackendFrame] = []
        while let piece = bytes.readSlice(length: min(step, bytes.readableBytes)), piece.readableBytes > 0 {
            reader.append(piece)
            while let frame = try reader.next() { read.append(frame) }
        }
        #expect(read == Self.frames)
        #expect(reader.heldBytes == 0)
    }

    @Test("The bytes are those of the page")
    func bytes() {
        let frame = BackendFrame.data(SessionNumber(5), .reliable1, ByteBuffer(string: "hi"))
        #expect(
            Array(encoded([frame]).readableBytesView)
                == [0, 0, 0, 12, 3, 1, 0, 0, 0, 0, 0, 0, 0, 5] + Array("hi".utf8))
        #expect(
            Array(encoded([.hello(version: 1)]).readableBytesView)
                == [0, 0, 0, 16, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0] + Array("SOEG".utf8) + [0, 1])
    }

    @Test("A frame that has not come to its end is waited for", arguments: frames.indices)
    func prefixes(index: Int) throws {
        let whole = encoded([Self.frames[index]])
        for count in 0..<whole.readableBytes {
            var reader = BackendFrameReader()
            reader.append(try #require(whole.getSlice(at: 0, length: count)))
            #expect(try reader.next() == nil)
        }
    }

    @Test("A body that is too short is refused or is another frame, and never read beyond", arguments: frames.indices)
    func shortBodies(index: Int) throws {
        let whole = encoded([Self.frames[index]])
        for count in 4..<whole.readableBytes {
            var cut = try #require(whole.getSlice(at: 0, length: count))
            cut.setInteger(UInt32(count - 4), at: 0)
            cut.writeInteger(UInt8(0xEE))
            var reader = BackendFrameReader()
            reader.append(cut)
            do {
                _ = try reader.next()
                #expect(reader.heldBytes == 1)
            } catch {
                #expect(count < 14 ? error == .truncated : true)
            }
        }
    }

    struct Fault: Sendable {
        var bytes: [UInt8]
        var error: BackendFrameError
    }

    static let faults = [
        Fault(bytes: [0, 0, 0, 9, 3, 0, 0, 0, 0, 0, 0, 0, 0], error: .truncated),
        Fault(bytes: [0xFF, 0xFF, 0xFF, 0xFF], error: .tooLong),
        Fault(bytes: [0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], error: .unknownKind),
        Fault(bytes: [0, 0, 0, 10, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0], error: .unknownKind),
        Fault(bytes: [0, 0, 0, 10, 3, 7, 0, 0, 0, 0, 0, 0, 0, 0], error: .unknownChannel),
        Fault(bytes: [0, 0, 0, 16, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0] + Array("HTTP/1".utf8), error: .noHello),
        Fault(bytes: [0, 0, 0, 11, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF], error: .badText),
        Fault(
            bytes: [0, 0, 1, 12, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3] + [UInt8](repeating: 1, count: 257), error: .badKey),
    ]

    @Test("What is no frame is refused", arguments: faults)
    func refused(fault: Fault) {
        var reader = BackendFrameReader()
        reader.append(ByteBuffer(bytes: fault.bytes))
        #expect(throws: fault.error) { try reader.next() }
    }

    @Test("A length is refused before its bytes have come")
    func longFrames() throws {
        var reader = BackendFrameReader(longestBody: 1000)
        reader.append(ByteBuffer(integer: UInt32(1014)))
        #expect(try reader.next() == nil)
        reader = BackendFrameReader(longestBody: 1000)
        reader.append(ByteBuffer(integer: UInt32(1015)))
        #expect(throws: BackendFrameError.tooLong) { try reader.next() }
    }
}
