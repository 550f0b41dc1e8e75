import Foundation
import NIOCore
import RelayCore
import RelayTesting

@testable import Netplay

/// A guest as a RetroArch is one: it answers what must be answered and writes down what a RetroArch would not bear.
final class RoomGuest {
    static let stateSize = 3000

    let peer: PeerID
    let protocolVersion: UInt32
    let usesZlib: Bool
    let info: NetplayInfo
    let wordsPerDevice: Int
    /// Everything but INPUT and NOINPUT.
    private(set) var log: [(command: NetplayCommand, payload: ByteBuffer)] = []
    private(set) var violations: [String] = []
    private(set) var header: NetplayHeader?
    private(set) var sync: NetplaySync?
    /// The frame it expects next from the host.
    private(set) var hostFrame: UInt32 = 0
    /// Who plays, and the frame expected next of each.
    private(set) var players: [UInt32: (frame: UInt32, devices: UInt32)] = [:]
    /// The inputs of others that counted.
    private(set) var inputs: [(client: UInt32, frame: UInt32)] = []
    private(set) var isPlaying = false
    private(set) var isPaused = false
    private(set) var devices: UInt32 = 0
    private(set) var nextFrame: UInt32 = 0
    private(set) var stallFrames: UInt32 = 0
    /// The state of its game: what it gives, and then what it was given.
    var state: String
    var answersStates = true
    var answersPings = true
    var nick: String
    var password = ""
    var isStateWanted = false
    /// Whether it asks to play as soon as it is in, as RetroArch does unless told otherwise.
    var playsAtOnce = false
    private var received = ByteBuffer()
    private var outgoing: [ByteBuffer] = []

    init(_ peer: PeerID, nick: String, info: NetplayInfo, protocolVersion: UInt32, usesZlib: Bool, words: Int) {
        self.peer = peer
        self.nick = nick
        self.info = info
        self.protocolVersion = protocolVersion
        self.usesZlib = usesZlib
        wordsPerDevice = words
        state = "the state of \(nick) ".padding(toLength: Self.stateSize, withPad: ".", startingAt: 0)
    }

    var client: UInt32 { sync?.client ?? 0 }

    /// The payloads of a command, in order.
    func said(_ command: NetplayCommand) -> [ByteBuffer] {
        log.filter { $0.command == command }.map(\.payload)
    }

    func modes() -> [NetplayMode] { said(.mode).compactMap { try? NetplayMode.decode($0) } }

    /// What it wants to say, since the last call.
    func takeOutgoing() -> [ByteBuffer] {
        defer { outgoing = [] }
        return outgoing
    }

    /// Its input for its next frame.
    func nextInput() -> ByteBuffer {
        var words = ByteBuffer()
        for _ in 0..<devices.nonzeroBitCount * wordsPerDevice { words.writeInteger(nextFrame) }
        // The client number a guest names does not matter.
        defer { nextFrame += 1 }
        return NetplayInput(frame: nextFrame, client: 31, words: words).encoded
    }

    /// SPECTATE. From here on it sends no input, whatever the room says to it.
    func spectate() -> ByteBuffer {
        isPlaying = false
        return ByteBuffer(.spectate, length: 0)
    }

    /// Its state as it is before its next frame, or before frame `frame`.
    func savestate(frame: UInt32? = nil) -> ByteBuffer {
        let frame = frame ?? (isPlaying ? nextFrame : hostFrame)
        let raw = ByteBuffer(string: state)
        let content = usesZlib ? StateCompression.deflated(raw) ?? ByteBuffer() : raw
        // RetroArch lets go of everybody's input before a state of its own.
        skip(to: frame)
        hostFrame = max(hostFrame, frame)
        return NetplaySavestate(frame: frame, rawSize: UInt32(raw.readableBytes), content: content).encoded
    }

    func hear(_ bytes: [UInt8]) {
        received.writeBytes(bytes)
        if header == nil {
            guard let said = try? NetplayHeader.decode(from: &received) else { return }
            header = said
            guard said.magic == .netplay, said.protocolVersion > 0 else { return }
            outgoing.append(NetplayNick(nick).encoded)
            if said.salt != 0 { outgoing.append(.password(password, salt: said.salt)) }
        }
        while let (word, size) = received.peekMultipleIntegers(as: (UInt32, UInt32).self),
            received.readableBytes >= 8 + Int(size)
        {
            received.moveReaderIndex(forwardBy: 8)
            guard let payload = received.readSlice(length: Int(size)) else { return }
            let command = NetplayCommand(rawValue: word)
            if command != .input, command != .noInput { log.append((command, payload)) }
            do {
                try obey(command, payload)
            } catch {
                violations.append("\(error)")
            }
        }
    }

