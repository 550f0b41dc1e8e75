import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import Netplay

@Suite("Rooms: savestates")
struct RoomStateTests {
    @Test func newcomerGetsThePacemakersStateInItsOwnForm() {
        var party = RoomParty()
        let ann = party.player("ann")
        party.play(ann, frames: 5)
        let raw = party.player("raw", protocolVersion: 5, zlib: false)
        let zip = party.player("zip")
        #expect(raw.state == ann.state && zip.state == ann.state)
        #expect(raw.said(.loadSavestate).map(\.readableBytes).allSatisfy { $0 == RoomGuest.stateSize + 8 })
        #expect(zip.said(.loadSavestate).allSatisfy { $0.readableBytes < 200 })
        #expect(raw.isPlaying && zip.isPlaying)
        #expect(party.violations.isEmpty)
    }

    @Test func rawPacemakerServesOthersToo() {
        var party = RoomParty()
        let raw = party.player("raw", protocolVersion: 5, zlib: false)
        party.play(raw, frames: 5)
        let (zip, second) = (party.player("zip"), party.player("second", zlib: false))
        #expect(zip.state == raw.state && second.state == raw.state)
        #expect(party.violations.isEmpty)
    }

    @Test func allTheOthersLoadWhatOneNeeds() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        party.play(ann, bob, frames: 5)
        bob.state = "other"
        _ = party.player("cat")
        #expect(bob.state == ann.state)
        #expect(ann.said(.loadSavestate).isEmpty)
    }

    @Test func wishToPlayWaitsForTheState() {
        var party = RoomParty()
        let ann = party.player("ann")
        ann.answersStates = false
        let bob = party.player("bob")
        #expect(bob.said(.mode).isEmpty)
        party.say(ann.nextInput(), ann)
        party.say(ann.savestate(), ann)
        #expect(bob.isPlaying)
        #expect(party.violations.isEmpty)
    }

    @Test func wishToPlayWaitsUntilTheStateHasArrived() {
        var party = RoomParty()
        let ann = party.player("ann")
        let bob = party.arrive("bob")
        bob.answersPings = false
        party.settle()
        party.say(NetplayPlay().encoded, bob)
        #expect(bob.said(.loadSavestate).count == 1)
        #expect(!bob.isPlaying)
        party.play(ann, frames: 3)
        party.say(.pingResponse, bob)
        #expect(bob.isPlaying)
        #expect(party.violations.isEmpty)
    }

    @Test func whereThereAreNoPingsItWaitsUntilTheStateHasLeft() {
        var party = RoomParty()
        _ = party.player("ann")
        let bob = party.arrive("bob", protocolVersion: 5)
        party.harness.writability(of: bob.peer, is: false)
        party.settle()
        party.say(NetplayPlay().encoded, bob)
        #expect(!bob.isPlaying)
        party.harness.writability(of: bob.peer, is: true)
        party.settle()
        #expect(bob.isPlaying)
    }

    @Test func stateThatDoesNotArriveEndsThatGuestAlone() {
        var party = RoomParty()
        let ann = party.player("ann")
        let bob = party.arrive("bob")
        bob.answersPings = false
        party.settle()
        for _ in 0..<121 {
            party.play(ann, frames: 1)
            party.advance(by: .seconds(1))
        }
        #expect(party.reason(bob) == "state_timeout")
        #expect(party.isIn(ann))
    }

    @Test func whenWhoWasAskedLeavesTheNextIsAsked() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        party.play(ann, bob, frames: 5)
        ann.answersStates = false
        bob.state = "of bob"
        let cat = party.player("cat")
        #expect(!cat.isPlaying)
        party.leave(ann)
        #expect(cat.state == bob.state)
        #expect(cat.isPlaying)
        #expect(party.violations.isEmpty)
    }

    @Test func whenWhoWasAskedStopsPlayingTheNextIsAsked() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        party.play(ann, bob, frames: 5)
        ann.answersStates = false
        let cat = party.player("cat")
        party.say(ann.spectate(), ann)
        #expect(cat.state == bob.state)
        #expect(cat.isPlaying)
        #expect(party.violations.isEmpty)
    }

    @Test func whoIsAskedAndGivesNoStateIsPartedFrom() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        party.play(ann, bob, frames: 5)
        ann.answersStates = false
        let cat = party.player("cat")
        for _ in 0..<12 {
            party.play(ann, bob, frames: 1)
            party.advance(by: .seconds(1))
        }
        #expect(party.reason(ann) == "no_savestate")
        #expect(cat.isPlaying)
        #expect(cat.state == bob.state)
        #expect(party.violations.isEmpty)
    }

    /// What it answers then is for the frame it is in, which the room may not have come to.
    @Test func whoOwesAStateDoesNotPlayBeforeItHasCome() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        party.play(ann, bob, frames: 5)
        ann.answersStates = false
        let cat = party.player("cat")
        party.say(ann.spectate(), ann)
        #expect(cat.isPlaying)
        party.say(NetplayPlay().encoded, ann)
        #expect(!ann.isPlaying)
        party.say(ann.savestate(), ann)
        #expect(ann.isPlaying)
        #expect(party.violations.isEmpty)
    }

    @Test func whoWaitsForAStateBeginsAnewWhenItsOnlyHolderLeaves() {
        var party = RoomParty()
        let ann = party.player("ann")
        party.play(ann, frames: 5)
        ann.answersStates = false
        let (bob, cat) = (party.player("bob"), party.player("cat"))
        #expect(!bob.isPlaying && !cat.isPlaying)
        party.leave(ann)
        party.advance(by: .seconds(2))
        #expect(bob.isPlaying && cat.isPlaying)
        #expect(cat.state == bob.state)
        party.play(bob, cat, frames: 5)
        #expect(cat.hostFrame == bob.hostFrame && cat.hostFrame >= 10)
        #expect(party.violations.isEmpty)
    }

    @Test func spectatorKeepsTheGameWhenAllPlayersHaveLeft() {
        var party = RoomParty()
        let ann = party.player("ann")
        party.play(ann, frames: 50)
        let eve = party.join("eve")
        #expect(eve.state == ann.state)
        party.leave(ann)
        party.advance(by: .seconds(30))
        let bob = party.player("bob")
        #expect(bob.state == eve.state)
        #expect(bob.isPlaying)
        party.play(bob, frames: 5)
        #expect(eve.inputs.filter { $0.client == bob.client }.suffix(5).count == 5)
        #expect(party.violations.isEmpty)
    }

    @Test func spectatorThatIsBehindIsAskedAgain() {
        var party = RoomParty()
        let eve = party.join("eve")
        party.advance(by: .seconds(5))
        eve.answersStates = false
        let bob = party.player("bob")
        party.say(eve.savestate(frame: 4), eve)
        #expect(!bob.isPlaying)
        party.say(eve.savestate(), eve)
        #expect(bob.isPlaying)
        #expect(party.violations.isEmpty)
    }

    @Test func whenTheSpectatorDoesNotGiveItsStateTheNewcomerBeginsAnew() {
        var party = RoomParty()
        let eve = party.join("eve")
        eve.answersStates = false
        let bob = party.player("bob")
        bob.answersStates = true
        party.advance(by: .seconds(15))
        #expect(party.reason(eve) == "no_savestate")
        #expect(bob.isPlaying)
        party.play(bob, frames: 3)
        #expect(party.violations.isEmpty)
    }

    @Test func whoHasGoneAnotherWayGetsTheState() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        party.play(ann, bob, frames: 5)
        for command in [NetplayCommand.requestSavestate, .reset, .loadSavestate] {
            bob.state = "other"
            let length = command == .reset ? 4 : command == .loadSavestate ? 3000 : 0
            let message = ByteBuffer(command, length: length) { $0.writeRepeatingByte(0, count: length) }
            party.say(message, bob)
            #expect(bob.state == ann.state, "\(command)")
        }
        #expect(party.isIn(bob))
        #expect(party.violations.isEmpty)
    }

    @Test func statesAreGivenSoOften() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        for _ in 0..<20 { party.say(.requestSavestate, bob) }
        #expect(ann.said(.requestSavestate).count <= 4)
        let before = bob.said(.loadSavestate).count
        party.advance(by: .seconds(2))
        #expect(bob.said(.loadSavestate).count > before, "what was wanted is not forgotten")
    }

    @Test func stateLoadedByWhoSetsThePaceIsEverybodys() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        party.play(ann, bob, frames: 5)
        ann.state = String(ann.state.reversed())
        party.say(ann.savestate(), ann)
        #expect(bob.state == ann.state)
        party.play(ann, bob, frames: 5)
        // One of another length RetroArch would not bear.
        let usual = ann.state
        ann.state = "short"
        ann.answersStates = false
        party.say(ann.savestate(), ann)
        #expect(bob.state == usual)
        ann.state = String(usual.reversed())
        party.say(ann.savestate(), ann)
        #expect(bob.state == ann.state)
        #expect(party.violations.isEmpty)
    }

    @Test func inputBeforeAStateCountsNoMoreAndMayBeLeftOut() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        party.play(ann, frames: 10)
        party.say(ann.savestate(), ann)
        #expect(bob.nextFrame == 10)
        party.say(NetplayInput(frame: 3, client: 2, words: ByteBuffer(integer: UInt32(0))).encoded, bob)
        party.say(bob.nextInput(), bob)
        party.play(ann, frames: 1)
        #expect(ann.inputs.map(\.frame) == [10])
        #expect(party.isIn(bob))
        #expect(party.violations.isEmpty)
    }

    // MARK: What a stranger may send

    private func state(frame: UInt32, rawSize: UInt32, _ content: ByteBuffer) -> ByteBuffer {
        NetplaySavestate(frame: frame, rawSize: rawSize, content: content).encoded
    }

    @Test func liesAboutSizesEndTheLiarAlone() throws {
        let good = try #require(StateCompression.deflated(ByteBuffer(repeating: 1, count: 5000)))
        let bomb = try #require(StateCompression.deflated(ByteBuffer(repeating: 0, count: 1 << 20)))
        var cut = good
        _ = cut.readSlice(length: 1)
        let lies: [(rawSize: UInt32, ByteBuffer)] = [
            (4999, good), (5001, good), (0, good), (.max, good), (1000, bomb), (2 << 20, bomb), (5000, cut),
            (5000, ByteBuffer(repeating: 7, count: 50)), (5000, ByteBuffer()),
            (5000, ByteBuffer(bytes: Array(good.readableBytesView) + [0])),
        ]
        for (rawSize, content) in lies {
            var party = RoomParty { $0.maxStateBytes = 1 << 20 }
            let (ann, bob) = (party.player("ann"), party.player("bob"))
            let before = bob.said(.loadSavestate).count
            ann.answersStates = false
            party.say(.requestSavestate, bob)
            party.say(state(frame: 0, rawSize: rawSize, content), ann)
            #expect(party.reason(ann) == "bad_savestate", "\(rawSize)")
            #expect(bob.said(.loadSavestate).count == before)
            party.play(bob, frames: 3)
            #expect(bob.hostFrame == 3)
        }
    }

    @Test func stateLongerThanTheLimitIsNotEvenRead() {
        var party = RoomParty { $0.maxStateBytes = 10_000 }
        let ann = party.player("ann")
        var head = ByteBuffer()
        head.writeMultipleIntegers(NetplayCommand.loadSavestate.rawValue, UInt32(10_009))
        party.say(head, ann)
        #expect(party.reason(ann) == "malformed_command")
    }

    @Test func stateForAnotherFrameGoesToNobody() {
        var party = RoomParty()
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        for _ in 0..<100 {
            party.say(state(frame: 7, rawSize: 5, ByteBuffer(repeating: 1, count: 5)), ann)
        }
        #expect(bob.said(.loadSavestate).count < 10)
        #expect(bob.state == ann.state)
        #expect(party.isIn(bob))
        #expect(party.violations.isEmpty)
    }

    @Test func whatAllRoomsInflateIsBounded() throws {
        var party = RoomParty { $0.maxRooms = 100 }
        let bomb = try #require(StateCompression.deflated(ByteBuffer(repeating: 0, count: 16 << 20)))
        for number in 1...50 {
            let guest = party.join("guest", session: TunnelID(high: UInt64(number), low: 1))
            party.say(NetplayPlay().encoded, guest)
            party.say(state(frame: 0, rawSize: 16 << 20, bomb), guest)
        }
        #expect(party.events("state_shared") <= 512 / 17 + 1)
    }

    @Test func stateThatStopsHalfwayEndsInTime() {
        var party = RoomParty { $0.stateTimeout = .seconds(20) }
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        var half = ByteBuffer()
        half.writeMultipleIntegers(NetplayCommand.loadSavestate.rawValue, UInt32(5000))
        half.writeRepeatingByte(1, count: 100)
        party.say(half, ann)
        party.advance(by: .seconds(19))
        #expect(party.isIn(ann) && party.isIn(bob))
        party.advance(by: .seconds(3))
        #expect(party.reason(ann) == "state_timeout")
        #expect(party.isIn(bob))
    }

    @Test func statesOnTheirWayAreBoundedInAll() {
        var party = RoomParty { $0.maxStateBytes = 100_000 }
        var half = ByteBuffer()
        half.writeMultipleIntegers(NetplayCommand.loadSavestate.rawValue, UInt32(100_000))
        half.writeRepeatingByte(1, count: 90_000)
        var reasons: [String?] = []
        for number in 1...10 {
            let guest = party.join("guest", session: TunnelID(high: UInt64(number), low: 1))
            party.say(NetplayPlay().encoded, guest)
            party.say(half, guest)
            reasons.append(party.reason(guest))
        }
        #expect(reasons.compactMap { $0 } == ["states_full", "states_full"])
        #expect(party.harness.engine.keptStateBytes <= 800_000)
    }

    @Test func beginningOfAStateNobodyAskedForHoldsUpNobody() {
        var party = RoomParty { $0.stateTimeout = .seconds(20) }
        let (ann, eve) = (party.player("ann"), party.join("eve"))
        party.say(ByteBuffer(integer: NetplayCommand.loadSavestate.rawValue), eve)
        let bob = party.player("bob")
        #expect(bob.isPlaying)
        for _ in 0..<25 {
            party.play(ann, bob, frames: 1)
            party.advance(by: .seconds(1))
        }
        #expect(party.isIn(ann) && party.isIn(bob))
    }

    @Test func spectatorsStateNobodyAskedForIsThrownAway() {
        var party = RoomParty()
        _ = party.player("ann")
        let eve = party.join("eve")
        let before = eve.said(.loadSavestate).count
        party.say(eve.savestate(), eve)
        #expect(party.isIn(eve))
        #expect(eve.said(.loadSavestate).count == before + 1, "it gets the room's back")
    }
}
