import LANBridge
import NIOCore
import RelayCore
import RelayTesting
import Testing

@Suite("LAN relay")
struct RelayTests {
    private static let c1: UInt64 = 0x024C_414E_0101
    private static let c2: UInt64 = 0x024C_414E_0102
    private static let gw: UInt64 = 0x024C_414E_0002

    /// A broadcast of `length` bytes that no game would mind.
    private func broadcast(from mac: UInt64, length: Int = 60) -> [UInt8] {
        [UInt8](repeating: 0xFF, count: 6) + (0..<6).map { UInt8(truncatingIfNeeded: mac >> UInt64(40 - 8 * $0)) }
            + [0x88, 0xB5] + (14..<length).map { UInt8(truncatingIfNeeded: $0) }
    }

    @Test func everybodyHearsWhoComesAndGoes() {
        var desk = RelayDesk()
        let gateway = desk.join(Self.gw, role: .gateway)
        #expect(
            desk.take(gateway) == [
                .welcome(.init(peer: 1, mtu: 1500, tapMTU: 1390, hasGateway: true, isIsolated: false))
            ])
        let first = desk.join(Self.c1, datagram: 1310)
        let gatewayNotice = ControlMessage.PeerNotice(peer: 1, role: .gateway, mac: MACAddress(bits: Self.gw), name: "")
        #expect(
            desk.take(first) == [
                .welcome(.init(peer: 2, mtu: 1500, tapMTU: 1288, hasGateway: true, isIsolated: false)),
                .peerJoined(gatewayNotice),
            ])
        let notice = ControlMessage.PeerNotice(peer: 2, role: .client, mac: MACAddress(bits: Self.c1), name: "")
        #expect(desk.take(gateway) == [.peerJoined(notice)])
        desk.disconnect(first)
        #expect(desk.take(gateway) == [.peerLeft(peer: 2, reason: "connection_lost")])
        desk.say(.disconnect(code: "left", sentence: ""), from: gateway)
        #expect(desk.engine.roomCount == 0 && desk.engine.memberCount == 0)
    }

    @Test func framesGoToOthersAndNeverBack() {
        var desk = RelayDesk()
        let gateway = desk.join(Self.gw, role: .gateway)
        let first = desk.join(Self.c1)
        let second = desk.join(Self.c2)
        let frame = broadcast(from: Self.c1)
        desk.send(frame: frame, from: first)
        #expect(desk.takeFrames(gateway) == [frame] && desk.takeFrames(second) == [frame])
        #expect(desk.takeFrames(first) == [])
        let fromLAN = broadcast(from: 0x024C_414E_00FE)
        desk.send(frame: fromLAN, from: gateway)
        #expect(desk.takeFrames(first) == [fromLAN] && desk.takeFrames(second) == [fromLAN])
        #expect(desk.takeFrames(gateway) == [])
    }

    @Test func aFullFrameCrossesInTwoDatagramsWhateverTheirSizes() {
        var desk = RelayDesk()
        let gateway = desk.join(Self.gw, role: .gateway, datagram: 1168)
        let first = desk.join(Self.c1)
        let second = desk.join(Self.c2, datagram: 1600)
        let frame = broadcast(from: Self.c1, length: 1514)
        desk.send(frame: frame, from: first, cut: 1404)
        #expect(desk.takeFrames(gateway) == [frame] && desk.takeFrames(second) == [frame])
        #expect(desk.parts == 2, "only the gateway's datagrams are too small")
        desk.send(frame: broadcast(from: Self.c2, length: 1514), from: second)
        #expect(desk.takeFrames(first).count == 1 && desk.parts == 6)
    }

    @Test func roomsHearNothingOfEachOther() {
        var desk = RelayDesk()
        let rooms = (0..<10).map { room in
            [desk.join(Self.c1, room: "r\(room)"), desk.join(Self.c2, room: "r\(room)")]
        }
        for room in rooms { desk.send(frame: broadcast(from: Self.c1), from: room[0]) }
        for room in rooms {
            #expect(desk.takeFrames(room[0]).isEmpty && desk.takeFrames(room[1]).count == 1)
        }
    }

    @Test func playersOfAnIsolatedRoomSeeTheLANOnly() {
        var configuration = LANBridgeConfiguration()
        configuration.rooms["lan"] = .init()
        configuration.rooms["lan"]?.isIsolated = true
        var desk = RelayDesk(configuration)
        let gateway = desk.join(Self.gw, role: .gateway)
        let first = desk.join(Self.c1)
        let second = desk.join(Self.c2)
        desk.send(frame: broadcast(from: Self.c1), from: first)
        #expect(desk.takeFrames(gateway).count == 1 && desk.takeFrames(second).isEmpty)
        var direct = broadcast(from: Self.c1)
        direct.replaceSubrange(0..<6, with: [0x02, 0x4C, 0x41, 0x4E, 0x01, 0x02])
        desk.send(frame: direct, from: first)
        #expect(desk.takeFrames(second).isEmpty && desk.engine.drops(of: first) == [.isolated: 1])
    }

    @Test func whoMayNotComeInIsToldWhy() {
        var configuration = LANBridgeConfiguration()
        configuration.maxClientsPerRoom = 2
        configuration.maxRooms = 2
        configuration.rooms["closed"] = .init()
        configuration.rooms["closed"]?.secrets = ["right", "token"]
        var desk = RelayDesk(configuration)
        func expect(_ peer: PeerID, _ refusal: HelloRefusal) {
            #expect(desk.take(peer) == [.reject(code: refusal.rawValue, sentence: refusal.sentence)])
            #expect(desk.closed[peer]?.word == "refused")
        }
        _ = desk.join(Self.gw, role: .gateway)
        expect(desk.join(9, role: .gateway), .gatewayPresent)
        expect(desk.join(Self.gw), .duplicateMAC)
        _ = desk.join(Self.c1)
        expect(desk.join(Self.c1), .duplicateMAC)
        _ = desk.join(Self.c2)
        expect(desk.join(7 << 41), .roomFull)
        expect(desk.join(0x0100_0000_0000, room: "x"), .badMAC)
        expect(desk.join(Self.c1, room: "no spaces"), .badRoom)
        expect(desk.join(Self.c1, room: "closed"), .wrongPassword)
        #expect(desk.engine.roomCount == 1, "a wrong password opens no room")
        expect(desk.join(Self.c1, room: "x", datagram: 700), .badBudget)
        _ = desk.join(Self.c1, room: "closed", password: "token")
        #expect(desk.engine.roomCount == 2)
        expect(desk.join(Self.c1, room: "third"), .serverFull)
        desk.engine.drain()
        expect(desk.join(Self.c2, room: "closed", password: "right"), .draining)
    }

    @Test func whoIsBannedIsToldWhy() {
        var desk = RelayDesk()
        desk.engine.findBan = { address, naming, _ in
            if address == IPAddress("192.0.2.9") { return .banned(reason: "address") }
            return naming.room == "bad" || naming.name == MACAddress(bits: Self.c2).description
                ? .banned(reason: "name") : nil
        }
        let address = desk.join(Self.c1, from: "192.0.2.9")
        #expect(desk.take(address) == [.reject(code: "banned", sentence: "Banned: address")])
        for peer in [desk.join(Self.c1, room: "bad"), desk.join(Self.c2)] {
            #expect(desk.take(peer) == [.reject(code: "banned", sentence: "Banned: name")])
            #expect(desk.closed[peer]?.word == "refused")
        }
        #expect(desk.engine.roomCount == 0 && desk.engine.memberCount == 0)
        let welcome = desk.join(Self.c1)
        #expect(desk.closed[welcome] == nil && desk.engine.roomCount == 1)
    }

    @Test func aDrainCanBeTakenBack() {
        var desk = RelayDesk()
        desk.engine.drain()
        let early = desk.join(Self.c1)
        #expect(desk.closed[early]?.word == "refused")
        desk.engine.endDrain()
        let late = desk.join(Self.c1)
        #expect(desk.closed[late] == nil)
    }

    @Test func guessingAPasswordEndsAfterTenTries() {
        var desk = RelayDesk()
        _ = desk.join(Self.gw, role: .gateway, password: "secret", from: "198.51.100.1")
        for index in 0..<20 {
            let peer = desk.join(Self.c1, password: "guess \(index)")
            let expected: HelloRefusal = index < 10 ? .wrongPassword : .tooManyFailures
            #expect(desk.take(peer) == [.reject(code: expected.rawValue, sentence: expected.sentence)])
        }
        let barred = desk.join(Self.c1, password: "secret")
        #expect(desk.closed[barred]?.word == "refused")
        let elsewhere = desk.join(Self.c1, password: "secret", from: "198.51.100.2")
        #expect(desk.closed[elsewhere] == nil)
        desk.advance(by: .seconds(600))
        let later = desk.join(Self.c2, password: "secret")
        #expect(desk.closed[later] == nil)
    }

    /// A household's failures count together; rooms that are open, and other households, are not concerned.
    @Test func aHouseholdHasOneBudget() {
        var configuration = LANBridgeConfiguration()
        configuration.rooms["closed"] = .init()
        configuration.rooms["closed"]?.secrets = ["right"]
        var desk = RelayDesk(configuration)
        for index in 0..<10 {
            let peer = desk.join(Self.c1, room: "closed", password: "no", from: "2001:db8:0:1::\(index + 1)")
            #expect(desk.take(peer) == [.reject(code: "wrong_password", sentence: HelloRefusal.wrongPassword.sentence)])
        }
        let neighbor = desk.join(Self.c1, room: "closed", password: "right", from: "2001:db8:0:1:ffff::1")
        #expect(
            desk.take(neighbor) == [.reject(code: "too_many_failures", sentence: HelloRefusal.tooManyFailures.sentence)]
        )
        let elsewhere = desk.join(Self.c1, room: "closed", password: "right", from: "2001:db8:0:2::1")
        #expect(desk.closed[elsewhere] == nil)
    }

    @Test func onlyRegisteredRoomsOpenIfTheOperatorSaysSo() {
        var configuration = LANBridgeConfiguration()
        configuration.requiresRegistration = true
        configuration.rooms["party"] = .init()
        var desk = RelayDesk(configuration)
        let stranger = desk.join(Self.c1, room: "mine")
        #expect(desk.take(stranger) == [.reject(code: "unknown_room", sentence: HelloRefusal.unknownRoom.sentence)])
        let player = desk.join(Self.c1, room: "party")
        #expect(desk.closed[player] == nil && desk.engine.roomCount == 1 && desk.engine.memberCount == 1)
        desk.disconnect(player)
        let again = desk.join(Self.c1, room: "party", password: "whatever")
        #expect(desk.closed[again] == nil, "its rules are the operator's, not those of whoever comes first")
        let other = desk.join(Self.c2, room: "party")
        #expect(desk.closed[other] == nil)
    }

    @Test func wrongWordsEndTheConnectionWithAReason() {
        var desk = RelayDesk()
        let cases: [(ByteBuffer, String)] = [
            (ByteBuffer(integer: UInt32(0)), "bad_control"), (ByteBuffer(integer: UInt32(16_385)), "bad_control"),
            (
                ControlMessage.welcome(.init(peer: 1, mtu: 1, tapMTU: 1, hasGateway: false, isIsolated: false)).frame(),
                "not_for_relays"
            ),
        ]
        for (bytes, word) in cases {
            let peer = desk.connect()
            desk.say(bytes, from: peer)
            #expect(desk.closed[peer]?.word == word)
            guard case .disconnect = desk.take(peer).last else { Issue.record("\(word) was not said"); continue }
        }
        let twice = desk.join(Self.c1)
        desk.say(
            .hello(.init(role: .client, room: "lan", mac: MACAddress(bits: Self.c2), datagram: 1412)), from: twice)
        #expect(desk.closed[twice]?.word == "second_hello")
        let silent = desk.connect()
        desk.advance(by: .seconds(10))
        #expect(desk.closed[silent]?.word == "no_hello")
        #expect(desk.engine.memberCount == 0)
    }

    @Test func theThousandthMalformedDatagramIsTheLast() {
        var desk = RelayDesk()
        let other = desk.join(Self.c2)
        let peer = desk.join(Self.c1)
        for _ in 0..<999 { desk.send([1, 2, 3], from: peer) }
        #expect(desk.closed[peer] == nil)
        let told = desk.events.filter { $0.name == "frame_dropped" }
        #expect(told.count == 1, "one a second and reason")
        desk.send([], from: peer)
        #expect(desk.closed[peer]?.word == "malformed" && desk.closed[other] == nil)
        let slow = desk.join(Self.c1)
        for _ in 0..<3 {
            for _ in 0..<999 { desk.send([1, 2, 3], from: slow) }
            desk.advance(by: .seconds(10))
        }
        #expect(desk.closed[slow] == nil, "the count begins anew every 10 seconds")
        let early = desk.connect()
        desk.send(RelayDesk.bytes(OverlayHeader(whole: 60)) + broadcast(from: 9), from: early)
        #expect(desk.takeFrames(other).isEmpty, "before the welcome nothing passes")
    }

    @Test func theOperatorPartsFromAPeer() {
        var desk = RelayDesk()
        let peer = desk.join(Self.c1)
        _ = desk.take(peer)
        let found = [desk.kick(peer), desk.kick(peer)]
        #expect(found == [true, false])
        #expect(desk.take(peer) == [.disconnect(code: "kicked", sentence: "Kicked")])
        _ = desk.join(Self.c2)
        desk.stop()
        #expect(desk.engine.memberCount == 0 && desk.engine.roomCount == 0)
    }

    @Test func twoHundredPlayersJoinAtOnceAndHearOfEachOther() {
        var desk = RelayDesk()
        let peers = (1...200).map { desk.join(0x024C_414E_0100 + UInt64($0), from: "192.0.2.\($0)") }
        let joined = peers.map { peer in
            desk.take(peer).count { if case .peerJoined = $0 { true } else { false } }
        }
        #expect(joined.allSatisfy { $0 == 199 })
        desk.send(frame: broadcast(from: 0x024C_414E_0101), from: peers[0])
        #expect(peers.dropFirst().allSatisfy { desk.frames[$0]?.count == 1 })
        for peer in peers { desk.disconnect(peer) }
        #expect(desk.engine.memberCount == 0 && desk.engine.roomCount == 0)
    }

    /// Somebody comes, speaks and goes every 10 seconds for 24 hours.
    @Test func aDayLeavesNothingBehind() {
        var desk = RelayDesk()
        let gateway = desk.join(Self.gw, role: .gateway)
        for round in 0..<8640 {
            let mac = 0x0200_0000_0000 + UInt64(round)
            let peer = desk.join(mac)
            desk.send(frame: broadcast(from: mac), from: peer)
            desk.advance(by: .seconds(10))
            desk.disconnect(peer)
            _ = (desk.take(peer), desk.take(gateway), desk.takeFrames(gateway))
        }
        #expect(desk.engine.memberCount == 1 && desk.engine.roomCount == 1 && desk.engine.undeliverable == 0)
    }
}
