import NIOCore
import Netplay
import RelayCore
import RelayTesting

/// The first byte says how the rest is cut. However it is, the same commands come out, and what is decoded is encoded
/// to the same bytes.
func fuzzRoomWire(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    let stream = Array(bytes.dropFirst())
    let whole = messages(in: stream, inPiecesOf: stream.count)
    precondition(whole == messages(in: stream, inPiecesOf: Int(first) + 1))
    var header = ByteBuffer(bytes: stream)
    if let decoded = try? NetplayHeader.decode(from: &header) {
        var again = ByteBuffer()
        decoded.encode(into: &again)
        precondition(Array(again.readableBytesView) == Array(stream.prefix(NetplayHeader.size)))
    }
}

private func messages(in stream: [UInt8], inPiecesOf length: Int) -> [[UInt8]] {
    var reader = NetplayMessageReader()
    var found: [[UInt8]] = []
    for start in stride(from: 0, to: stream.count, by: max(1, length)) {
        reader.append(ByteBuffer(bytes: stream[start..<min(start + max(1, length), stream.count)]))
        do {
            while let message = try reader.next(maxState: 2000, keepsStates: !found.isEmpty) {
                found.append(digest(message))
            }
        } catch {
            return found + [Array("\(error)".utf8)]
        }
        precondition(reader.keptBytes <= 8 + 2008)
    }
    return found
}

private func digest(_ message: NetplayMessage) -> [UInt8] {
    switch message {
    case .skipped(let command):
        return Array("skipped \(command.rawValue)".utf8)
    case .whole(let command, let payload):
        checkDecoders(of: command, payload)
        return Array("\(command.rawValue) ".utf8) + payload.readableBytesView
    }
}

/// Who encodes what he decoded says the same as before.
private func checkDecoders(of command: NetplayCommand, _ payload: ByteBuffer) {
    func body(_ message: ByteBuffer) -> ByteBuffer {
        message.getSlice(at: 8, length: message.readableBytes - 8) ?? ByteBuffer()
    }
    switch command {
    case .play:
        guard let play = try? NetplayPlay.decode(payload) else { return }
        let again = try? NetplayPlay.decode(body(play.encoded))
        precondition(again == play)
    case .input:
        guard let input = try? NetplayInput.decode(payload) else { return }
        precondition(body(input.encoded) == payload)
    case .loadSavestate:
        guard let state = try? NetplaySavestate.decode(payload) else { return }
        precondition(body(state.encoded) == payload)
    case .nick:
        // Text that is no UTF-8 is mended, and then cut again.
        guard let nick = try? NetplayNick.decode(payload) else { return }
        precondition(nick.encoded.readableBytes == payload.readableBytes + 8)
    case .info:
        guard let info = try? NetplayInfo.decode(payload) else { return }
        precondition(info.encoded.readableBytes == payload.readableBytes + 8)
    case .playerChat:
        guard let text = try? NetplayChat.decodeText(payload) else { return }
        precondition(text == payload)
    default:
        break
    }
}

/// Three guests that have come in, and then whatever the bytes say.
func fuzzRoomEngine(_ bytes: [UInt8]) {
    var room = FuzzedRoom()
    var rest = bytes[...]
    for _ in 0..<3 { room.join() }
    while let operation = rest.popFirst() { room.step(operation, &rest) }
    let harness = room.finish()
    precondition(harness.connected.isEmpty && harness.engine.roomCount == 0)
    precondition(harness.engine.nextDeadline == nil)
}

private struct FuzzedRoom {
    private struct Guest {
        var peer: PeerID
        var usesZlib: Bool
        /// What it has been told, cut into commands.
        var said = ByteBuffer()
        var isGreeted = false
        var frame: UInt32 = 0
        var next: UInt32 = 0
    }

    private var harness: EngineHarness<RoomEngine>
    private var guests: [Guest] = []
    private static let info = NetplayInfo(contentCRC: 1, coreName: "core", coreVersion: "1").encoded

    init() {
        var configuration = RoomConfiguration()
        configuration.maxStateBytes = 4000
        configuration.maxRooms = 3
        configuration.maxGuests = 5
        harness = EngineHarness(RoomEngine(configuration: configuration, random: .seeded(1)))
    }

