import LANBridge
import NIOCore
import RelayCore
import Testing

/// Who may be in a room, who may not, and what the operator sees and does.
@Suite("LAN room security")
struct RelaySecurityTests {
    private static let c1: UInt64 = 0x024C_414E_0101
    private static let c2: UInt64 = 0x024C_414E_0102

    private static func closed(_ secrets: [String], only: Bool = false) -> LANBridgeConfiguration {
        var configuration = LANBridgeConfiguration()
        configuration.rooms["party"] = .init()
        configuration.rooms["party"]?.secrets = secrets
        configuration.requiresRegistration = only
        return configuration
    }

    private static func reject(_ refusal: HelloRefusal, _ addition: String = "") -> [ControlMessage] {
        [.reject(code: refusal.rawValue, sentence: refusal.sentence + addition)]
    }

    /// A broadcast of something no rule is about.
    private static func broadcast(from mac: UInt64) -> [UInt8] {
        [UInt8](repeating: 0xFF, count: 6) + (0..<6).map { UInt8(truncatingIfNeeded: mac >> UInt64(40 - 8 * $0)) }
            + [0x88, 0xB5] + [UInt8](repeating: 0, count: 46)
    }

    @Test(arguments: [
        ("floods", "Banned: floods"), ("", "Banned"),
        (String(repeating: "x", count: 100_000), "Banned: " + String(repeating: "x", count: 200)),
    ])
    func whoIsBannedIsToldSoAndWhy(reason: String, sentence: String) {
        var desk = RelayDesk()
        desk.engine.findBan = { address, naming, _ in
            address == IPAddress("192.0.2.9") && naming.room == "lan" ? .banned(reason: reason) : nil
        }
        let banned = desk.connect(from: "192.0.2.9")
        #expect(desk.closed[banned] == nil, "what it wants is not known yet")
        desk.hello(Self.c1, from: banned)
        #expect(desk.take(banned) == [.reject(code: "banned", sentence: sentence)])
        #expect(desk.closed[banned]?.word == "refused" && desk.engine.roomCount == 0)
        #expect(desk.events.map(\.reason) == ["banned"])
        let other = desk.join(Self.c1)
        #expect(desk.closed[other] == nil)
    }

    @Test func framesOfTheBannedGoNowhere() {
        var desk = RelayDesk()
        desk.engine.findBan = { address, _, _ in address == IPAddress("192.0.2.9") ? .banned(reason: "") : nil }
        let honest = desk.join(Self.c2)
        let banned = desk.connect(from: "192.0.2.9")
        let frame = Self.broadcast(from: Self.c1)
        desk.send(RelayDesk.bytes(OverlayHeader(whole: frame.count)) + frame, from: banned)
        #expect(desk.takeFrames(honest).isEmpty)
        desk.advance(by: .seconds(10))
        #expect(desk.closed[banned]?.word == "no_hello")
    }

    @Test func whereOnlySomeRoomsAreTheirNamesCannotBeGuessed() {
        var desk = RelayDesk(Self.closed([], only: true))
        for number in 0..<12 {
            let peer = desk.join(Self.c1, room: "guess\(number)")
            #expect(desk.take(peer) == Self.reject(number < 10 ? .unknownRoom : .tooManyFailures))
        }
        let barred = desk.join(Self.c1, room: "party")
        #expect(desk.take(barred) == Self.reject(.tooManyFailures))
        let elsewhere = desk.join(Self.c1, room: "party", from: "198.51.100.7")
        #expect(desk.closed[elsewhere] == nil)
    }

    @Test func aGuestIsNoGateway() {
        var configuration = Self.closed(["guest"])
        configuration.rooms["party"]?.gatewaySecret = "host"
        var desk = RelayDesk(configuration)
        let guest = desk.join(Self.c1, room: "party", password: "guest")
        #expect(desk.closed[guest] == nil)
        for said in ["guest", "", nil] {
            let impostor = desk.join(9, room: "party", role: .gateway, password: said, from: "198.51.100.7")
            #expect(desk.take(impostor) == Self.reject(.wrongPassword))
        }
        #expect(desk.take(desk.join(Self.c2, room: "party", password: "host")) == Self.reject(.wrongPassword))
        let gateway = desk.join(9, room: "party", role: .gateway, password: "host")
        #expect(desk.closed[gateway] == nil)
    }

