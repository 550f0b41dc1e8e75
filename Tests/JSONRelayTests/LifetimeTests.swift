import RelayCore
import Testing

@testable import JSONRelay

@Suite("Timers, drain and stop")
struct LifetimeTests {
    private let close = #"{"payloadType":"CLOSE"}"#

    @Test("after CLOSE the connection ends when the grace is over")
    func closeGrace() {
        let relay = Conversation()
        let peer = relay.join("alpha")
        relay.say(close, from: peer)
        #expect(relay.heard(peer).isEmpty)
        relay.pass(.milliseconds(4999))
        #expect(relay.closed(peer) == nil)
        relay.pass(.milliseconds(1))
        #expect(relay.closed(peer) == "left")
        #expect(relay.heard(peer).isEmpty)
    }

    @Test("whatever follows a CLOSE keeps the connection; another CLOSE gives a new grace")
    func closeGraceEnds() {
        for said in [#"{"payloadType":"INIT"}"#, #"{"payloadType":"MESSAGE","destination":"x"}"#] {
            let relay = Conversation()
            let peer = relay.join("alpha")
            relay.say(close, from: peer)
            relay.pass(.seconds(4))
            relay.say(said, from: peer)
            relay.pass(.seconds(60))
            #expect(relay.closed(peer) == nil)
            relay.say(close, from: peer)
            relay.pass(.seconds(4))
            relay.say(close, from: peer)
            relay.pass(.seconds(4))
            #expect(relay.closed(peer) == nil)
            relay.pass(.seconds(1))
            #expect(relay.closed(peer) == "left")
        }
    }

    @Test("without grace CLOSE ends the connection as soon as time is looked at")
    func noGrace() {
        let relay = Conversation { $0.closeGrace = .zero }
        let peer = relay.join("alpha")
        relay.say(close, from: peer)
        #expect(relay.nextDeadline == .zero)
        relay.pass(.zero)
        #expect(relay.closed(peer) == "left")
    }

    @Test("a silent client is kept for ever, unless told otherwise")
    func idle() {
        let patient = Conversation()
        let listener = patient.join("alpha")
        #expect(patient.nextDeadline == nil)
        patient.pass(.seconds(86_400))
        #expect(patient.closed(listener) == nil)

        let relay = Conversation { $0.idleTimeout = .seconds(60) }
        let busy = relay.join("busy")
        let silent = relay.join("silent")
        let fresh = relay.connect()
        for _ in 0..<100 {
            relay.pass(.seconds(1))
            relay.say(message(from: "busy", to: "silent", "x"), from: busy)
        }
        // Who only receives is silent.
        #expect(relay.closed(silent) == "idle")
        #expect(relay.closed(fresh) == "idle")
        #expect(relay.closed(busy) == nil)
        relay.pass(.seconds(59))
        #expect(relay.closed(busy) == nil)
        relay.pass(.seconds(1))
        #expect(relay.closed(busy) == "idle")
        #expect(relay.nextDeadline == nil)
    }

    @Test("part of a frame is not waited for longer than a frame may take, however it trickles in")
    func frameTimeout() {
        let relay = Conversation()
        let peer = relay.join("alpha")
        for octet in frame(message(from: "alpha", to: "alpha", "x")).prefix(29) {
            relay.send([octet], from: peer)
            relay.pass(.seconds(1))
        }
        #expect(relay.closed(peer) == nil)
        relay.pass(.seconds(1))
        #expect(relay.closed(peer) == "frame_timeout")
        #expect(relay.heardBytes(peer).isEmpty)
    }

    @Test("the time of a frame counts from its own first octet")
    func frameTimeoutStartsAnew() {
        let relay = Conversation()
        let peer = relay.join("alpha")
        let octets = frame(message(from: "alpha", to: "alpha", "x"))
        // Each read ends one frame and begins the next, so that the stream always stands inside a frame.
        relay.send(octets.prefix(10), from: peer)
        for _ in 0..<20 {
            relay.pass(.seconds(20))
            relay.send(octets.dropFirst(10) + octets.prefix(10), from: peer)
        }
        #expect(relay.heard(peer).count == 20)
        #expect(relay.closed(peer) == nil)
        relay.pass(.milliseconds(29_999))
        #expect(relay.closed(peer) == nil)
        relay.pass(.milliseconds(1))
        #expect(relay.closed(peer) == "frame_timeout")
    }

