import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import Netplay

@Suite("Rooms: play")
struct RoomPlayTests {
    @Test func firstPlayerMakesTheFrames() {
        var party = RoomParty()
        let ann = party.player("ann")
        #expect(ann.isPlaying)
        #expect(ann.modes().map(\.frame) == [0])
        party.play(ann, frames: 10)
        #expect(ann.hostFrame == 10)
        #expect(ann.inputs.isEmpty)
        #expect(party.violations.isEmpty)
    }

    @Test func everybodyGetsTheInputOfEverybodyElse() throws {
        var party = RoomParty()
        let ann = party.player("ann")
        party.play(ann, frames: 20)
        let bob = party.player("bob", protocolVersion: 5)
        let cat = party.player("cat", zlib: false)
        let eve = party.join("eve")
        party.play(ann, bob, cat, frames: 30)
        #expect(party.violations.isEmpty, "\(party.violations)")
        #expect([bob, cat].allSatisfy { $0.isPlaying })
        #expect([ann, bob, cat, eve].allSatisfy { $0.hostFrame == 50 })
        for guest in [ann, bob, cat, eve] {
            for other in [ann, bob, cat] where other !== guest {
                let frames = guest.inputs.filter { $0.client == other.client }.map(\.frame)
                #expect(frames.last == 49, "\(guest.nick) of \(other.nick)")
                #expect(frames == Array(try #require(frames.first)...49))
            }
        }
        #expect(Set(ann.modes().filter(\.isPlaying).map(\.client)) == [1, 2, 3])
    }

