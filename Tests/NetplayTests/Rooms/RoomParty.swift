import Crypto
import Foundation
import NIOCore
import RelayCore
import RelayTesting

@testable import Netplay

/// Guests of one engine, in virtual time.
struct RoomParty {
    static let session = TunnelID(high: 0x0102_0304_0506_0708, low: 9)
    static let nestopia = NetplayInfo(contentCRC: 0xB060_6C41, coreName: "Nestopia", coreVersion: "1.52.0")

    var harness: EngineHarness<RoomEngine>
    private(set) var guests: [RoomGuest] = []
    private let wordsPerDevice: Int

    init(_ change: (inout RoomConfiguration) -> Void = { _ in }) {
        var configuration = RoomConfiguration()
        change(&configuration)
        wordsPerDevice = configuration.device.words
        harness = EngineHarness(RoomEngine(configuration: configuration, random: .seeded(1)))
    }

    /// A guest that has said its header.
    mutating func arrive(
        _ nick: String, session: TunnelID? = RoomParty.session, protocolVersion: UInt32 = 6, zlib: Bool = true,
        info: NetplayInfo = RoomParty.nestopia, password: String = "", from address: String = "127.0.0.1"
    ) -> RoomGuest {
        let peer = harness.connect(from: address)
        let guest = RoomGuest(
            peer, nick: nick, info: info, protocolVersion: protocolVersion, usesZlib: zlib, words: wordsPerDevice)
        guest.password = password
        guests.append(guest)
        let header = NetplayHeader(
            platform: 0x0004_0008, compression: zlib ? 1 : 0, salt: protocolVersion >= 6 ? protocolVersion : 0,
            protocolVersion: 5, implementation: 0x469)
        var opening = session.map { TunnelOpening.join($0).encoded } ?? ByteBuffer()
        header.encode(into: &opening)
        harness.receive(opening, from: peer)
        return guest
    }

    /// A guest that has come in.
    mutating func join(
        _ nick: String, session: TunnelID? = RoomParty.session, protocolVersion: UInt32 = 6, zlib: Bool = true,
        info: NetplayInfo = RoomParty.nestopia, password: String = "", from address: String = "127.0.0.1"
    ) -> RoomGuest {
        let guest = arrive(
            nick, session: session, protocolVersion: protocolVersion, zlib: zlib, info: info, password: password,
            from: address)
        settle()
        return guest
    }

    /// A guest that has come in and plays, if that can be.
    mutating func player(_ nick: String, protocolVersion: UInt32 = 6, zlib: Bool = true) -> RoomGuest {
        let guest = join(nick, protocolVersion: protocolVersion, zlib: zlib)
        say(NetplayPlay().encoded, guest)
        return guest
    }

    /// Lets a guest say something, and everybody what follows from it.
    mutating func say(_ bytes: ByteBuffer, _ guest: RoomGuest) {
        if harness.connected.contains(guest.peer) { harness.receive(bytes, from: guest.peer) }
        settle()
    }

    mutating func say(_ command: NetplayCommand, _ guest: RoomGuest) {
        say(ByteBuffer(command, length: 0), guest)
    }

    /// Lets each of them play some frames, in turns.
    mutating func play(_ guests: RoomGuest..., frames: Int) {
        for _ in 0..<frames {
            for guest in guests { say(guest.nextInput(), guest) }
        }
    }

    mutating func leave(_ guest: RoomGuest) {
        harness.disconnect(guest.peer)
        settle()
    }

    mutating func advance(by duration: Duration) {
        var rest = duration
        while rest > .zero {
            harness.advance(by: min(rest, .milliseconds(500)))
            rest -= .milliseconds(500)
            settle()
        }
    }

    /// Lets everything said arrive, both ways, until nobody has anything to add.
    mutating func settle() {
        var isQuiet = false
        while !isQuiet {
            isQuiet = true
            for guest in guests {
                guest.hear(harness.take(guest.peer))
                for message in guest.takeOutgoing() where harness.connected.contains(guest.peer) {
                    harness.receive(message, from: guest.peer)
                    isQuiet = false
                }
            }
        }
    }

    func reason(_ guest: RoomGuest) -> String? { harness.closed[guest.peer]?.word }

    func isIn(_ guest: RoomGuest) -> Bool { harness.connected.contains(guest.peer) }

    func events(_ name: String) -> Int { harness.events.count { $0.name == name } }

    var violations: [String] { guests.flatMap(\.violations) }
}

/// The hash in lower-case hexadecimal digits.
func sha256(_ text: String) -> String {
    SHA256.hash(data: Data(text.utf8)).map { String(format: "%02x", $0) }.joined()
}
