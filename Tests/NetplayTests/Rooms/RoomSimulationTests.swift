import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import Netplay

@Suite("Rooms: simulation")
struct RoomSimulationTests {
    /// Guests of both protocols, with and without zlib, that come, play, look on, pause, stall, lose their state and
    /// leave as they like, over a network that cuts and delays. None may ever see what a RetroArch would not bear, and
    /// none may be parted from but for holding up the others.
    @Test(arguments: 1...15 as ClosedRange<UInt64>)
    func nobodySeesWhatRetroArchWouldNotBear(seed: UInt64) {
        var crowd = RoomCrowd(seed: seed)
        for _ in 0..<2000 {
            crowd.step()
            guard crowd.violations.isEmpty else { break }
        }
        #expect(crowd.violations.isEmpty, "seed \(seed): \(crowd.violations.prefix(3))")
        #expect(crowd.unexpectedReasons.isEmpty, "seed \(seed): \(crowd.unexpectedReasons)")
        #expect(crowd.framesSeen > 100, "seed \(seed): the room must have been played in")
        crowd.finish()
        #expect(crowd.violations.isEmpty, "seed \(seed), at the end: \(crowd.violations.prefix(3))")
        #expect(crowd.simulation.harness.engine.roomCount == 0)
        #expect(crowd.simulation.harness.engine.keptStateBytes == 0)
    }
}

/// Guests of one room on a bad network.
private struct RoomCrowd {
    private(set) var simulation: StreamSimulation<RoomEngine>
    private var guests: [RoomGuest] = []
    private var heard: [PeerID: Int] = [:]
    private var pausers: Set<PeerID> = []
    private var gone: [RoomGuest] = []
    private var random: RandomSource
    private var count = 0

    init(seed: UInt64) {
        random = .seeded(seed &* 0x9E37)
        var configuration = RoomConfiguration()
        configuration.maxGuests = 6
        simulation = StreamSimulation(
            RoomEngine(configuration: configuration, random: .seeded(seed)), seed: seed)
    }

    var violations: [String] { (guests + gone).flatMap(\.violations) }

    var framesSeen: UInt32 { (guests + gone).map(\.hostFrame).max() ?? 0 }

    var unexpectedReasons: [String] {
        // Time passes here in jumps, so a player can hold up the others without meaning to.
        let expected: Set = [
            "held_up", "peer_closed", "left", "room_full", "state_timeout", "paused_too_long",
            "no_savestate",
        ]
        return simulation.harness.closed.values.map(\.word).filter { !expected.contains($0) }
    }

    mutating func step() {
        simulation.step()
        exchange()
        act()
        exchange()
        checkRooms()
    }

    /// Everybody leaves, one after the other, and those who are left play on.
    mutating func finish() {
        while let guest = guests.randomElement(using: &random) {
            simulation.lose(guest.peer)
            for _ in 0..<20 {
                simulation.step()
                exchange()
                for player in guests { play(player) }
            }
            forgetTheGone()
        }
    }

    /// Lets one guest do what it likes; mostly it plays.
    private mutating func act() {
        forgetTheGone()
        if guests.isEmpty || guests.count < 6 && Int.random(in: 0..<40, using: &random) == 0 { return open() }
        guard let guest = guests.randomElement(using: &random), guest.sync != nil else { return }
        switch Int.random(in: 0..<400, using: &random) {
        case 0: simulation.lose(guest.peer)
        case 1: simulation.end(guest.peer)
        case 2: say(ByteBuffer(.disconnect, length: 0), guest)
        case 3...4 where guest.isPlaying: say(guest.spectate(), guest)
        case 5...10 where !guest.isPlaying:
            say(NetplayPlay(shareMode: 1, devices: UInt16.random(in: 0...3, using: &random)).encoded, guest)
        case 11: say(ByteBuffer(.requestSavestate, length: 0), guest)
        case 12: say(ByteBuffer(.reset, length: 4) { $0.writeInteger(guest.nextFrame) }, guest)
        case 13...14: togglePause(guest)
        case 15: say(ByteBuffer(.playerChat, length: 2) { $0.writeString("hi") }, guest)
        case 16:
            say(ByteBuffer(NetplayCommand(rawValue: 0x77), length: 300) { $0.writeRepeatingByte(1, count: 300) }, guest)
        default: for player in guests { play(player) }
        }
    }

    /// As RetroArch does: never far ahead of anybody, and not while the game is paused.
    private mutating func play(_ guest: RoomGuest) {
        guard guest.isPlaying, !guest.isPaused, !pausers.contains(guest.peer) else { return }
        let slowest = guest.players.values.map(\.frame).min().map { min($0, guest.hostFrame) } ?? guest.hostFrame
        guard guest.nextFrame < slowest + 40 else { return }
        say(guest.nextInput(), guest)
    }

    private mutating func togglePause(_ guest: RoomGuest) {
        guard guest.protocolVersion < 6 else { return }
        if pausers.remove(guest.peer) != nil {
            say(ByteBuffer(.resume, length: 0), guest)
        } else {
            pausers.insert(guest.peer)
            say(NetplayWaiting.pause(nick: guest.nick), guest)
        }
    }

    private mutating func open() {
        let peer = simulation.open()
        count += 1
        let isOld = Bool.random(using: &random)
        let guest = RoomGuest(
            peer, nick: "guest\(count % 4)", info: RoomParty.nestopia, protocolVersion: isOld ? 5 : 6,
            usesZlib: Bool.random(using: &random), words: 1)
        guests.append(guest)
        var opening = TunnelOpening.join(RoomParty.session).encoded
        NetplayHeader(compression: guest.usesZlib ? 1 : 0, salt: isOld ? 0 : 6, protocolVersion: 5).encode(
            into: &opening)
        say(opening, guest)
        if Int.random(in: 0..<4, using: &random) > 0 { guest.playsAtOnce = true }
    }

    private mutating func say(_ bytes: ByteBuffer, _ guest: RoomGuest) {
        guard simulation.harness.connected.contains(guest.peer) else { return }
        simulation.write(bytes.readableBytesView, from: guest.peer)
    }

    /// Hands the guests what has come for them, and takes what they say to it.
    private mutating func exchange() {
        for guest in guests {
            let received = simulation.clients[guest.peer]?.received ?? []
            let before = heard[guest.peer] ?? 0
            if received.count > before {
                heard[guest.peer] = received.count
                guest.hear(Array(received[before...]))
            }
            for message in guest.takeOutgoing() { say(message, guest) }
        }
    }

    private mutating func forgetTheGone() {
        let connected = simulation.harness.connected
        gone += guests.filter { !connected.contains($0.peer) }
        guests.removeAll { !connected.contains($0.peer) }
    }

    private func checkRooms() {
        let engine = simulation.harness.engine
        for (_, room) in engine.rooms.all {
            precondition(!room.isEmpty && room.guestCount <= 6)
            precondition(Set(room.members.map(\.client)).count == room.members.count)
            precondition(room.members.allSatisfy { $0.held.count <= RoomEngine.mostFramesAhead + 1 })
            precondition((room.pacemaker == nil) == room.players.isEmpty)
        }
        precondition(engine.guests.count == simulation.harness.connected.count)
    }
}