    @Test func inputAheadOfTheRoomWaitsForIt() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        for _ in 0..<5 { party.say(bob.nextInput(), bob) }
        #expect(ann.inputs.isEmpty)
        let cat = party.join("cat")
        party.play(ann, frames: 3)
        #expect(ann.inputs.map(\.frame) == [0, 1, 2])
        #expect(cat.inputs.filter { $0.client == bob.client }.map(\.frame) == [0, 1, 2])
        #expect(party.violations.isEmpty)
    }

    @Test func lateInputIsPassedOnAtOnce() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        party.play(ann, frames: 5)
        party.say(bob.nextInput(), bob)
        #expect(ann.inputs.map(\.frame) == [0])
    }

    @Test func repeatedInputIsIgnoredAndALeftOutFrameIsNot() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        let first = bob.nextInput()
        party.say(first, bob)
        party.say(first, bob)
        party.play(ann, frames: 2)
        #expect(ann.inputs.map(\.frame) == [0])
        _ = bob.nextInput()
        party.say(bob.nextInput(), bob)
        #expect(bob.said(.nak).count == 1)
        #expect(party.reason(bob) == "input_out_of_order")
        #expect(party.isIn(ann))
    }

    @Test func inputMustFitTheDevices() {
        var party = RoomParty()
        let ann = party.player("ann")
        party.say(NetplayInput(frame: 0, client: 1, words: ByteBuffer(repeating: 0, count: 8)).encoded, ann)
        #expect(party.reason(ann) == "input_size")
    }

    @Test func whoRunsFarAheadIsToldToWaitAndThenParted() {
        var party = RoomParty()
        _ = party.player("ann")
        let bob = party.player("bob")
        for _ in 0..<9 { party.say(bob.nextInput(), bob) }
        #expect(bob.said(.stall).count == 1)
        #expect(bob.stallFrames == 9)
        for _ in 0..<111 { party.say(bob.nextInput(), bob) }
        #expect(party.isIn(bob))
        #expect(bob.said(.stall).count == 1)
        party.say(bob.nextInput(), bob)
        #expect(party.reason(bob) == "far_ahead")
    }

    @Test func nobodyMakesTheGameRunManyTimesItsSpeed() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.join("bob"))
        party.play(ann, frames: 3000)
        #expect(party.isIn(ann))
        party.play(ann, frames: 1)
        #expect(party.reason(ann) == "input_flood")
        #expect(party.isIn(bob))
    }

    @Test func devicesAreFreeOrWantedOrTaken() {
        var party = RoomParty()
        let (ann, bob, cat) = (party.join("ann"), party.join("bob"), party.join("cat"))
        party.say(NetplayPlay(devices: 0b10).encoded, ann)
        party.play(ann, frames: 2)
        party.say(NetplayPlay().encoded, bob)
        party.say(NetplayPlay(devices: 0b10).encoded, cat)
        #expect(ann.devices == 0b10)
        #expect(bob.devices == 0b01)
        #expect(cat.said(.modeRefused).map { $0.getInteger(at: $0.readerIndex, as: UInt32.self) } == [2])
        party.say(ann.spectate(), ann)
        party.say(NetplayPlay(shareMode: 0x01, devices: 0b01).encoded, cat)
        #expect(!cat.isPlaying, "bob does not share")
        party.say(bob.spectate(), bob)
        party.say(NetplayPlay(shareMode: 0x01, devices: 0b01).encoded, bob)
        party.say(NetplayPlay(shareMode: 0x04, devices: 0b01).encoded, cat)
        #expect(bob.modes().last { $0.isYou && $0.isPlaying }?.shareModes.first == 0x24)
        #expect(cat.isPlaying && cat.devices == 0b01)
        #expect(party.violations.isEmpty)
    }

    @Test func sixteenDevicesAreAll() {
        var party = RoomParty { $0.maxGuests = 31 }
        var guests: [RoomGuest] = []
        for number in 0..<17 {
            guests.append(party.player("guest\(number)"))
            party.play(guests[0], frames: 1)
            // A room gives its state once a second.
            party.advance(by: .seconds(1))
        }
        #expect(guests.filter(\.isPlaying).count == 16)
        #expect(guests[16].said(.modeRefused).count == 1)
        #expect(party.violations.isEmpty)
    }

    @Test func askingAgainAndAgainIsRefused() {
        var party = RoomParty()
        _ = party.player("ann")
        let bob = party.join("bob")
        for _ in 0..<5 { party.say(NetplayPlay(devices: 1).encoded, bob) }
        #expect(bob.said(.modeRefused).map { $0.getInteger(at: $0.readerIndex, as: UInt32.self) } == [2, 2, 2, 2, 3])
    }

    @Test func spectatorMayPlayAgain() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        party.play(ann, bob, frames: 5)
        party.say(bob.spectate(), bob)
        #expect(!bob.isPlaying)
        #expect(ann.players[bob.client] == nil)
        // What was on its way when it stopped is not passed on.
        party.say(NetplayInput(frame: 5, client: 2, words: ByteBuffer(integer: UInt32(0))).encoded, bob)
        party.play(ann, frames: 5)
        party.say(NetplayPlay().encoded, bob)
        party.play(ann, bob, frames: 5)
        #expect(ann.inputs.filter { $0.client == bob.client }.map(\.frame) == Array(0..<5) + Array(10..<15))
        #expect(party.violations.isEmpty)
    }

    @Test(arguments: [0, 1, 2])
    func roomSurvivesWhoeverLeaves(_ leaver: Int) {
        var party = RoomParty()
        let guests = [party.player("ann"), party.player("bob"), party.player("cat")]
        party.play(guests[0], guests[1], guests[2], frames: 10)
        party.leave(guests[leaver])
        let rest = guests.filter { $0 !== guests[leaver] }
        party.play(rest[0], rest[1], frames: 10)
        #expect(rest.allSatisfy { $0.hostFrame == 20 && $0.inputs.last?.frame == 19 })
        let late = party.player("late")
        #expect(late.isPlaying)
        #expect(late.client == guests[leaver].client)
        party.play(rest[0], rest[1], late, frames: 10)
        #expect(late.hostFrame == 30)
        #expect(party.violations.isEmpty)
        for guest in rest + [late] { party.leave(guest) }
        #expect(party.harness.engine.roomCount == 0)
        #expect(party.harness.engine.nextDeadline == nil)
    }

    @Test func farthestPlayerSetsThePaceNext() {
        var party = RoomParty()
        let (ann, bob, cat) = (party.player("ann"), party.player("bob"), party.player("cat"))
        party.play(ann, frames: 4)
        party.play(bob, frames: 2)
        for _ in 0..<7 { party.say(cat.nextInput(), cat) }
        party.leave(ann)
        #expect(bob.hostFrame == 7)
        #expect(bob.inputs.filter { $0.client == cat.client }.map(\.frame) == Array(0..<7))
        party.play(bob, frames: 5)
        #expect(cat.hostFrame == 7)
        party.play(cat, frames: 1)
        #expect(bob.hostFrame == 8)
        #expect(party.violations.isEmpty)
    }

    @Test func roomThatStandsStillPartsFromWhoIsBehind() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        party.play(ann, bob, frames: 5)
        party.play(ann, frames: 60)
        party.advance(by: .seconds(4))
        #expect(party.isIn(bob))
        party.advance(by: .seconds(2))
        #expect(party.reason(bob) == "held_up")
        #expect(party.isIn(ann))
        party.play(ann, frames: 5)
        party.advance(by: .seconds(4))
        #expect(party.isIn(ann))
    }

    @Test func silentPacemakerIsPartedFrom() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        party.play(ann, bob, frames: 5)
        for _ in 0..<20 { party.say(bob.nextInput(), bob) }
        party.advance(by: .seconds(6))
        #expect(party.reason(ann) == "held_up")
        #expect(bob.hostFrame == 25)
        #expect(party.violations.isEmpty)
    }

    @Test func whileNobodyPlaysSpectatorsSeeAFrameASecond() {
        var party = RoomParty()
        let ann = party.join("ann")
        party.advance(by: .seconds(60))
        #expect(ann.hostFrame == 60)
        let bob = party.player("bob")
        #expect(bob.isPlaying)
        party.play(bob, frames: 10)
        #expect(ann.inputs.count == 10)
        #expect(party.violations.isEmpty)
    }
}
