import RelayCore
import Testing

@testable import JSONRelay

@Suite("Refusals")
struct AnswerTests {
    private func missing(_ count: Int) -> [UInt8] {
        Array(repeating: frame(#"{"payloadType":"MESSAGE"}"#), count: count).flatMap { $0 }
    }

    @Test("with the original's replies only a named client that asks for an id in use is answered")
    func referenceReplies() {
        let relay = Conversation(Conversation.Profile.reference.configuration)
        let alpha = relay.join("alpha")
        let fresh = relay.connect()
        let said = [
            #"{"payloadType":"INIT","source":"alpha"}"#, #"{"payloadType":"INIT","source":"a\nb"}"#,
            #"{"payloadType":"MESSAGE"}"#, message(from: "x", to: "nobody", "hi"),
            #"{"payloadType":"MESSAGE","destination":"alpha","payload":[]}"#,
        ]
        for peer in [alpha, fresh] { for body in said { relay.say(body, from: peer) } }
        #expect(relay.heard(alpha) == [error("ClientId: alpha is already initialized", to: "alpha")])
        #expect(relay.heard(fresh).isEmpty)
        // The operator hears of everything all the same.
        #expect(
            relay.refusals == [
                "id_in_use", "id_has_control_characters", "destination_missing", "destination_unknown",
                "payload_not_string", "id_in_use", "id_has_control_characters", "destination_missing",
                "destination_unknown", "payload_not_string",
            ])
        relay.stop()
        #expect(relay.heard(alpha).isEmpty)
    }

    @Test("a fault too many ends the connection; one a second is forgiven")
    func strikes() {
        let relay = Conversation { $0.maxStrikes = 3 }
        let peer = relay.join("alpha")
        relay.send(missing(3), from: peer)
        relay.pass(.seconds(1))
        relay.send(missing(1), from: peer)
        #expect(relay.closed(peer) == nil)
        relay.send(missing(2), from: peer)
        #expect(relay.closed(peer) == "too_many_faults")
        // The last fault is answered before the end; what came with it is not looked at.
        #expect(relay.heard(peer) == Array(repeating: error("Destination missing", to: "alpha"), count: 5))
        #expect(relay.ids.isEmpty)
    }

    @Test("without a limit no number of faults ends a connection")
    func noStrikes() {
        let relay = Conversation { $0.maxStrikes = 0 }
        let peer = relay.join("alpha")
        relay.send(missing(1000), from: peer)
        #expect(relay.closed(peer) == nil)
    }

    @Test("what a client cannot know is no fault")
    func notFaults() {
        let relay = Conversation { $0.maxStrikes = 1 }
        let peer = relay.join("alpha")
        for _ in 0..<20 {
            relay.say(message(from: "alpha", to: "nobody", "hi"), from: peer)
            relay.say(#"{"payloadType":"INIT","source":"alpha"}"#, from: peer)
        }
        #expect(relay.heard(peer).count == 40)
        #expect(relay.closed(peer) == nil)
    }

    @Test("messages over the rate are refused, and each is a fault")
    func rate() {
        let relay = Conversation { configuration in
            configuration.messageRate = 10
            configuration.maxStrikes = 5
        }
        let peer = relay.join("alpha")
        let echo = frame(message(from: "alpha", to: "alpha", "x"))
        relay.send(Array(repeating: echo, count: 10).flatMap { $0 }, from: peer)
        // INIT took one of the ten.
        let refusal = error("Rate limited: 10 messages a second", to: "alpha")
        #expect(relay.heard(peer) == Array(repeating: message(from: "alpha", to: "alpha", "x"), count: 9) + [refusal])
        relay.pass(.milliseconds(200))
        relay.send(Array(repeating: echo, count: 3).flatMap { $0 }, from: peer)
        #expect(relay.heard(peer) == Array(repeating: message(from: "alpha", to: "alpha", "x"), count: 2) + [refusal])
        relay.send(Array(repeating: echo, count: 100).flatMap { $0 }, from: peer)
        #expect(relay.closed(peer) == "too_many_faults")
    }

    @Test("every refusal has a word of its own, and a text that a JSON string can hold as it is")
    func words() {
        let all: [MessageRefusal] = [
            .idInUse("x"), .idTooLong, .idHasControlCharacters, .serverFull, .goingDown, .notInitialized,
            .destinationMissing, .destinationUnknown("x"), .payloadNotString, .payloadNotText,
            .rateLimited(perSecond: 1),
        ]
        #expect(Set(all.map(\.word)).count == all.count)
        #expect(all.allSatisfy { $0.word.allSatisfy { $0.isLowercase || $0 == "_" } })
        #expect(all.allSatisfy { !$0.text.isEmpty && !$0.text.contains { $0 == "\"" || $0 == "\\" } })
        let peer = PeerID(slot: 1, generation: 2)
        for refusal in all {
            let event = JSONRelayEvent.refused(peer, refusal)
            #expect(event.name == refusal.word)
            #expect(event.peer == peer)
            #expect(event.message.hasSuffix(refusal.text))
        }
    }

    @Test("events tell of who came, changed and left")
    func events() {
        let relay = Conversation()
        let peer = relay.join("alpha")
        relay.say(#"{"payloadType":"INIT","source":"omega"}"#, from: peer)
        relay.end(peer)
        #expect(relay.events.map(\.name) == ["client_named", "client_named", "client_left"])
        #expect(
            relay.events.map(\.message) == [
                "the client is alpha", "the client is omega, formerly alpha", "the id omega is free",
            ])
        #expect(relay.events.allSatisfy { $0.peer == peer })
    }
}
