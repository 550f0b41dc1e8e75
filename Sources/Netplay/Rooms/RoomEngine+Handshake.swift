import Crypto
import NIOCore
import RelayCore

/// From the headers to SYNC.
extension RoomEngine {
    mutating func receiveHandshake(
        _ command: NetplayCommand, _ payload: ByteBuffer, _ step: Guest.Handshake, from guest: Guest, at now: Instant,
        into out: inout Outbox
    ) throws(NetplayWireError) {
        switch (step, command) {
        case (_, .nak):
            close(guest, .refused, at: now, into: &out)
        case (_, .disconnect):
            close(guest, .left, at: now, into: &out)
        case (.nick, .nick):
            guest.nick = try NetplayNick.decode(payload).text
            out.send(NetplayNick(Self.nick).encoded, to: guest.peer)
            if guest.salt == 0 {
                sendInfo(to: guest, into: &out)
            } else {
                guest.phase = .handshake(.password)
            }
        case (.password, .password):
            let said = try NetplayPassword.decode(payload)
            guard said.matches(configuration.password ?? "", salt: guest.salt) else {
                return close(guest, .wrongPassword, at: now, into: &out)
            }
            sendInfo(to: guest, into: &out)
        case (.info(let isRoomKnown), .info):
            try receiveInfo(.decode(payload), from: guest, isRoomKnown, at: now, into: &out)
        case (_, .pingRequest):
            out.send(ByteBuffer(.pingResponse, length: 0), to: guest.peer)
        default:
            refuse(guest, .outOfOrder, at: now, into: &out)
        }
    }

    private mutating func sendInfo(to guest: Guest, into out: inout Outbox) {
        out.send(guest.room?.content?.encoded ?? NetplayInfo.empty, to: guest.peer)
        guest.phase = .handshake(.info(isRoomKnown: guest.room?.content != nil))
    }

    /// The core's name is all that must match. What else differs, RetroArch warns of.
    private mutating func receiveInfo(
        _ info: NetplayInfo, from guest: Guest, _ isRoomKnown: Bool, at now: Instant, into out: inout Outbox
    ) throws(NetplayWireError) {
        guard !info.coreName.isEmpty else { throw .badField(.info) }
        if guest.room == nil {
            let name = RoomName.content(core: info.coreName.lowercased(), crc: info.contentCRC)
            guard let room = rooms[name] ?? openRoom(name, for: guest, at: now, into: &out) else {
                return close(guest, isDraining ? .serverDraining : .roomsFull, at: now, into: &out)
            }
            guard room.guestCount < configuration.maxGuests else { return close(guest, .roomFull, at: now, into: &out) }
            enter(room, guest)
        }
        guard let room = guest.room else { return }
        if room.content == nil {
            room.content = info
            room.platform = guest.header.platform
            room.implementation = guest.header.implementation
        }
        guard room.content?.coreName.lowercased() == info.coreName.lowercased() else {
            return refuse(guest, .otherCore, at: now, into: &out)
        }
        if isRoomKnown {
            synchronize(guest, in: room, at: now, into: &out)
        } else {
            // Told nothing, a guest says what it has and waits to be told the same.
            sendInfo(to: guest, into: &out)
        }
    }

    /// Lets a guest in. From here on it gets all that the room's members get.
    private mutating func synchronize(_ guest: Guest, in room: Room, at now: Instant, into out: inout Outbox) {
        guard let client = room.freeClient else { return close(guest, .roomFull, at: now, into: &out) }
        deadlines.cancel(guest.peer)
        guest.client = client
        guest.nick = room.unusedNick(like: guest.nick)
        guest.phase = .member
        let isFirst = room.members.isEmpty
        room.arriving.removeAll { $0 === guest }
        room.members.append(guest)
        guest.isToldPaused = room.pauser(other: guest) != nil
        let sync = NetplaySync(
            frame: room.frame, client: client, isPaused: guest.isToldPaused,
            deviceTypes: Array(repeating: room.device.type, count: Room.deviceCount),
            shareModes: room.shareModes, deviceClients: room.deviceClients, nick: guest.nick
        )
        out.send(sync.encoded, to: guest.peer)
        if guest.protocolVersion >= 6 {
            out.send(NetplaySettings.allowPausing(false), to: guest.peer)
            out.send(NetplaySettings.inputLatency(0...0), to: guest.peer)
        }
        out.emit(RoomEvent.guestJoined(guest.peer, nick: guest.nick, room: room.name.description))
        if isFirst {
            guest.state = .settled
        } else {
            room.wantsState = true
            requestState(room, at: now, into: &out)
        }
    }
}

extension NetplayPassword {
    /// Compares in a time that tells nothing of how much of a guess was right.
    func matches(_ password: String, salt: UInt32) -> Bool {
        let digits = String(salt, radix: 16, uppercase: true)
        var hash = SHA256()
        let salted = Array((String(repeating: "0", count: 8 - digits.count) + digits + password).utf8)
        salted.withUnsafeBytes { hash.update(bufferPointer: $0) }
        let expected = hash.finalize().flatMap { byte in [Self.hex[Int(byte >> 4)], Self.hex[Int(byte & 15)]] }
        guard expected.count == self.digits.count else { return false }
        return zip(expected, self.digits).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }

    private static let hex = Array("0123456789abcdef".utf8)
}

extension Room {
    /// The nick, or with a number behind it if somebody has it already.
    fileprivate func unusedNick(like nick: String) -> String {
        let wanted = nick.isEmpty ? "Anonymous" : nick
        let taken = Set(members.map(\.nick) + [RoomEngine.nick])
        guard taken.contains(wanted) else { return wanted }
        var number = 2
        while true {
            let suffix = " (\(number))"
            let candidate = wanted.prefix(utf8: NetplayNick.length - 1 - suffix.utf8.count) + suffix
            if !taken.contains(candidate) { return candidate }
            number += 1
        }
    }
}
