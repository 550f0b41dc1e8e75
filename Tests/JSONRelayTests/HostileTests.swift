import NIOCore
import RelayCore
import Testing

@testable import JSONRelay

@Suite("Hostile clients")
struct HostileTests {
    @Test(
        "a mebibyte of brackets is refused without a trap",
        arguments: ["[", "{", #"{"a":"#, #"{"a":["#, "\"", "\\", ","])
    func nesting(text: String) {
        let count = (1 << 20) / text.utf8.count - 64
        for opening in ["", #"{"payloadType":"MESSAGE","payload":"#] {
            let relay = Conversation()
            let peer = relay.connect()
            relay.say(opening + String(repeating: text, count: count), from: peer)
            #expect(relay.closed(peer) == "bad_json")
        }
    }

    @Test("a mebibyte of escapes, names, white space or duplicates is read in one go")
    func bulk() {
        let echo = #""payloadType":"MESSAGE","destination":"alpha","payload":"x""#
        let bodies = [
            "{" + String(repeating: " ", count: 1_000_000) + echo + "}",
            "{" + String(repeating: #""payload":"y","#, count: 70_000) + echo + "}",
            "{" + String(repeating: #""\u0070":0,"#, count: 90_000) + echo + "}",
            #"{"x":"\#(String(repeating: #"\uD83D\uDE00"#, count: 80_000))",\#(echo)}"#,
            #"{"\#(String(repeating: #"\u0070"#, count: 170_000))":1,\#(echo)}"#,
            #"{"x":[\#(String(repeating: "0,", count: 500_000))0],\#(echo)}"#,
        ]
        let relay = Conversation()
        let alpha = relay.join("alpha")
        for body in bodies {
            relay.say(body, from: alpha)
            #expect(relay.heard(alpha) == [message(from: "alpha", to: "alpha", "x")])
        }
    }

    @Test("content that grows sixfold by escaping is written whole")
    func growth() {
        let relay = Conversation { $0.readmeNames = .always }
        let alpha = relay.join("alpha")
        relay.say(message(from: "alpha", to: "alpha", String(repeating: "\u{7F}", count: 60_000)), from: alpha)
        let expected = String(repeating: #"\u007F"#, count: 60_000)
        let body = relay.heard(alpha)
        #expect(body.count == 1)
        #expect(body.first?.utf8.count == message(from: "alpha", to: "alpha", "").utf8.count + 720_000 + 20)
        #expect(body.first?.hasSuffix(#"","payloadContent":"\#(expected)"}"#) == true)
    }

    @Test("a limit beyond what a header can say does not make frames longer than that")
    func hugeLimit() {
        let relay = Conversation { $0.maxFrame = .max }
        let peer = relay.connect()
        relay.send([0x08, 0, 0, 1], from: peer)
        #expect(relay.heard(peer) == [error("Frame too large: the limit is 134217728 octets", to: firstID())])
        let patient = relay.connect()
        relay.send([0x08, 0, 0, 0], from: patient)
        #expect(relay.closed(patient) == nil)
    }

    @Test("after the frame that ends a connection nothing more of it is looked at")
    func nothingAfterTheEnd() {
        let relay = Conversation()
        let peer = relay.connect()
        let later = frame(#"{"payloadType":"INIT","source":"alpha"}"#)
        relay.send(frame("x") + later, from: peer)
        #expect(relay.heard(peer).count == 1)
        #expect(relay.ids.isEmpty)
        relay.send(later, from: peer)
        #expect(relay.ids.isEmpty)
    }

    @Test("inputs that name a peer which has gone, or never was, do nothing")
    func strangers() {
        var engine = JSONRelayEngine(configuration: JSONRelayConfiguration(), random: .seeded(1))
        var out = Outbox()
        let endpoint = Endpoint(address: IPAddress(ipv4: 0), port: 1)
        let old = PeerID(slot: 3, generation: 0)
        let peer = PeerID(slot: 3, generation: 1)
        engine.connect(old, from: endpoint, at: .zero, into: &out)
        engine.receiveEnd(from: old, at: .zero, into: &out)
        engine.connect(peer, from: endpoint, at: .zero, into: &out)
        out.removeAll()
        for stranger in [old, PeerID(slot: 0, generation: 0), PeerID(slot: 9, generation: 9)] {
            for octets in [frame(#"{"payloadType":"INIT"}"#), frame("x"), [0xFF, 0xFF, 0xFF, 0xFF], [0]] {
                engine.receive(ByteBuffer(bytes: octets), from: stranger, at: .zero, into: &out)
            }
            engine.receiveEnd(from: stranger, at: .zero, into: &out)
            engine.writability(of: stranger, is: false, at: .zero, into: &out)
            engine.disconnect(stranger, reason: .peerClosed, at: .zero, into: &out)
        }
        engine.advance(to: Instant(nanoseconds: .max), into: &out)
        #expect(out.isEmpty)
        #expect(engine.roomCount == 0)
    }

    @Test("random octets never trap, and never reach another client", arguments: 0..<100 as Range<UInt64>)
    func noise(seed: UInt64) {
        var random = RandomSource.seeded(seed)
        let relay = Conversation(seed: seed)
        let alpha = relay.join("alpha")
        for _ in 0..<20 {
            let peer = relay.connect()
            let length = Int.random(in: 1...100, using: &random)
            let body = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            relay.send(Bool.random(using: &random) ? frame(body) : body, from: peer)
            relay.end(peer)
        }
        #expect(relay.heard(alpha).isEmpty, "seed \(seed)")
    }

    @Test("messages damaged at random never trap; what is delivered is a message", arguments: 0..<200 as Range<UInt64>)
    func damage(seed: UInt64) throws {
        let messages = try Vector.load("frames", "sizes").map(\.octets)
        var random = RandomSource.seeded(seed)
        for profile in Conversation.Profile.allCases {
            let relay = Conversation(profile.configuration, seed: seed)
            let beta = relay.join("beta")
            for _ in 0..<10 {
                let sender = relay.connect()
                var octets = messages[Int.random(in: messages.indices, using: &random)].prefix(300)
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    octets[Int.random(in: octets.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                relay.send(octets, from: sender)
                relay.end(sender)
            }
            for body in relay.heard(beta) {
                let frame = ByteBuffer(bytes: frame(body))
                #expect(throws: Never.self, "seed \(seed)") { try IncomingMessage(frame, readsReadmeName: true) }
            }
        }
    }
}
