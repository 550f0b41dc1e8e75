import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import LANBridge

@Suite("What goes over the wire")
struct WireTests {
    @Test(arguments: [
        OverlayHeader(whole: 60), OverlayHeader(part: 7, of: 1514, at: 0),
        OverlayHeader(part: 65_535, of: 1514, at: 1404),
    ])
    func aHeaderIsReadAsItWasWritten(_ header: OverlayHeader) throws {
        let count = header.isWhole ? header.frameLength : header.offset == 0 ? 1404 : header.frameLength - header.offset
        #expect(OverlayHeader(datagram(header, count: count).span.bytes) == header)
    }

    /// The bytes are fixed: other programs may speak this.
    @Test func theHeaderHasTheseBytes() {
        #expect(datagram(OverlayHeader(whole: 60), count: 0) == [0x10, 0, 0, 0, 0, 60, 0, 0])
        #expect(datagram(OverlayHeader(part: 258, of: 1514, at: 1404), count: 0) == [0x11, 0, 1, 2, 5, 0xEA, 5, 0x7C])
    }

    @Test(arguments: [
        "", "10000000003c00", "2000000000000000", "1400000000000000", "1200000000000001", "12000000000000000A",
        "1300000000010000", "1001000000000000", "100000000001000000ff",
        "100000000001000100", "100000010001000000", "1100000000020000aaaa", "110000000002000200", "110000000003000101",
        "1100000000030001aabbcc",
    ])
    func aHeaderThatDoesNotHoldIsNone(_ hex: String) throws {
        let octets = try #require(bytes(hex: hex))
        #expect(OverlayHeader(octets.span.bytes) == nil)
    }

    @Test(arguments: 0..<200)
    func aFrameInTwoPartsIsWholeAgainInEitherOrder(_ seed: UInt64) throws {
        var random = RandomSource.seeded(seed)
        let length = Int.random(in: 100...1514, using: &random)
        let frame = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let cut = try #require(FrameBudget.cut(frame: length, datagram: length / 2 + 20))
        var parts = [0..<cut, cut..<length].map { range in
            datagram(OverlayHeader(part: 9, of: length, at: range.lowerBound), count: 0) + frame[range]
        }
        if Bool.random(using: &random) { parts.reverse() }
        var reassembler = FrameReassembler(slots: 4)
        #expect(add(parts[0], to: &reassembler) == nil)
        // The same part twice is still one part.
        #expect(add(parts[0], to: &reassembler) == nil)
        #expect(add(parts[1], to: &reassembler) == frame)
        #expect(reassembler.waiting == 0)
    }

    @Test func partsThatWaitAreFewAndNotForLong() {
        var reassembler = FrameReassembler(slots: 4)
        for number in 0..<100 {
            let part = datagram(OverlayHeader(part: UInt16(number), of: 1514, at: 0), count: 1000)
            #expect(add(part, to: &reassembler) == nil)
            #expect(reassembler.waiting <= 4)
        }
        #expect(reassembler.incomplete == 96)
        let late = datagram(OverlayHeader(part: 99, of: 1514, at: 1000), count: 514)
        #expect(add(late, to: &reassembler, at: .zero + .milliseconds(201)) == nil)
    }

    /// Parts of two frames with one number do not make a third.
    @Test func partsThatDoNotMeetAreNotJoined() {
        var reassembler = FrameReassembler(slots: 4)
        let first = datagram(OverlayHeader(part: 1, of: 1514, at: 0), count: 1000)
        let other = datagram(OverlayHeader(part: 1, of: 1514, at: 900), count: 614)
        #expect(add(first, to: &reassembler) == nil)
        #expect(add(other, to: &reassembler) == nil)
    }

    private func datagram(_ header: OverlayHeader, count: Int) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: header.bits >> UInt64(56 - 8 * $0)) }
            + [UInt8](repeating: 1, count: count)
    }

    private func add(_ part: [UInt8], to reassembler: inout FrameReassembler, at now: Instant = .zero) -> [UInt8]? {
        guard let header = OverlayHeader(part.span.bytes) else { return nil }
        return reassembler.add(header, part.span.bytes, at: now) { frame in
            (0..<frame.byteCount).map { frame.octet(at: $0) }
        }
    }
}

@Suite("Control messages")
struct ControlMessageTests {
    private static let messages: [ControlMessage] = {
        var hello = ControlMessage.Hello(
            role: .client, room: "lan", mac: MACAddress(bits: 0x0200_0000_0001), datagram: 1412)
        hello.password = "a \"quoted\" \\ pass\u{1}word é"
        return [
            .hello(hello), .welcome(.init(peer: 3, mtu: 1500, tapMTU: 1380, hasGateway: true, isIsolated: false)),
            .reject(code: "room_full", sentence: "the room is full"), .peerLeft(peer: 3, reason: "left"),
            .peerJoined(.init(peer: 2, role: .gateway, mac: MACAddress(bits: 2), name: "")),
            .stats(TunnelStats(), drops: [.macSpoof: 3, .rateARP: 1]), .getStats,
            .disconnect(code: "kicked", sentence: ""), .unknown("later"),
        ]
    }()

