import NIOCore
import RelayCore
import RelayTesting
import Testing

@testable import Netplay

@Suite("Rooms: handshake")
struct RoomHandshakeTests {
    @Test func firstGuestOpensTheRoomAndIsAskedWhatItPlays() throws {
        var party = RoomParty()
        let guest = party.join("ann")
        #expect(guest.header?.protocolVersion == 6)
        #expect(guest.header?.salt == 0)
        #expect(guest.header?.compression == 1)
        #expect(try NetplayNick.decode(#require(guest.said(.nick).first)).text == "Baton")
        #expect(guest.said(.info).map(\.readableBytes) == [0, 68])
        #expect(try guest.said(.info).last.map(NetplayInfo.decode) == RoomParty.nestopia)
        let sync = try #require(guest.sync)
        #expect(sync.client == 1)
        #expect(sync.nick == "ann")
        #expect(sync.deviceTypes == Array(repeating: 1, count: 16))
        #expect(guest.said(.settingAllowPausing).count == 1)
        #expect(guest.said(.settingInputLatencyFrames).count == 1)
        #expect(party.harness.engine.roomCount == 1)
        let room = try #require(party.harness.engine.rooms(at: party.harness.now).first)
        #expect(room.id == "AQIDBAUGBwgAAAAJ")
        #expect(room.peers.map(\.name) == ["ann"])
        #expect(room.peers.map(\.role) == ["spectator"])
        party.say(NetplayPlay().encoded, guest)
        #expect(party.harness.engine.rooms(at: party.harness.now).first?.peers.map(\.role) == ["player 1"])
        #expect(party.violations.isEmpty)
    }

    @Test func laterGuestIsToldWhatIsPlayed() {
        var party = RoomParty()
        _ = party.player("ann")
        let bob = party.join("bob")
        #expect(bob.said(.info).map(\.readableBytes) == [68])
        #expect(bob.sync?.deviceClients.first == 0b10)
    }

    @Test func everythingMayComeByteByByte() {
        var party = RoomParty()
        _ = party.player("ann")
        let peer = party.harness.connect()
        var said: [UInt8] = []
        var bytes = TunnelOpening.join(RoomParty.session).encoded
        NetplayHeader(compression: 1, salt: 6, protocolVersion: 5).encode(into: &bytes)
        bytes.writeImmutableBuffer(NetplayNick("bob").encoded)
        bytes.writeImmutableBuffer(RoomParty.nestopia.encoded)
        bytes.writeImmutableBuffer(NetplayPlay().encoded)
        for byte in bytes.readableBytesView {
            party.harness.receive([byte], from: peer)
            said += party.harness.take(peer)
        }
        #expect(said.count > 24 + 40 + 76 + 192)
        #expect(party.harness.connected.contains(peer))
        #expect(party.harness.engine.rooms(at: .zero).first?.peers.map(\.role) == ["player 1", "waiting to play"])
    }

    @Test func recordedGuestsComeInAndPlay() throws {
        let capture = try Fixtures.load(Capture.self, from: "netplay/session_capture.json")
        var party = RoomParty()
        let guests = capture.connections.filter {
            $0.saidFirst("RATS") && !$0.saidFirst("RATS" + String(repeating: "\0", count: 12))
        }
        #expect(guests.count == 2)
        for guest in guests {
            // What a guest of a real host said, up to its wish to play; its tunnel's session is a room here.
            let stream = guest.up
            let play = try #require(stream.firstRange(of: NetplayPlay().encoded.readableBytesView))
            let peer = party.harness.connect()
            party.harness.receive(stream[..<play.lowerBound], from: peer)
            // The first one is asked twice what it plays.
            if guest.number == guests[0].number {
                party.harness.receive(RoomParty.nestopia.encoded, from: peer)
            }
            party.harness.receive(stream[play], from: peer)
            #expect(party.harness.connected.contains(peer), "\(party.harness.closed)")
        }
        #expect(party.events("guest_playing") >= 1)
        #expect(party.events("guest_joined") == 2)
    }

    @Test(arguments: [
        (0, 4, 0), (0, 5, 5), (5, 5, 5), (6, 5, 6), (7, 5, 6), (7, 6, 6), (0, 6, 6), (9, 7, 6), (4, 3, 0),
    ])
    func protocolIsChosenAsAHostDoes(highest: UInt32, lowest: UInt32, chosen: UInt32) throws {
        var party = RoomParty()
        let peer = party.harness.connect()
        var bytes = ByteBuffer()
        NetplayHeader(compression: 1, salt: highest, protocolVersion: lowest).encode(into: &bytes)
        party.harness.receive(bytes, from: peer)
        var reply = ByteBuffer(bytes: party.harness.take(peer))
        #expect(try NetplayHeader.decode(from: &reply)?.protocolVersion == chosen)
        #expect(party.harness.closed[peer]?.word == (chosen == 0 ? "protocol_too_old" : nil))
    }

