import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import Netplay

@Suite("Rooms: other commands")
struct RoomCommandTests {
    @Test func chatReachesWhoCanReadIt() throws {
        var party = RoomParty()
        let (ann, bob, old) = (party.player("ann"), party.join("bob"), party.join("old", protocolVersion: 5))
        party.say(ByteBuffer(.playerChat, length: 5) { $0.writeString("hello") }, ann)
        for guest in [ann, bob] {
            var said = try #require(guest.said(.playerChat).first)
            #expect(said.readText(length: 32) == "ann")
            #expect(String(buffer: said) == "hello")
        }
        #expect(old.said(.playerChat).isEmpty)
        for _ in 0..<20 { party.say(ByteBuffer(.playerChat, length: 1) { $0.writeString("x") }, ann) }
        #expect(bob.said(.playerChat).count == 8)
        #expect(party.events("chat_dropped") == 13)
        #expect(party.isIn(ann))
        #expect(party.violations.isEmpty)
    }

    @Test(arguments: [0, 96, 5000])
    func chatHasALength(_ length: Int) {
        var party = RoomParty()
        let ann = party.player("ann")
        party.say(ByteBuffer(.playerChat, length: length) { $0.writeRepeatingByte(65, count: length) }, ann)
        #expect(party.reason(ann) == "malformed_command")
        #expect(ann.said(.nak).count == 1)
    }

    @Test func pingIsAnswered() {
        var party = RoomParty()
        let ann = party.join("ann")
        party.say(.pingRequest, ann)
        #expect(ann.said(.pingResponse).count == 1)
    }

    @Test func pauseHoldsAmongGuestsOfProtocol5() throws {
        var party = RoomParty()
        let guests = ["ann", "bob", "cat"].map { party.player($0, protocolVersion: 5) }
        let (ann, bob, cat) = (guests[0], guests[1], guests[2])
        party.play(ann, bob, cat, frames: 5)
        party.say(NetplayWaiting.pause(nick: "x"), bob)
        #expect([ann, bob, cat].map(\.isPaused) == [true, false, true])
        var told = try #require(cat.said(.pause).first)
        #expect(told.readText(length: 32) == "bob")
        let late = party.join("late", protocolVersion: 5)
        #expect(late.sync?.isPaused == true)
        party.advance(by: .seconds(60))
        #expect([ann, bob, cat].allSatisfy { party.isIn($0) })
        party.say(NetplayWaiting.pause(nick: "x"), cat)
        #expect([ann, bob, cat].map(\.isPaused) == [true, true, true])
        party.say(.resume, bob)
        #expect([ann, bob, cat].map(\.isPaused) == [true, true, false])
        party.leave(cat)
        #expect([ann, bob, late].map(\.isPaused) == [false, false, false])
        party.play(ann, bob, frames: 5)
        #expect(ann.hostFrame == 10)
        #expect(party.violations.isEmpty)
    }

    @Test func pauseIsNotForEver() {
        var party = RoomParty { $0.pauseTimeout = .seconds(120) }
        let (ann, bob) = (party.player("ann", protocolVersion: 5), party.player("bob", protocolVersion: 5))
        party.say(NetplayWaiting.pause(nick: "x"), bob)
        party.advance(by: .seconds(119))
        #expect(party.isIn(bob) && ann.isPaused)
        party.advance(by: .seconds(2))
        #expect(party.reason(bob) == "paused_too_long")
        #expect(party.isIn(ann) && !ann.isPaused)
    }

