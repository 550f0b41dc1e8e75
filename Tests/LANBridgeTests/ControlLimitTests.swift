import LANBridge
import NIOCore
import RelayCore
import Testing

/// What a stranger may say on the control stream, up to every limit and beyond.
@Suite("Limits of control frames")
struct ControlLimitTests {
    private static let c1: UInt64 = 0x024C_414E_0101
    private static let c2: UInt64 = 0x024C_414E_0102

    private func frame(_ text: String) -> ByteBuffer {
        var bytes = ByteBuffer(integer: UInt32(text.utf8.count))
        bytes.writeString(text)
        return bytes
    }

    private static let hello =
        #""type":"hello","version":1,"role":"client","room":"lan","mac":"02:4c:41:4e:01:01","datagram":1412,"splits":true"#

    private static func hello(_ more: String) -> String { "{\(hello),\(more)}" }

    /// The code and the sentence that a peer was last told, and that it was parted from with the same words.
    private func farewell(_ desk: inout RelayDesk, _ peer: PeerID) -> String? {
        guard case .disconnect(let code, let sentence) = desk.take(peer).last,
            sentence == desk.closed[peer]?.sentence, !sentence.isEmpty
        else { return nil }
        return code
    }

    @Test(arguments: [
        (Array("0000".utf8), "frame_too_large"), ([0, 0, 0, 0], "empty_frame"),
        ([0, 0, 0x40, 0x01], "frame_too_large"),
        ([0xFF, 0xFF, 0xFF, 0xFF], "frame_too_large"),
    ])
    func lengthsThatCannotBe(_ bytes: [UInt8], _ code: String) {
        var desk = RelayDesk()
        let other = desk.join(Self.c2)
        for isIn in [false, true] {
            let peer = isIn ? desk.join(Self.c1) : desk.connect()
            desk.say(ByteBuffer(bytes: bytes), from: peer)
            #expect(farewell(&desk, peer) == code)
            // What comes after is not heard.
            desk.say(.hello(.init(role: .client, room: "lan", mac: .init(bits: Self.c1), datagram: 1412)), from: peer)
            #expect(desk.take(peer).isEmpty)
        }
        #expect(desk.closed[other] == nil && desk.engine.memberCount == 1)
    }