    @Test func hostIsSilentUntilTheHeaderCame() {
        var party = RoomParty()
        let peer = party.harness.connect()
        party.harness.receive(TunnelOpening.join(RoomParty.session).encoded, from: peer)
        party.harness.receive(Array("RANP".utf8), from: peer)
        #expect(party.harness.take(peer).isEmpty)
        #expect(party.harness.connected.contains(peer))
    }

    @Test(arguments: [nil, RoomParty.session])
    func pokeIsAnswered(session: TunnelID?) throws {
        var party = RoomParty()
        let peer = party.harness.connect()
        var bytes = session.map { TunnelOpening.join($0).encoded } ?? ByteBuffer()
        bytes.writeInteger(NetplayHeader.poke)
        party.harness.receive(bytes, from: peer)
        var reply = ByteBuffer(bytes: party.harness.take(peer))
        let header = try #require(try NetplayHeader.decode(from: &reply))
        #expect(header.magic == .netplay)
        #expect(header.protocolVersion == 6)
        #expect(party.harness.closed[peer]?.word == "poked")
        #expect(party.harness.engine.roomCount == 0)
    }

    @Test(arguments: ["GET / HTTP/1.1\r\n", "FULL", "RATA", "RATL000000000000", "RATS\0\0\0\0\0\0\0\0\0\0\0\0", "RATP"])
    func strangersAreClosed(_ text: String) {
        var party = RoomParty()
        let peer = party.harness.connect()
        party.harness.receive(Array(text.utf8) + [UInt8](repeating: 0, count: 24), from: peer)
        #expect(party.harness.closed[peer]?.word == "not_netplay")
        #expect(party.harness.take(peer).isEmpty)
    }

    @Test func passwordIsWantedWithItsOwnSalt() throws {
        var party = RoomParty { $0.password = "sesame" }
        let ann = party.join("ann", password: "sesame")
        let old = party.join("old", protocolVersion: 5, password: "sesame")
        #expect(ann.sync != nil && old.sync != nil)
        let salts = Set([ann.header?.salt, old.header?.salt])
        #expect(salts.count == 2 && !salts.contains(0))
        for wrong in ["", "Sesame", "sesame "] {
            let eve = party.join("eve", password: wrong)
            #expect(party.reason(eve) == "wrong_password")
            #expect(eve.said(.info).isEmpty)
        }
    }

    @Test func passwordVector() throws {
        let vectors = try Fixtures.load(WireTests.VectorFile.self, from: "netplay/wire.json").vectors
        let hex = try #require(vectors.first { $0.name == "netplay_password" }).hex
        let message = try #require(bytes(hex: hex))
        let said = try NetplayPassword.decode(ByteBuffer(bytes: message.dropFirst(8)))
        #expect(said.matches("geheim", salt: 0x9825_4346))
        #expect(!said.matches("geheim", salt: 0x9825_4347))
        #expect(!said.matches("Geheim", salt: 0x9825_4346))
    }

    @Test func nicksThatClashGetANumber() {
        var party = RoomParty()
        let nicks = ["ann", "ann", "ann", "Baton", ""].map { party.join($0).sync?.nick }
        #expect(nicks == ["ann", "ann (2)", "ann (3)", "Baton (2)", "Anonymous"])
        let long = String(repeating: "ä", count: 15)
        _ = party.join(long)
        let second = party.join(long).sync?.nick
        #expect(second == String(repeating: "ä", count: 13) + " (2)")
    }

    @Test func onlyTheCoresNameMustMatch() {
        var party = RoomParty()
        _ = party.player("ann")
        let other = NetplayInfo(contentCRC: 1, coreName: "NESTOPIA", coreVersion: "9")
        #expect(party.join("bob", info: other).sync != nil)
        let wrong = NetplayInfo(contentCRC: 0xB060_6C41, coreName: "Snes9x", coreVersion: "1.52.0")
        let eve = party.join("eve", info: wrong)
        #expect(party.reason(eve) == "other_core")
    }