    @Test func messagesAreReadAsTheyWereWrittenHoweverTheyAreCut() throws {
        let stream = Self.messages.reduce(into: ByteBuffer()) { $0.writeImmutableBuffer($1.frame()) }
        for piece in [1, 3, 100, stream.readableBytes] {
            var rest = stream
            var reader = ControlReader()
            var read: [ControlMessage] = []
            while rest.readableBytes > 0 {
                let slice = rest.readSlice(length: min(piece, rest.readableBytes))
                reader.append(try #require(slice))
                while let message = try reader.next() { read.append(message) }
            }
            #expect(read == Self.messages)
        }
    }

    @Test(arguments: [
        ("00000000", ControlError.emptyFrame), ("00004001", .frameTooLarge), ("ffffffff", .frameTooLarge),
    ])
    func aLengthThatCannotBeIsRefusedAtOnce(_ hex: String, _ error: ControlError) throws {
        var reader = ControlReader()
        reader.append(ByteBuffer(bytes: try #require(bytes(hex: hex))))
        #expect(throws: error) { try reader.next() }
    }

    @Test(arguments: [
        ("{", ControlError.badJSON), ("[]", .badJSON), ("{}{}", .badJSON), ("{\"type\":\"hello\",}", .badJSON),
        ("{\"type\":01}", .badJSON), ("{\"type\":\"\\ud800\"}", .badJSON), ("{}", .typeMissing),
        ("{\"type\":1}", .typeMissing),
        ("{\"type\":\"hello\"}", .badMember), ("{\"type\":\"welcome\",\"peer\":\"1\"}", .badMember),
        ("{\"a\":\(String(repeating: "[", count: 2000))}", .badJSON),
    ])
    func whatIsNoMessageIsRefused(_ text: String, _ error: ControlError) {
        var reader = ControlReader()
        var bytes = ByteBuffer(integer: UInt32(text.utf8.count))
        bytes.writeString(text)
        reader.append(bytes)
        #expect(throws: error) { try reader.next() }
    }

    @Test func membersOfLaterVersionsArePassedOver() throws {
        let text = #" {"type":"peer_left", "peer": 4, "reason":"\u00e9\ud83d\ude00", "more": {"a":[1.5e3,null,{}]}} "#
        var bytes = ByteBuffer(integer: UInt32(text.utf8.count))
        bytes.writeString(text)
        var reader = ControlReader()
        reader.append(bytes)
        #expect(try reader.next() == .peerLeft(peer: 4, reason: "é😀"))
    }
}

@Suite("MSS clamp")
struct SegmentClampTests {
    /// IPv4, TCP SYN, MSS 1460 after a NOP (an odd place), checksum right over the pseudo header.
    @Test(arguments: [false, true])
    func aSYNIsLoweredAndItsChecksumHolds(_ isOdd: Bool) throws {
        let options: [UInt8] = isOdd ? [1, 2, 4, 0x05, 0xB4, 0, 0, 0] : [2, 4, 0x05, 0xB4, 0, 0, 0, 0]
        var frame = synFrame(options)
        setChecksum(&frame)
        let isLowered = clamp(&frame, mtu: 1380)
        #expect(isLowered)
        let at = isOdd ? 57 : 56
        #expect(Array(frame[at..<at + 2]) == [0x05, 0x3C])
        #expect(checksum(frame) == 0)
    }

    @Test func whatIsSmallEnoughOrNoSYNIsLeftAlone() {
        let small = synFrame([2, 4, 0x05, 0, 0, 0, 0, 0])
        var later = synFrame([2, 4, 0x05, 0xB4, 0, 0, 0, 0])
        later[47] = 0x10
        var overlong = synFrame([2, 4, 0x05, 0xB4, 0, 0, 0, 0])
        overlong[46] = 0xF0
        for frame in [small, later, overlong] + (0..<small.count).map({ Array(small[..<$0]) }) {
            var after = frame
            let isLowered = clamp(&after, mtu: 1380)
            #expect(!isLowered && after == frame)
        }
    }

    private func clamp(_ frame: inout [UInt8], mtu: Int) -> Bool {
        var octets = frame.mutableSpan
        var span = octets.mutableBytes
        return SegmentClamp.clamp(&span, mtu: mtu)
    }

    private func synFrame(_ options: [UInt8]) -> [UInt8] {
        var frame = [UInt8](repeating: 2, count: 12) + [0x08, 0x00]
        frame += [0x45, 0, 0, UInt8(40 + options.count), 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
        frame += [0x9C, 0x40, 0x63, 0xDD, 0, 0, 0, 1, 0, 0, 0, 0, UInt8(((20 + options.count) / 4) << 4), 2, 255, 255]
        return frame + [0, 0, 0, 0] + options
    }

    private func setChecksum(_ frame: inout [UInt8]) {
        let sum = checksum(frame)
        frame[50] = UInt8(sum >> 8)
        frame[51] = UInt8(sum & 0xFF)
    }

    /// Zero if the frame's TCP checksum is right.
    private func checksum(_ frame: [UInt8]) -> UInt16 {
        var sum: UInt32 = 6 + UInt32(frame.count - 34)
        for index in stride(from: 26, to: frame.count, by: 2) {
            sum += UInt32(frame[index]) << 8 + (index + 1 < frame.count ? UInt32(frame[index + 1]) : 0)
        }
        while sum >> 16 != 0 { sum = sum & 0xFFFF + sum >> 16 }
        return ~UInt16(sum)
    }
}