    @Test("a frame in time leaves nothing to be feared; no limit, no timeout")
    func frameInTime() {
        let relay = Conversation()
        let peer = relay.join("alpha")
        let octets = frame(message(from: "alpha", to: "alpha", "x"))
        relay.send(octets.prefix(3), from: peer)
        relay.pass(.seconds(29))
        relay.send(octets.dropFirst(3), from: peer)
        relay.pass(.seconds(600))
        #expect(relay.closed(peer) == nil)
        relay.reconfigure { $0.frameTimeout = .zero }
        relay.send(octets.prefix(3), from: peer)
        relay.pass(.seconds(6000))
        #expect(relay.closed(peer) == nil)
    }

    @Test("new timeouts hold for the clients that are there")
    func reconfigure() {
        let relay = Conversation()
        let peer = relay.join("alpha")
        relay.pass(.seconds(10))
        relay.reconfigure { $0.idleTimeout = .seconds(30) }
        relay.pass(.seconds(19))
        #expect(relay.closed(peer) == nil)
        relay.reconfigure { $0.idleTimeout = .seconds(600) }
        relay.pass(.seconds(60))
        #expect(relay.closed(peer) == nil)
        relay.reconfigure { $0.idleTimeout = .seconds(20) }
        relay.pass(.zero)
        #expect(relay.closed(peer) == "idle")
    }

    @Test("a peer that goes takes its deadline along")
    func deadlinesGo() {
        let relay = Conversation { $0.idleTimeout = .seconds(60) }
        let lost = relay.connect()
        let ending = relay.connect()
        relay.disconnect(lost)
        relay.end(ending)
        #expect(relay.nextDeadline == nil)
        // The slots go to others, whose time is their own.
        relay.pass(.seconds(30))
        let next = relay.connect()
        relay.pass(.seconds(45))
        #expect(relay.closed(next) == nil)
    }

    @Test("while the server drains nobody new gets an id; those who have one play on")
    func drain() {
        let relay = Conversation()
        let alpha = relay.join("alpha")
        let early = relay.connect()
        relay.drain()
        let late = relay.connect()
        for peer in [early, late] {
            relay.say(#"{"payloadType":"INIT","source":"beta"}"#, from: peer)
            relay.say(#"{"payloadType":"INIT"}"#, from: peer)
            let answers = relay.heard(peer)
            #expect(answers.count == 2)
            #expect(answers.allSatisfy { $0.hasSuffix(#""payload":"Server going down"}"#) })
            #expect(relay.closed(peer) == nil)
        }
        relay.say(#"{"payloadType":"INIT","source":"omega"}"#, from: alpha)
        relay.say(message(from: "omega", to: "omega", "x"), from: alpha)
        #expect(
            relay.heard(alpha) == [
                #"{"payloadType":"INIT","destination":"omega"}"#, message(from: "omega", to: "omega", "x"),
            ])
        #expect(relay.roomCount == 1)
        relay.say(close, from: alpha)
        #expect(relay.roomCount == 0)
    }

    @Test("a server that stops tells its clients and parts from every connection")
    func stop() {
        let relay = Conversation()
        let alpha = relay.join("alpha")
        let fresh = relay.connect()
        let left = relay.join("beta")
        relay.say(close, from: left)
        relay.stop()
        #expect(relay.heard(alpha) == [error("Server going down", to: "alpha")])
        for peer in [alpha, fresh, left] { #expect(relay.closed(peer) == "server_stopping") }
        #expect(relay.heard(fresh).isEmpty)
        #expect(relay.heard(left).isEmpty)
        #expect(relay.roomCount == 0)
        #expect(relay.nextDeadline == nil)
    }

    @Test("who is kicked is told so where there are words for it, and its id is free")
    func kick() {
        for (replies, expected) in [
            (JSONRelayConfiguration.ErrorReplies.readme, [error("Kicked", to: "alpha")]), (.reference, []),
        ] {
            let relay = Conversation { $0.errorReplies = replies }
            let (peer, other) = (relay.join("alpha"), relay.join("beta"))
            relay.kick(peer)
            #expect(relay.heard(peer) == expected)
            #expect(relay.closed(peer) == "kicked")
            #expect(relay.ids == ["beta"])
            relay.kick(peer)
            #expect(relay.closed(other) == nil)
            #expect(relay.closed(relay.join("alpha")) == nil)
        }
    }
}
