import RelayCore
import Testing

@testable import JSONRelay

@Suite("INIT and CLOSE")
struct NamingTests {
    private let initialize = #"{"payloadType":"INIT"}"#
    private let close = #"{"payloadType":"CLOSE"}"#

    private func initialize(as id: String) -> String { #"{"payloadType":"INIT","source":"\#(id)"}"# }
    private func reply(_ id: String) -> String { #"{"payloadType":"INIT","destination":"\#(id)"}"# }

    @Test("what a connection may be, what it says, and what comes of it", arguments: ["fresh", "named", "left"])
    func phases(phase: String) throws {
        // What is said, what is answered, which ids there are then, and why the connection ended.
        let own = firstID()
        let present = phase == "named" ? ["alpha"] : []
        let generated = phase == "named" ? "alpha" : own
        let address = phase == "named" ? "alpha" : own
        let unknown = phase == "named" ? [error("Destination not connected: nobody", to: "alpha")] : []
        let missing = phase == "named" ? [error("Destination missing", to: "alpha")] : []
        let table: [(said: String, answer: [String], ids: [String], closed: String?)] = [
            (initialize, [reply(generated)], [generated], nil),
            (initialize(as: ""), [reply(generated)], [generated], nil),
            (#"{"payloadType":"INIT","source":null}"#, [reply(generated)], [generated], nil),
            (initialize(as: "new"), [reply("new")], ["new"], nil),
            (initialize(as: "beta"), [error("ClientId: beta is already initialized", to: address)], present, nil),
            (close, [], [], nil),
            (message(from: "x", to: "beta", "hi"), [], present, nil),
            (message(from: "x", to: "nobody", "hi"), unknown, present, nil),
            (message(from: "x", to: "", "hi"), missing, present, nil),
            (#"{"payloadType":"ERROR"}"#, missing, present, nil),
            ("{}", [error("Bad message: payloadType is missing", to: address)], [], "bad_message"),
        ]
        for row in table {
            let relay = Conversation()
            let peer = relay.connect()
            if phase != "fresh" {
                relay.say(initialize(as: "alpha"), from: peer)
                #expect(relay.heard(peer) == [reply("alpha")])
            }
            if phase == "left" { relay.say(close, from: peer) }
            _ = relay.join("beta")
            relay.say(row.said, from: peer)
            #expect(relay.heard(peer) == row.answer, "\(row.said)")
            #expect(relay.ids == (row.ids + ["beta"]).sorted(), "\(row.said)")
            #expect(relay.closed(peer) == row.closed, "\(row.said)")
        }
    }

    @Test("an id of the relay's making has 13 characters of its alphabet, and is another each time")
    func generatedIDs() throws {
        let relay = Conversation()
        let ids = (0..<200).map { _ in
            let peer = relay.connect()
            relay.say(initialize, from: peer)
            return String(relay.heard(peer)[0].dropFirst(reply("").count - 2).dropLast(2))
        }
        #expect(Set(ids).count == ids.count)
        #expect(ids.allSatisfy { $0.utf8.count == 13 })
        #expect(ids.allSatisfy { $0.allSatisfy { "0123456789ABCDEFGHIJKLMNOPQRSTUV".contains($0) } })
        #expect(relay.ids == ids.sorted())
    }

    @Test("INIT without an id after CLOSE gives the connection's own id, the same each time")
    func connectionID() {
        let relay = Conversation()
        let peer = relay.connect()
        for said in [initialize, close, initialize, initialize(as: "alpha"), close, initialize] {
            relay.say(said, from: peer)
        }
        #expect(relay.heard(peer) == [reply(firstID()), reply(firstID()), reply("alpha"), reply(firstID())])
    }

    @Test("a connection whose own id was taken by another gets a new one")
    func stolenConnectionID() throws {
        let relay = Conversation()
        let victim = relay.connect()
        let beta = relay.join("beta")
        relay.say(message(from: "x", to: "beta", "1"), from: victim)
        #expect(relay.heard(beta) == [message(from: firstID(), to: "beta", "1")])
        _ = relay.join(firstID())
        relay.say(message(from: "x", to: "beta", "2"), from: victim)
        let second = try #require(relay.heard(beta).first)
        #expect(!second.contains(firstID()))
        relay.say(initialize, from: victim)
        let id = try #require(relay.ids.first { $0 != "beta" && $0 != firstID() })
        #expect(second == message(from: id, to: "beta", "2"))
        #expect(relay.heard(victim) == [reply(id)])
    }

    @Test("of two that ask for one id one gets it, and the other's end does not free it")
    func atomicClaim() {
        let relay = Conversation()
        let first = relay.connect()
        let second = relay.connect()
        relay.say(initialize(as: "alpha"), from: first)
        relay.say(initialize(as: "alpha"), from: second)
        #expect(relay.heard(first) == [reply("alpha")])
        #expect(relay.heard(second) == [error("ClientId: alpha is already initialized", to: firstID())])
        relay.disconnect(second)
        let third = relay.connect()
        relay.say(message(from: "x", to: "alpha", "hi"), from: third)
        #expect(relay.heard(first).count == 1)
    }

    @Test("a second id takes the place of the first, which is free at once")
    func secondID() {
        let relay = Conversation()
        let peer = relay.join("alpha")
        relay.say(initialize(as: "omega"), from: peer)
        #expect(relay.heard(peer) == [reply("omega")])
        #expect(relay.ids == ["omega"])
        _ = relay.join("alpha")
        #expect(
            relay.events.prefix(2) == [
                .clientNamed(peer, id: "alpha", formerly: nil), .clientNamed(peer, id: "omega", formerly: "alpha"),
            ])
    }

    @Test("each way of leaving frees the id at once", arguments: ["fin", "lost", "CLOSE", "bad frame"])
    func reconnect(end: String) {
        let relay = Conversation()
        let peer = relay.join("alpha")
        switch end {
        case "fin": relay.end(peer)
        case "lost": relay.disconnect(peer)
        case "CLOSE": relay.say(close, from: peer)
        default: relay.send([0xFF, 0xFF, 0xFF, 0xFF], from: peer)
        }
        #expect(relay.events.contains(.clientLeft(peer, id: "alpha")))
        #expect(relay.ids.isEmpty)
        _ = relay.join("alpha")
    }

    @Test(
        "ids that may be chosen, and how they come back",
        arguments: [
            ("x", "x"), (String(repeating: "x", count: 128), String(repeating: "x", count: 128)), ("né日", "né日"),
            (#"\u0061\/"#, "a/"), (#"\"\\"#, #"\"\\"#), ("\u{1F600}", #"\uD83D\uDE00"#), (" ", " "),
            ("\u{A0}", #"\u00A0"#),
        ])
    func chosenIDs(id: String, reply: String) {
        let relay = Conversation()
        let peer = relay.connect()
        relay.say(initialize(as: id), from: peer)
        #expect(relay.heard(peer) == [self.reply(reply)])
        // It is reached however its id is spelt, and signs with it.
        for spelling in [id, reply] {
            relay.say(message(from: "x", to: spelling, "hi"), from: peer)
            #expect(relay.heard(peer) == [message(from: reply, to: reply, "hi")])
        }
    }

    @Test(
        "ids that may not",
        arguments: [
            (String(repeating: "x", count: 129), "ClientId too long: the limit is 128 octets"),
            (String(repeating: "é", count: 65), "ClientId too long: the limit is 128 octets"),
            (String(repeating: "x", count: 1_000_000), "ClientId too long: the limit is 128 octets"),
            (#"a\nb"#, "ClientId has control characters"), (#"\u0000"#, "ClientId has control characters"),
            ("\u{7F}", "ClientId has control characters"), ("\u{9F}", "ClientId has control characters"),
        ])
    func refusedIDs(id: String, text: String) {
        let relay = Conversation()
        let peer = relay.connect()
        relay.say(initialize(as: id), from: peer)
        #expect(relay.heard(peer) == [error(text, to: firstID())])
        #expect(relay.ids.isEmpty)
        #expect(relay.closed(peer) == nil)
    }

    @Test("ids are compared octet by octet, not as people read them")
    func ordinalComparison() {
        let relay = Conversation()
        let ids = ["\u{E9}", "e\u{301}", "E\u{301}", "a", "A", "a "]
        for id in ids { _ = relay.join(id) }
        #expect(relay.ids.count == ids.count)
    }

    @Test("no more clients than the limit have ids; those that have one may change it")
    func maxClients() {
        let relay = Conversation { $0.maxClients = 2 }
        let alpha = relay.join("alpha")
        _ = relay.join("beta")
        let late = relay.connect()
        relay.say(initialize, from: late)
        relay.say(initialize(as: "gamma"), from: late)
        #expect(relay.heard(late) == [error("Server full", to: firstID()), error("Server full", to: firstID())])
        relay.say(initialize(as: "omega"), from: alpha)
        #expect(relay.heard(alpha) == [reply("omega")])
        relay.end(alpha)
        relay.say(initialize(as: "gamma"), from: late)
        #expect(relay.heard(late) == [reply("gamma")])
    }

    @Test("an operator sees the clients that have ids")
    func snapshot() throws {
        let relay = Conversation()
        _ = relay.connect()
        #expect(relay.rooms.isEmpty)
        #expect(relay.roomCount == 0)
        let alpha = relay.join("alpha")
        relay.pass(.seconds(90))
        let endpoint = Endpoint(address: try #require(IPAddress("127.0.0.1")), port: 40_000)
        let peer = PeerSnapshot(peer: alpha, name: "alpha", role: "client", endpoint: endpoint, connected: .seconds(90))
        #expect(relay.rooms == [RoomSnapshot(id: "relay", peers: [peer])])
        #expect(relay.roomCount == 1)
    }
}