    mutating func join() {
        let isOld = guests.count % 3 == 1
        let usesZlib = guests.count % 2 == 0
        let peer = harness.connect()
        guests.append(Guest(peer: peer, usesZlib: usesZlib))
        var opening = ByteBuffer()
        NetplayHeader(compression: usesZlib ? 1 : 0, salt: isOld ? 0 : 6, protocolVersion: 5).encode(into: &opening)
        opening.writeImmutableBuffer(NetplayNick("guest").encoded)
        say(opening, guests.count - 1)
        say(NetplayPlay().encoded, guests.count - 1)
    }

    mutating func step(_ operation: UInt8, _ rest: inout ArraySlice<UInt8>) {
        guard guests.count < 40 else { return }
        let index = Int(operation >> 5) % guests.count
        switch operation & 31 {
        case 0...7: input(index, frame: guests[index].next)
        case 8: input(index, frame: UInt32(rest.popFirst() ?? 0))
        case 9: say(NetplayPlay(shareMode: rest.popFirst() ?? 0, devices: UInt16(rest.popFirst() ?? 0)).encoded, index)
        case 10: say(.spectate, index)
        case 11: say(.requestSavestate, index)
        case 12: say(.pingResponse, index)
        case 13: say(.pause, index)
        case 14: say(.resume, index)
        case 15: state(index, frame: guests[index].next, take(&rest))
        case 16: state(index, frame: guests[index].frame, take(&rest))
        case 17: say(ByteBuffer(bytes: take(&rest)), index)
        case 18: harness.advance(by: .milliseconds(Int(rest.popFirst() ?? 0) * 50))
        case 19: join()
        case 20: if isIn(index) { harness.end(guests[index].peer) }
        case 21: harness.disconnect(guests[index].peer)
        case 22: if isIn(index) { harness.writability(of: guests[index].peer, is: operation & 32 == 0) }
        case 23: harness.beginDrain()
        default: command(UInt32(rest.popFirst() ?? 0), take(&rest), index)
        }
        hear()
    }

    mutating func finish() -> EngineHarness<RoomEngine> {
        harness.stop()
        return harness
    }

    private func isIn(_ index: Int) -> Bool {
        harness.connected.contains(guests[index].peer) && !harness.ended.contains(guests[index].peer)
    }

    private mutating func say(_ bytes: ByteBuffer, _ index: Int) {
        guard isIn(index), bytes.readableBytes > 0 else { return }
        harness.receive(bytes, from: guests[index].peer)
        hear()
    }

    private mutating func say(_ command: NetplayCommand, _ index: Int) {
        self.command(command.rawValue, [], index)
    }

    private mutating func command(_ command: UInt32, _ payload: [UInt8], _ index: Int) {
        var bytes = ByteBuffer()
        bytes.writeMultipleIntegers(command, UInt32(payload.count))
        bytes.writeBytes(payload)
        say(bytes, index)
    }

    private mutating func input(_ index: Int, frame: UInt32) {
        say(NetplayInput(frame: frame, client: 0, words: ByteBuffer(integer: UInt32(0))).encoded, index)
        guests[index].next = frame &+ 1
    }

    private mutating func state(_ index: Int, frame: UInt32, _ content: [UInt8]) {
        say(
            NetplaySavestate(frame: frame, rawSize: UInt32(content.count), content: ByteBuffer(bytes: content)).encoded,
            index)
    }

    private func take(_ rest: inout ArraySlice<UInt8>) -> [UInt8] {
        let count = Int(rest.popFirst() ?? 0)
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    /// Reads as much of what guests are told as a guest needs to stay in step.
    private mutating func hear() {
        for index in guests.indices {
            guests[index].said.writeBytes(harness.take(guests[index].peer))
            if !guests[index].isGreeted {
                guard guests[index].said.readSlice(length: NetplayHeader.size) != nil else { continue }
                guests[index].isGreeted = true
            }
            while let (word, size) = guests[index].said.peekMultipleIntegers(as: (UInt32, UInt32).self),
                let message = guests[index].said.readSlice(length: 8 + Int(size))
            {
                obey(NetplayCommand(rawValue: word), message.getSlice(at: 8, length: Int(size)) ?? ByteBuffer(), index)
            }
        }
    }

    private mutating func obey(_ command: NetplayCommand, _ payload: ByteBuffer, _ index: Int) {
        switch command {
        case .info: say(Self.info, index)
        case .noInput: guests[index].frame = (payload.getInteger(at: payload.readerIndex) ?? 0) &+ 1
        case .mode:
            guard let mode = try? NetplayMode.decode(payload), mode.isYou, mode.isPlaying else { return }
            guests[index].next = mode.frame
        default: break
        }
    }
}