    private func obey(_ command: NetplayCommand, _ payload: ByteBuffer) throws {
        switch command {
        case .info: outgoing.append(info.encoded)
        case .sync: try begin(.decode(payload))
        case .input: try hear(.decode(payload))
        case .noInput: endFrame(payload)
        case .mode: try change(.decode(payload))
        case .loadSavestate: try load(.decode(payload))
        case .requestSavestate:
            isStateWanted = true
            if isPlaying { giveState() }
        case .pingRequest: if answersPings { outgoing.append(ByteBuffer(.pingResponse, length: 0)) }
        case .pause:
            require(protocolVersion < 6, "PAUSE, though there is no pausing")
            isPaused = true
        case .resume: isPaused = false
        case .stall: stallFrames = payload.getInteger(at: payload.readerIndex, as: UInt32.self) ?? 0
        case .playerChat, .settingAllowPausing, .settingInputLatencyFrames:
            require(protocolVersion >= 6, "command \(command.rawValue), which protocol 5 does not know")
        default: break
        }
    }

    private func begin(_ sync: NetplaySync) {
        require(self.sync == nil, "a second SYNC")
        self.sync = sync
        hostFrame = sync.frame
        isPaused = sync.isPaused
        if playsAtOnce { outgoing.append(NetplayPlay().encoded) }
        for (device, clients) in sync.deviceClients.enumerated() {
            for client in UInt32(0)..<32 where clients >> client & 1 == 1 {
                players[client] = (sync.frame, (players[client]?.devices ?? 0) | 1 << UInt32(device))
            }
        }
    }

    private func hear(_ input: NetplayInput) {
        guard let player = players[input.client] else {
            return violations.append("INPUT of client \(input.client), who does not play")
        }
        require(input.frame <= player.frame, "INPUT \(input.frame) of \(input.client) instead of \(player.frame)")
        require(input.frame <= hostFrame, "INPUT \(input.frame) of \(input.client) before the room is there")
        require(
            input.words.readableBytes == 4 * wordsPerDevice * player.devices.nonzeroBitCount,
            "INPUT with \(input.words.readableBytes) bytes")
        guard input.frame == player.frame else { return }
        players[input.client]?.frame += 1
        inputs.append((input.client, input.frame))
    }

    private func endFrame(_ payload: ByteBuffer) {
        let frame = payload.getInteger(at: payload.readerIndex, as: UInt32.self) ?? .max
        require(frame <= hostFrame, "NOINPUT \(frame) instead of \(hostFrame)")
        hostFrame = max(hostFrame, frame + 1)
        // Who looks on gives it when it runs a frame, and who ran ahead while it played waits with that.
        if isStateWanted, !isPlaying, hostFrame >= nextFrame { giveState() }
    }

    private func change(_ mode: NetplayMode) {
        if mode.isPlaying {
            require(mode.frame == hostFrame, "MODE for \(mode.frame) instead of \(hostFrame)")
            if mode.isYou {
                require(!isPlaying, "MODE for a guest that plays already")
                isPlaying = true
                devices = mode.devices
                nextFrame = mode.frame
            } else {
                players[mode.client] = (mode.frame, mode.devices)
            }
        } else if mode.isYou {
            isPlaying = false
        } else {
            players[mode.client] = nil
        }
    }

    private func load(_ state: NetplaySavestate) {
        require(state.frame == hostFrame, "LOAD_SAVESTATE for \(state.frame) instead of \(hostFrame)")
        let raw = usesZlib ? StateCompression.inflated(state.content, rawSize: Int(state.rawSize)) : state.content
        require(raw?.readableBytes == Int(state.rawSize), "a state that is not as long as it says")
        self.state = raw.map { String(buffer: $0) } ?? ""
        skip(to: state.frame)
        if isPlaying { nextFrame = max(nextFrame, state.frame) }
    }

    private func skip(to frame: UInt32) {
        for (client, player) in players where player.frame < frame { players[client]?.frame = frame }
    }

    private func giveState() {
        guard answersStates else { return }
        isStateWanted = false
        outgoing.append(savestate())
    }

    private func require(_ condition: Bool, _ violation: @autoclosure () -> String) {
        if !condition { violations.append("\(nick): \(violation())") }
    }
}

extension ByteBuffer {
    /// PASSWORD as RetroArch says it, by an independent hash.
    static func password(_ password: String, salt: UInt32) -> ByteBuffer {
        let digits = String(salt, radix: 16, uppercase: true)
        let salted = String(repeating: "0", count: 8 - digits.count) + digits + password
        return ByteBuffer(.password, length: 64) { $0.writeString(sha256(salted)) }
    }
}
