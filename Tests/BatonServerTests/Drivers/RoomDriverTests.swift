import NIOCore
import Netplay
import RelayCore
import Testing

@testable import BatonServer

@Suite("Rooms over sockets", .timeLimit(.minutes(5)))
struct RoomDriverTests {
    private static let stateSize = 8 << 20

    @Test(arguments: ["127.0.0.1", "::1"])
    func twoPlayAndOneLeaves(_ address: String) async throws {
        try await Self.withRooms(address: address) { rooms in
            let ann = try await RoomClient.join(rooms)
            try await ann.play(frames: 3)
            let bob = try await RoomClient.join(rooms, stateFrom: ann)
            try await bob.expect(.input, .noInput) { try await ann.play(frames: 1, readsAnswer: false) }
            try await ann.client.close()
            _ = try await bob.next(.mode)
            try await bob.play(frames: 1, from: 3, readsAnswer: false)
            try await bob.play(frames: 3)
            try await bob.client.close()
            try await rooms.until { $0.peers == 0 && $0.rooms == 0 }
        }
    }

    /// He has half of a savestate, and the other half and all that comes after it wait for him.
    @Test func guestThatStopsReadingInMidSavestateHoldsUpNobody() async throws {
        try await Self.withRooms { rooms in
            let ann = try await RoomClient.join(rooms)
            try await ann.play(frames: 3)
            let stalled = try await RoomClient.join(rooms, playing: false)
            try await stalled.client.setReading(false)
            try await ann.giveState(size: Self.stateSize)
            // A guest who came before it is shared would get the same one, and ann not be asked again.
            try await rooms.until { $0.counters.events["state_shared"] == 1 }
            let bob = try await RoomClient.join(rooms, stateFrom: ann, size: Self.stateSize)
            var frame = try await bob.frame(after: .mode)
            for _ in 0..<200 {
                try await ann.play(frames: 1, readsAnswer: false)
                _ = try await bob.next(.input)
                _ = try await bob.next(.noInput)
                frame += 1
            }
            #expect(try await rooms.relay.status().queuedBytes < Self.stateSize + 4 << 20)
            // More than one state is not kept for him.
            for _ in 0..<3 {
                try await bob.say(.requestSavestate)
                try await ann.giveState(size: Self.stateSize)
                _ = try await bob.next(.loadSavestate)
            }
            try await rooms.until { $0.counters.closed["slow_reader"] == 1 }
            #expect(try await rooms.relay.status().peers == 2)
            try await ann.play(frames: 1, readsAnswer: false)
            _ = try await bob.next(.input)
            for guest in [ann, bob, stalled] { try? await guest.client.close() }
        }
    }

    @Test func bannedAddressIsToldSo() async throws {
        let bans = BanList([.init(prefix: IPPrefix(IPAddress(ipv4: 0x7F00_0001)), until: nil, reason: "")])
        try await Loopback<RoomEngine>.with(bans: bans, makeEngine: { RoomEngine(configuration: .init()) }) { rooms in
            let client = try await rooms.connect()
            #expect(
                try await client.readToEnd() == Array("DENY".utf8) + [
                    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0,
                ])
        }
    }

    private static func withRooms(
        address: String = "127.0.0.1", _ body: (Loopback<RoomEngine>) async throws -> Void
    ) async throws {
        var configuration = RoomConfiguration()
        configuration.maxStateBytes = stateSize
        // How fast these guests are depends on what else the machine does.
        (configuration.stallTimeout, configuration.statePatience) = (.seconds(1000), .seconds(1000))
        (configuration.stateTimeout, configuration.handshakeTimeout) = (.seconds(1000), .seconds(1000))
        var settings = RoomService.settings(maxStateBytes: stateSize)
        settings.userTimeout = .seconds(1000)
        try await Loopback.with(
            settings: settings, address: address,
            makeEngine: { [configuration] in RoomEngine(configuration: configuration) },
            body)
    }
}

/// A guest of protocol 5 without zlib: it has no pings and takes states as they are.
private final class RoomClient {
    let client: TestClient
    private var nextFrame: UInt32 = 0

    private init(_ client: TestClient) {
        self.client = client
    }

    /// A guest that is in; one that plays, unless told otherwise.
    ///
    /// - Parameter giver: who is asked for a state, and gives it.
    static func join(
        _ rooms: Loopback<RoomEngine>, playing: Bool = true, stateFrom giver: RoomClient? = nil, size: Int = 100
    ) async throws -> RoomClient {
        let guest = RoomClient(try await rooms.connect())
        var opening = ByteBuffer()
        NetplayHeader(protocolVersion: 5).encode(into: &opening)
        opening.writeImmutableBuffer(NetplayNick("guest").encoded)
        try await guest.send(opening)
        _ = try await guest.client.read(NetplayHeader.size)
        let info = NetplayInfo(contentCRC: 1, coreName: "core", coreVersion: "1").encoded
        _ = try await guest.next(.nick)
        var told = try await guest.next(.info)
        try await guest.send(info)
        if told.readableBytes == 0 {
            told = try await guest.next(.info)
            try await guest.send(info)
        }
        _ = try await guest.next(.sync)
        guard playing else { return guest }
        try await guest.send(NetplayPlay().encoded)
        if let giver {
            try await giver.giveState(size: size)
            _ = try await guest.next(.loadSavestate)
        } else {
            guest.nextFrame = try await guest.frame(after: .mode)
        }
        return guest
    }

    func send(_ bytes: ByteBuffer) async throws {
        try await client.send(Array(bytes.readableBytesView))
    }

    func say(_ command: NetplayCommand) async throws {
        var bytes = ByteBuffer()
        bytes.writeMultipleIntegers(command.rawValue, UInt32(0))
        try await send(bytes)
    }

    /// The payload of the next such command; others before it are passed over.
    func next(_ wanted: NetplayCommand) async throws -> ByteBuffer {
        while true {
            var head = ByteBuffer(bytes: try await client.read(8))
            let words = head.readMultipleIntegers(as: (UInt32, UInt32).self)
            let (word, size) = try #require(words)
            let payload = ByteBuffer(bytes: try await client.read(Int(size)))
            if word == wanted.rawValue { return payload }
        }
    }

    /// The frame that the next such command names.
    func frame(after wanted: NetplayCommand) async throws -> UInt32 {
        try #require(try await next(wanted).getInteger(at: 0))
    }

    func expect(_ commands: NetplayCommand..., after body: () async throws -> Void) async throws {
        try await body()
        for command in commands { _ = try await next(command) }
    }

    /// Says its input for some frames, and reads that they are over.
    func play(frames: Int, from first: UInt32? = nil, readsAnswer: Bool = true) async throws {
        nextFrame = first ?? nextFrame
        for _ in 0..<frames {
            try await send(NetplayInput(frame: nextFrame, client: 0, words: ByteBuffer(integer: UInt32(0))).encoded)
            nextFrame += 1
            if readsAnswer { #expect(try await frame(after: .noInput) == nextFrame - 1) }
        }
    }

    /// Waits to be asked for a state, and gives one.
    func giveState(size: Int) async throws {
        _ = try await next(.requestSavestate)
        let content = ByteBuffer(repeating: 1, count: size)
        try await send(NetplaySavestate(frame: nextFrame, rawSize: UInt32(size), content: content).encoded)
    }
}
