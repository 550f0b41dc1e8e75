import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import Netplay

@Suite("Hosting request")
struct HostingWireTests {
    private static let request = HostingRequest(
        coreName: "Nestopia", coreVersion: "1.52.0", gameName: "Schleife – Ü", fileName: "loop", crc: 0xB813_49AA)

    private func encoded(_ request: HostingRequest) -> ByteBuffer {
        var bytes = ByteBuffer()
        #expect(request.encode(into: &bytes) == true)
        return bytes
    }

    @Test func bytesAreAsDocumented() throws {
        let request = HostingRequest(coreName: "ab", coreVersion: "", gameName: "c", fileName: "d", crc: 0x0102_0304)
        #expect(Array(encoded(request).readableBytesView) == [2, 0x61, 0x62, 0, 1, 0x63, 1, 0x64, 1, 2, 3, 4])
    }

    @Test func whatIsWrittenIsRead() throws {
        var random = RandomSource.seeded(7)
        let letters = Array("abcÄ字🎮 /.\\'\"\n")
        for _ in 0..<500 {
            let texts = (0..<4).map { _ in
                String(
                    (0..<Int.random(in: 0...60, using: &random)).compactMap { _ in letters.randomElement(using: &random)
                    })
            }
            let request = HostingRequest(
                coreName: texts[0], coreVersion: texts[1], gameName: texts[2], fileName: texts[3],
                crc: UInt32.random(in: 0...UInt32.max, using: &random))
            #expect(try HostingRequest.decode(encoded(request)) == request)
        }
    }

    @Test func everyPrefixIsTruncated() throws {
        let whole = encoded(Self.request)
        for length in 0..<whole.readableBytes {
            let prefix = try #require(whole.getSlice(at: 0, length: length))
            #expect(throws: HostingWireError.truncated) { try HostingRequest.decode(prefix) }
        }
    }

    @Test func nothingMayFollow() {
        var bytes = encoded(Self.request)
        bytes.writeInteger(UInt8(0))
        #expect(throws: HostingWireError.trailingBytes) { try HostingRequest.decode(bytes) }
    }

    @Test(
        "texts that are none",
        arguments: [[0x00], [0xFF], [0xC3], [0x61, 0x00, 0x62], [0xED, 0xA0, 0x80]] as [[UInt8]])
    func badText(text: [UInt8]) {
        for position in 0..<4 {
            var bytes = ByteBuffer()
            for index in 0..<4 {
                let written = index == position ? text : [0x61]
                bytes.writeInteger(UInt8(written.count))
                bytes.writeBytes(written)
            }
            bytes.writeInteger(UInt32(0))
            #expect(throws: HostingWireError.badText) { try HostingRequest.decode(bytes) }
        }
    }

    @Test func aTextThatIsTooLongIsNotWritten() {
        var bytes = ByteBuffer()
        var request = Self.request
        request.gameName = String(repeating: "x", count: 256)
        #expect(request.encode(into: &bytes) == false)
        #expect(bytes.readableBytes == 0)
        request.gameName.removeLast()
        #expect(request.encode(into: &bytes) == true)
    }

    @Test func liesAreSurvived() {
        var random = RandomSource.seeded(8)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                UInt8.random(in: 0...(Bool.random(using: &random) ? 8 : 255), using: &random)
            }
            guard let request = try? HostingRequest.decode(ByteBuffer(bytes: bytes)) else { continue }
            #expect(Array(encoded(request).readableBytesView) == bytes)
        }
    }

    @Test func answersAreNeverLongerThanTheirRequest() throws {
        let session = try #require(TunnelID("PIbhU6O6BXl7GfyK"))
        let invitation = HostingInvitation(port: 55435, session: session)
        for length in 8...64 {
            let answer = HostingAnswer(invitation).encoded(forRequestOf: length)
            #expect(answer.readableBytes == (length >= 14 ? 14 : 2))
            let read = try #require(HostingAnswer.decode(answer)?.invitation)
            #expect(read.port == 55435 && read.session == (length >= 14 ? session : nil))
        }
        #expect(Array(HostingAnswer(nil).encoded(forRequestOf: 8).readableBytesView) == [0, 0])
        #expect(HostingAnswer.decode(ByteBuffer(bytes: [0, 0])) == HostingAnswer(nil))
        #expect(Array(HostingAnswer(.init(port: 0x1234)).encoded(forRequestOf: 99).readableBytesView) == [0x12, 0x34])
        for wrong in [[], [1], [1, 2, 3], [UInt8](repeating: 1, count: 15), [UInt8](repeating: 0, count: 14)] {
            #expect(HostingAnswer.decode(ByteBuffer(bytes: wrong)) == nil)
        }
    }
}