    @Test func aNewPasswordIsForWhoComesAfterIt() {
        var desk = RelayDesk(Self.closed(["old"]))
        let first = desk.join(Self.c1, room: "party", password: "old")
        desk.engine.reconfigure(Self.closed(["new", "token"]))
        #expect(desk.closed[first] == nil, "who is in stays in")
        let late = desk.join(Self.c2, room: "party", password: "old")
        #expect(desk.take(late) == Self.reject(.wrongPassword))
        let told = desk.join(Self.c2, room: "party", password: "token")
        #expect(desk.closed[told] == nil)
    }

    @Test func aRoomIsIsolatedAtOnce() {
        var desk = RelayDesk(Self.closed([]))
        let first = desk.join(Self.c1, room: "party")
        let second = desk.join(Self.c2, room: "party")
        desk.send(frame: Self.broadcast(from: Self.c1), from: first)
        #expect(desk.takeFrames(second).count == 1)
        var configuration = Self.closed([])
        configuration.rooms["party"]?.isIsolated = true
        configuration.limits.broadcast = .init(perSecond: 1, burst: 1)
        desk.engine.reconfigure(configuration)
        desk.advance(by: .seconds(1))
        let gateway = desk.join(1, room: "party", role: .gateway)
        for _ in 0..<3 { desk.send(frame: Self.broadcast(from: Self.c1), from: first) }
        #expect(desk.takeFrames(second).isEmpty && desk.takeFrames(gateway).count == 1)
        #expect(desk.engine.drops(of: first) == [.rateBroadcast: 2])
    }

    @Test func aDrainLetsNobodyInButWhoWasThere() {
        var desk = RelayDesk()
        func come(_ mac: UInt64, key: String) -> PeerID {
            let peer = desk.connect()
            var hello = ControlMessage.Hello(role: .client, room: "lan", mac: MACAddress(bits: mac), datagram: 1412)
            hello.key = key
            desk.say(.hello(hello), from: peer)
            return peer
        }
        let before = come(Self.c1, key: "mine")
        desk.engine.drain()
        #expect(desk.take(come(Self.c2, key: "other")) == Self.reject(.draining))
        #expect(desk.take(come(Self.c1, key: "not mine")) == Self.reject(.draining))
        let again = come(Self.c1, key: "mine")
        #expect(desk.closed[again] == nil && desk.closed[before]?.word == "replaced")
    }

    @Test func whoSaysTooMuchIsPartedFrom() {
        var desk = RelayDesk()
        let other = desk.join(Self.c2)
        let peer = desk.join(Self.c1)
        for _ in 0..<98 { desk.say(.unknown("later"), from: peer) }
        #expect(desk.closed[peer] == nil)
        for _ in 0..<4 { desk.say(.unknown("later"), from: peer) }
        #expect(desk.closed[peer]?.word == "control_flood" && desk.closed[other] == nil)
        // What an end says each second, for as long as it likes.
        for _ in 0..<1000 {
            desk.advance(by: .seconds(1))
            desk.say(.getStats, from: other)
        }
        #expect(desk.closed[other] == nil)
    }

    @Test func theOperatorSeesWhatEachPeerSent() throws {
        var desk = RelayDesk()
        let first = desk.join(Self.c1)
        let second = desk.join(Self.c2)
        desk.send(frame: Self.broadcast(from: Self.c1), from: first)
        desk.send(frame: Self.broadcast(from: Self.c2), from: first)
        desk.send(frame: Self.broadcast(from: Self.c2), from: first)
        let room = try #require(
            desk.engine.snapshots(at: desk.now) { $0 == first ? .milliseconds(25) : nil }.first)
        let traffic = Dictionary(uniqueKeysWithValues: room.peers.map { ($0.peer, $0.traffic) })
        var sender = PeerTraffic()
        sender.framesReceived = 3
        sender.bytesReceived = 3 * (60 + 8)
        sender.dropped = ["mac-spoof": 2]
        sender.roundTripSeconds = 0.025
        #expect(traffic["\(first)"] == sender)
        var receiver = PeerTraffic()
        receiver.framesSent = 1
        receiver.bytesSent = 60
        #expect(traffic["\(second)"] == receiver)
    }
}