    @Test func nobodyOfProtocol6IsToldOfAPauseNorWaitsForIt() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob", protocolVersion: 5))
        party.play(ann, bob, frames: 5)
        party.say(NetplayWaiting.pause(nick: "x"), ann)
        #expect(!bob.isPaused)
        party.say(NetplayWaiting.pause(nick: "x"), bob)
        #expect(!ann.isPaused)
        party.play(ann, frames: 60)
        party.advance(by: .seconds(6))
        #expect(party.reason(bob) == "held_up")
        #expect(party.isIn(ann))
        #expect(party.violations.isEmpty)
    }

    @Test func checksumsOfWhoSetsThePaceArePassedOn() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        let crc = ByteBuffer(.crc, length: 8) { $0.writeMultipleIntegers(UInt32(0), UInt32(9)) }
        party.say(crc, ann)
        party.say(crc, bob)
        #expect(bob.said(.crc).count == 1)
        #expect(ann.said(.crc).isEmpty)
        #expect(party.events("command_ignored") == 1)
    }

    @Test func unknownCommandsAreSkippedWhateverTheirPieces() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        var bytes = ByteBuffer()
        for command in [0x47, 0x61, 0x62, 0x1234, 0xFFFF_FFFF] as [UInt32] {
            bytes.writeImmutableBuffer(
                ByteBuffer(NetplayCommand(rawValue: command), length: 700) { $0.writeRepeatingByte(3, count: 700) })
        }
        // Of a NETPACKET the size leaves out four bytes.
        bytes.writeMultipleIntegers(NetplayCommand.netpacket.rawValue, UInt32(3), UInt32(0xFFFF))
        bytes.writeBytes([1, 2, 3])
        bytes.writeImmutableBuffer(ann.nextInput())
        for length in [1, 7, 1000] {
            var rest = bytes
            let before = bob.hostFrame
            while let piece = rest.readSlice(length: min(length, max(1, rest.readableBytes))) {
                party.harness.receive(piece, from: ann.peer)
            }
            party.settle()
            #expect(bob.hostFrame == before + (length == 1 ? 1 : 0), "the input is the same each time")
        }
        #expect(party.events("command_ignored") == 18)
        #expect(party.isIn(ann))
    }

    @Test func skippedPayloadIsBounded() {
        var party = RoomParty { $0.maxStateBytes = 100_000 }
        let ann = party.player("ann")
        var head = ByteBuffer()
        head.writeMultipleIntegers(UInt32(0x1234), UInt32.max)
        party.say(head, ann)
        #expect(party.reason(ann) == "malformed_command")
    }

    @Test(arguments: [NetplayCommand.nick, .info, .play, .input, .spectate, .pingRequest, .crc, .reset, .password])
    func impossibleSizesEndTheConnection(_ command: NetplayCommand) {
        var party = RoomParty()
        let ann = party.player("ann")
        var head = ByteBuffer()
        head.writeMultipleIntegers(command.rawValue, UInt32(4000))
        party.say(head, ann)
        #expect(party.reason(ann) == "malformed_command")
    }

    @Test func floodsOfCommandsEndTheConnection() {
        var party = RoomParty()
        let (ann, eve) = (party.player("ann"), party.join("eve"))
        for _ in 0..<31 { party.say(.pingRequest, eve) }
        #expect(party.reason(eve) == "command_flood")
        #expect(party.isIn(ann))
    }

    @Test(arguments: [(NetplayCommand.nak, "refused"), (.disconnect, "left")])
    func whoLeavesInWordsHasLeft(_ command: NetplayCommand, _ reason: String) {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        party.say(command, bob)
        #expect(party.reason(bob) == reason)
        #expect(ann.players[bob.client] == nil)
    }

    @Test func stopTellsEverybody() {
        var party = RoomParty()
        let ann = party.player("ann")
        party.harness.stop()
        party.settle()
        #expect(ann.said(.disconnect).count == 1)
        #expect(party.reason(ann) == "server_stopping")
        #expect(party.harness.engine.roomCount == 0)
    }

    @Test func reloadedLimitsHoldForWhatComes() {
        var party = RoomParty()
        let ann = party.player("ann")
        var configuration = RoomConfiguration()
        configuration.maxGuests = 1
        configuration.password = "new"
        party.harness.engine.reconfigure(configuration)
        #expect(party.join("bob").header?.magic == .full)
        #expect(party.isIn(ann))
        let eve = party.join("eve", session: TunnelID(high: 1, low: 1))
        #expect(party.reason(eve) == "wrong_password")
    }

    @Test func kickedGuestIsToldAndTheOthersPlayOn() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        party.play(ann, bob, frames: 3)
        party.harness.kick(ann.peer)
        party.settle()
        #expect(party.reason(ann) == "kicked")
        #expect(ann.said(.disconnect).count == 1)
        party.play(bob, frames: 3)
        #expect(party.isIn(bob))
        #expect(party.violations.isEmpty)
    }
}