    @Test(arguments: [
        ("{", "bad_json"), ("[]", "bad_json"), ("\"hello\"", "bad_json"), ("{}{}", "bad_json"), ("\0", "bad_json"),
        ("{}", "type_missing"), (#"{"type":null}"#, "type_missing"), (#"{"type":7}"#, "type_missing"),
        (#"{"type":"hello"}"#, "bad_member"), (#"{"type":"disconnect"}"#, "bad_member"),
        (
            #"{"type":"hello","version":1,"role":"king","room":"lan","mac":"02:00:00:00:00:01","datagram":1412}"#,
            "bad_member"
        ),
        (
            #"{"type":"hello","version":1,"role":"client","room":7,"mac":"02:00:00:00:00:01","datagram":1412}"#,
            "bad_member"
        ),
        (
            #"{"type":"hello","version":1,"role":"client","room":"lan","mac":"02:00:00:00:00","datagram":1412}"#,
            "bad_member"
        ),
        (
            #"{"type":"hello","version":1,"role":"client","room":"lan","mac":"02:00:00:00:00:01","datagram":"x"}"#,
            "bad_member"
        ),
        (#"{"type":"hello","role":"client","room":"lan","mac":"02:00:00:00:00:01","datagram":1412}"#, "bad_member"),
        (hello(#""key":"\#(String(repeating: "k", count: 129))""#), "bad_member"),
        (hello(#""password":"\#(String(repeating: "p", count: 257))""#), "bad_member"),
        (#"{"type":"stats"}"#, "not_for_relays"), (#"{"type":"reject","code":"x"}"#, "not_for_relays"),
        (#"{"type":"peer_left","peer":1}"#, "not_for_relays"),
    ])
    func wordsThatCannotBe(_ text: String, _ code: String) {
        var desk = RelayDesk()
        let other = desk.join(Self.c2)
        let peer = desk.connect()
        desk.say(frame(text), from: peer)
        #expect(farewell(&desk, peer) == code)
        #expect(desk.closed[other] == nil && desk.engine.memberCount == 1)
    }

    @Test(arguments: [
        hello(#""key":"\#(String(repeating: "k", count: 128))""#),
        hello(#""password":"\#(String(repeating: "p", count: 256))""#),
        hello(#""name":"\#(String(repeating: "n", count: 10_000))""#), hello(#""later":{"a":[1,2,{}]}"#),
    ])
    func aHelloAtItsLimitsIsHeard(_ text: String) {
        var desk = RelayDesk()
        let peer = desk.connect()
        desk.say(frame(text), from: peer)
        guard case .welcome = desk.take(peer).first else { return #expect(Bool(false), "not let in") }
        let second = desk.connect()
        let same = text.replacing("02:4c:41:4e:01:01", with: "02:4c:41:4e:01:02")
        desk.say(frame(same), from: second)
        for case .peerJoined(let notice) in desk.take(peer) { #expect(notice.name.count <= 32) }
    }

    /// The longest frame there may be, in one piece and octet by octet.
    @Test(arguments: [16_384, 1])
    func theLongestFrameIsRead(_ piece: Int) {
        var desk = RelayDesk()
        let peer = desk.connect()
        let padding = ControlReader.maxLength - Self.hello(#""pad":"""#).utf8.count
        var bytes = frame(Self.hello(#""pad":"\#(String(repeating: "x", count: padding))""#))
        #expect(bytes.readableBytes == 4 + ControlReader.maxLength)
        while let slice = bytes.readSlice(length: min(piece, bytes.readableBytes)), slice.readableBytes > 0 {
            desk.say(slice, from: peer)
        }
        guard case .welcome = desk.take(peer).first else { return #expect(Bool(false), "not let in") }
    }

    @Test func aTrickleGainsNoTime() {
        var desk = RelayDesk()
        let peer = desk.connect()
        var bytes = frame(Self.hello(#""name":"slow""#))
        for _ in 0..<9 {
            if let slice = bytes.readSlice(length: 1) { desk.say(slice, from: peer) }
            desk.advance(by: .seconds(1))
        }
        #expect(desk.closed[peer] == nil)
        desk.advance(by: .seconds(1))
        #expect(farewell(&desk, peer) == "no_hello")
    }

    @Test func aSecondHelloEndsThePlaceAndTheRoomHearsOfIt() {
        var desk = RelayDesk()
        let other = desk.join(Self.c2)
        let peer = desk.join(Self.c1)
        _ = desk.take(other)
        desk.say(.hello(.init(role: .client, room: "lan", mac: .init(bits: Self.c1), datagram: 1412)), from: peer)
        #expect(farewell(&desk, peer) == "second_hello")
        #expect(desk.take(other) == [.peerLeft(peer: 2, reason: "second_hello")])
        let again = desk.join(Self.c1)
        #expect(desk.closed[again] == nil, "the place is free")
    }

    /// Statistics come at most twice a second, after the first ten; what nobody answers costs nothing, until it is a flood.
    @Test func questionsAreAnsweredWithinABound() {
        var desk = RelayDesk()
        let peer = desk.join(Self.c1)
        _ = desk.take(peer)
        for _ in 0..<50 { desk.say(.getStats, from: peer) }
        #expect(desk.take(peer).count == 10)
        let later = frame(#"{"type":"from later"}"#)
        for _ in 0..<49 { desk.say(later, from: peer) }
        #expect(desk.take(peer).isEmpty && desk.closed[peer] == nil)
        desk.say(later, from: peer)
        #expect(farewell(&desk, peer) == "control_flood")
    }
}