    @Test func withoutAnIdThoseMeetWhoPlayTheSame() {
        var party = RoomParty()
        let ann = party.join("ann", session: nil)
        let upper = NetplayInfo(contentCRC: 0xB060_6C41, coreName: "NESTOPIA", coreVersion: "2")
        let bob = party.join("bob", session: nil, info: upper)
        let other = NetplayInfo(contentCRC: 5, coreName: "Nestopia", coreVersion: "1.52.0")
        let eve = party.join("eve", session: nil, info: other)
        #expect([ann, bob, eve].map(\.client) == [1, 2, 1])
        #expect(Set(party.harness.engine.rooms(at: .zero).map(\.id)) == ["nestopia/B0606C41", "nestopia/00000005"])
    }

    @Test func fullRoomAndFullServerSayFull() {
        var party = RoomParty {
            $0.maxGuests = 2
            $0.maxRooms = 1
        }
        _ = party.join("ann")
        _ = party.join("bob")
        let eve = party.join("eve")
        #expect(eve.header?.magic == .full)
        #expect(party.reason(eve) == "room_full")
        let zoe = party.join("zoe", session: TunnelID(high: 1, low: 1))
        #expect(zoe.header?.magic == .full)
        #expect(party.reason(zoe) == "rooms_full")
        let old = party.join("old", session: nil)
        #expect(party.reason(old) == "rooms_full")
    }

    @Test func refusedAddressesAreToldInAHeader() throws {
        var engine = RoomEngine(configuration: RoomConfiguration())
        for (refusal, magic) in [(Admission.Refusal.banned, NetplayHeader.Magic.denied), (.serverFull, .full)] {
            let answer = engine.words(for: refusal, because: "")
            var words = try #require(answer)
            #expect(try NetplayHeader.decode(from: &words)?.magic == magic)
            #expect(words.readableBytes == 0)
        }
    }

    @Test func drainTakesNoNewRooms() {
        var party = RoomParty()
        _ = party.player("ann")
        party.harness.beginDrain()
        #expect(party.join("bob").sync != nil)
        let eve = party.join("eve", session: nil)
        #expect(party.reason(eve) == "server_draining")
        let zoe = party.join("zoe", session: TunnelID(high: 1, low: 1))
        #expect(zoe.header?.magic == .full)
        #expect(party.reason(zoe) == "server_draining")
    }

    @Test func slowHandshakeEnds() {
        var party = RoomParty { $0.handshakeTimeout = .seconds(60) }
        let silent = party.harness.connect()
        let half = party.arrive("half")
        party.harness.advance(by: .seconds(59))
        #expect(party.harness.connected.contains(silent) && party.isIn(half))
        party.harness.advance(by: .seconds(1))
        #expect(party.harness.closed[silent]?.word == "handshake_timeout")
        #expect(party.reason(half) == "handshake_timeout")
        #expect(party.harness.engine.roomCount == 0)
        #expect(party.harness.engine.nextDeadline == nil)
    }

    @Test func handshakeKeepsItsOrder() {
        var party = RoomParty()
        for early in [NetplayPlay().encoded, RoomParty.nestopia.encoded, ByteBuffer(.requestSavestate, length: 0)] {
            let guest = party.arrive("eve")
            party.harness.receive(early, from: guest.peer)
            #expect(party.reason(guest) == "out_of_order")
        }
    }

    @Test func analogDevicesHaveThreeWords() {
        var party = RoomParty { $0.device = .analog }
        let (ann, bob) = (party.player("ann"), party.player("bob"))
        #expect(ann.sync?.deviceTypes == Array(repeating: 5, count: 16))
        party.play(ann, bob, frames: 5)
        #expect(bob.inputs.count >= 5)
        #expect(party.violations.isEmpty)
    }
}

private struct Capture: Decodable {
    struct Connection: Decodable {
        enum Part: Decodable {
            case number(Double)
            case text(String)

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let number = try? container.decode(Double.self) {
                    self = .number(number)
                } else {
                    self = .text(try container.decode(String.self))
                }
            }
        }

        var number: Int
        var events: [[Part]]

        enum CodingKeys: String, CodingKey {
            case number = "n"
            case events
        }

        /// All that the RetroArch said.
        var up: [UInt8] {
            events.flatMap { event -> [UInt8] in
                guard case .text("up") = event[1], case .text(let hex) = event[2] else { return [] }
                return bytes(hex: hex) ?? []
            }
        }

        func saidFirst(_ text: String) -> Bool { up.starts(with: Array(text.utf8)) }
    }

    var connections: [Connection]
}
