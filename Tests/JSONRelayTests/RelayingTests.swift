import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import JSONRelay

@Suite("MESSAGE and ERROR")
struct RelayingTests {
    @Test("a message already in the outgoing form is passed on as the very octets that came, header included")
    func zeroCopy() throws {
        var engine = JSONRelayEngine(configuration: JSONRelayConfiguration(), random: .seeded(1))
        var out = Outbox()
        let endpoint = Endpoint(address: IPAddress(ipv4: 0), port: 1)
        let peers = [PeerID(slot: 0, generation: 0), PeerID(slot: 1, generation: 0)]
        for (peer, id) in zip(peers, ["alpha", "beta"]) {
            engine.connect(peer, from: endpoint, at: .zero, into: &out)
            let hello = ByteBuffer(bytes: frame(#"{"payloadType":"INIT","source":"\#(id)"}"#))
            engine.receive(hello, from: peer, at: .zero, into: &out)
        }
        out.removeAll()
        let contents = ["one", #"{\"two\":2}\n"#, "trois é", #"\uD83D\uDE00"#]
        let messages = contents.map { message(from: "alpha", to: "beta", $0) }
        let read = ByteBuffer(bytes: messages.flatMap { frame($0) })
        engine.receive(read, from: peers[0], at: .zero, into: &out)

        #expect(out.count == messages.count)
        var offset = 0
        for index in 0..<out.count {
            guard case .forward(let bytes, to: peers[1]) = out[index] else {
                Issue.record("effect \(index) is \(out[index])")
                continue
            }
            #expect(address(of: bytes) == address(of: read).map { $0 + offset })
            offset += bytes.readableBytes
        }
        #expect(offset == read.readableBytes)
    }

    @Test(
        "whatever form a message comes in, it goes out in the one form",
        arguments: [
            #" {"payloadType":"MESSAGE","source":"alpha","destination":"beta","payload":"hi"}"#,
            #"{"payloadType":"MESSAGE","source":"alpha","destination":"beta","payload":"hi"} "#,
            #"{"payloadType":"MESSAGE", "source":"alpha","destination":"beta","payload":"hi"}"#,
            #"{"payloadType":"MESSAGE","source":"alpha","destination":"beta","payload":"hi","x":1}"#,
            #"{"x":1,"payloadType":"MESSAGE","source":"alpha","destination":"beta","payload":"hi"}"#,
            #"{"payloadType":"MESSAGE","destination":"beta","source":"alpha","payload":"hi"}"#,
            #"{"payloadType":"MESSAGE","source":"alpha","destination":"nobody","destination":"beta","payload":"hi"}"#,
            #"{"payloadType":"MESSAGE","source":"alpha","destination":"beta","payload":"no","payload":"hi"}"#,
            #"{"payloadType":"MESSAGE","source":"alpha","destination":"beta","payload":"\u0068i"}"#,
            #"{"payloadType":"MESSAGE","source":"\u0061lpha","destination":"b\u0065ta","payload":"hi"}"#,
            #"{"payloadType":"M\u0045SSAGE","source":"alpha","destination":"beta","payload":"hi"}"#,
            #"{"payloadType":"MESSAGE","source":"alphb","destination":"beta","payload":"hi"}"#,
            #"{"payloadType":"MESSAGE","source":null,"destination":"beta","payload":"hi"}"#,
            #"{"payloadType":"MESSAGE","destination":"beta","payload":"hi"}"#,
            #"{"payloadType":"MESSAGE","destination":"beta","payloadContent":"hi"}"#,
            #"{"payloadType":"MESSAGE","destination":"beta","payload":"hi","payloadContent":"no"}"#,
            #"{"payloadType":"MESSAGE","destination":"beta","payloadContent":"hi","payload":null}"#,
            #"{"payloadType":"MESSAGE","destination":"beta","payloadContent":{},"payload":"hi"}"#,
        ])
    func oneForm(said: String) {
        let relay = Conversation()
        let alpha = relay.join("alpha")
        let beta = relay.join("beta")
        relay.say(said, from: alpha)
        #expect(relay.heard(beta) == [message(from: "alpha", to: "beta", "hi")])
        #expect(relay.heard(alpha).isEmpty)
    }

    @Test(
        "content that is not a string",
        arguments: [
            ("12.50", "12.50", "12.50"), ("-1E+5", "-1E+5", "-1E+5"), ("true", "true", "true"),
            ("false", "false", "false"), ("null", "", "null"), ("[]", nil, nil), ("{}", nil, nil),
            (#"[{"destination":"gamma"}]"#, nil, nil), (#"{"destination":"gamma"}"#, nil, nil),
        ] as [(String, String?, String?)])
    func otherContent(content: String, transparent: String?, reference: String?) {
        for (escaping, expected) in [(.transparent, transparent), (.reference, reference)]
            as [(JSONRelayConfiguration.PayloadEscaping, String?)]
        {
            let relay = Conversation { $0.payloadEscaping = escaping }
            let alpha = relay.join("alpha")
            let beta = relay.join("beta")
            let gamma = relay.join("gamma")
            relay.say(#"{"payloadType":"MESSAGE","destination":"beta","payload":\#(content)}"#, from: alpha)
            #expect(relay.heard(beta) == (expected.map { [message(from: "alpha", to: "beta", $0)] } ?? []))
            #expect(relay.heard(alpha) == (expected == nil ? [error("Payload is not a string", to: "alpha")] : []))
            #expect(relay.heard(gamma).isEmpty)
        }
    }

    @Test("half of a surrogate pair is no content, but passes where content is copied as in the original")
    func loneSurrogate() {
        let relay = Conversation()
        let alpha = relay.join("alpha")
        relay.say(message(from: "alpha", to: "alpha", #"x\ud83d"#), from: alpha)
        #expect(relay.heard(alpha) == [error("Payload holds half of a surrogate pair", to: "alpha")])
        relay.reconfigure { $0.payloadEscaping = .reference }
        relay.say(message(from: "alpha", to: "alpha", #"x\ud83d"#), from: alpha)
        #expect(relay.heard(alpha) == [message(from: "alpha", to: "alpha", #"x\\ud83d"#)])
    }

    @Test(
        "the source is the sender's, or what the sender says",
        arguments: [
            (#""source":"alpha","#, #""source":"alpha","#, #""source":"alpha","#),
            (#""source":"gamma","#, #""source":"alpha","#, #""source":"gamma","#),
            (#""source":"\u0061\/","#, #""source":"alpha","#, #""source":"a/","#),
            (#""source":"","#, #""source":"alpha","#, #""source":"","#),
            (#""source":null,"#, #""source":"alpha","#, nil), ("", #""source":"alpha","#, nil),
        ] as [(String, String, String?)])
    func sourcePolicy(said: String, enforced: String, trusted: String?) {
        for type in ["MESSAGE", "ERROR"] {
            // Where the original has no source, it writes null in one kind of message and leaves it out of the other.
            let absent = type == "MESSAGE" ? #""source":null,"# : ""
            for (policy, source) in [(.enforce, enforced), (.trust, trusted ?? absent)]
                as [(JSONRelayConfiguration.SourcePolicy, String)]
            {
                let relay = Conversation { $0.sourcePolicy = policy }
                let alpha = relay.join("alpha")
                let beta = relay.join("beta")
                relay.say(#"{"payloadType":"\#(type)",\#(said)"destination":"beta","payload":"x"}"#, from: alpha)
                let expected = #"{"payloadType":"\#(type)",\#(source)"destination":"beta","payload":"x"}"#
                #expect(relay.heard(beta) == [expected])
            }
        }
    }

    @Test("escapes do not let a client pass for another")
    func spelling() {
        let relay = Conversation()
        // As JSON writes them: ids with two backslashes and with one.
        let double = relay.join(#"x\\\\y"#)
        let single = relay.join(#"x\\y"#)
        relay.say(message(from: #"x\\y"#, to: #"x\\y"#, "hi"), from: double)
        #expect(relay.heard(single) == [message(from: #"x\\\\y"#, to: #"x\\y"#, "hi")])
    }

    @Test("a connection without an id may send, signed with the id it would get, unless INIT is required")
    func beforeInit() {
        let relay = Conversation()
        let fresh = relay.connect()
        let beta = relay.join("beta")
        relay.say(message(from: "beta", to: "beta", "hi"), from: fresh)
        #expect(relay.heard(beta) == [message(from: firstID(), to: "beta", "hi")])
        relay.reconfigure { $0.requireInit = true }
        relay.say(message(from: "beta", to: "beta", "hi"), from: fresh)
        #expect(relay.heard(beta).isEmpty)
        #expect(relay.heard(fresh) == [error("Not initialized: send INIT first", to: firstID())])
    }

    @Test(
        "a client that uses payloadContent gets content under both names",
        arguments: JSONRelayConfiguration.ReadmeNames.allCases)
    func readmeNames(names: JSONRelayConfiguration.ReadmeNames) {
        let relay = Conversation { $0.readmeNames = names }
        let old = relay.connect()
        relay.say(#"{"payloadType":"INIT","source":"old","payloadContent":null}"#, from: old)
        #expect(relay.heard(old) == [#"{"payloadType":"INIT","destination":"old"}"#])
        let new = relay.join("new")
        let single = #""payload":"hi"}"#
        let double = #""payload":"hi","payloadContent":"hi"}"#

        relay.say(message(from: "new", to: "old", "hi"), from: new)
        #expect(relay.heard(old).first?.hasSuffix(names == .never ? single : double) == true)
        relay.say(message(from: "old", to: "new", "hi"), from: old)
        #expect(relay.heard(new).first?.hasSuffix(names == .always ? double : single) == true)
        relay.say(message(from: "old", to: "nobody", "hi"), from: old)
        let text = "Destination not connected: nobody"
        let answer = error(text, to: "old")
        #expect(relay.heard(old) == [names == .never ? answer : answer.dropLast() + #","payloadContent":"\#(text)"}"#])
    }

    @Test("the reading of payloadContent can be turned off")
    func readmeNameUnread() {
        let relay = Conversation { $0.readmeNames = .never }
        let alpha = relay.join("alpha")
        relay.say(#"{"payloadType":"MESSAGE","destination":"alpha","payloadContent":"hi"}"#, from: alpha)
        #expect(relay.heard(alpha) == [message(from: "alpha", to: "alpha", "")])
    }

    @Test("a destination is found however it is spelt, and nothing else is")
    func destinations() {
        let relay = Conversation()
        let alpha = relay.join("alpha")
        for destination in ["alphb", "Alpha", "alpha ", "alph", "alphaa", String(repeating: "x", count: 200)] {
            relay.say(message(from: "alpha", to: destination, "hi"), from: alpha)
            let named = destination.count > 128 ? destination.prefix(32) + "..." : destination
            #expect(relay.heard(alpha) == [error("Destination not connected: \(named)", to: "alpha")])
        }
        relay.say(message(from: "alpha", to: #"\u0061lpha"#, "hi"), from: alpha)
        #expect(relay.heard(alpha) == [message(from: "alpha", to: "alpha", "hi")])
    }

    @Test("messages to many clients find each its own", arguments: 0..<10 as Range<UInt64>)
    func manyClients(seed: UInt64) {
        var random = RandomSource.seeded(seed)
        let relay = Conversation(seed: seed)
        var peers: [String: PeerID] = [:]
        for _ in 0..<60 {
            let id = String(UInt64.random(in: 0..<100, using: &random))
            if let peer = peers.removeValue(forKey: id) { relay.end(peer) } else { peers[id] = relay.join(id) }
        }
        #expect(relay.ids == peers.keys.sorted())
        for (source, sender) in peers {
            for (destination, receiver) in peers {
                relay.say(message(from: source, to: destination, "x"), from: sender)
                #expect(relay.heard(receiver) == [message(from: source, to: destination, "x")], "seed \(seed)")
            }
        }
    }

    private func address(of buffer: ByteBuffer) -> UnsafeRawPointer? {
        buffer.withUnsafeReadableBytes { $0.baseAddress }
    }
}
