import NIOCore
import RelayCore

/// What guests say behind their headers.
extension RoomEngine {
    mutating func readMessages(of guest: Guest, at now: Instant, into out: inout Outbox) {
        do {
            while !guest.isGone, !guest.isOpening,
                let message = try guest.reader.next(
                    maxState: configuration.maxStateBytes, keepsStates: givesState(guest))
            {
                try receive(message, from: guest, at: now, into: &out)
            }
        } catch {
            return refuse(guest, .malformed, at: now, into: &out)
        }
        if !guest.isGone { noteStateOnItsWay(from: guest, at: now, into: &out) }
    }

    private mutating func receive(
        _ message: NetplayMessage, from guest: Guest, at now: Instant, into out: inout Outbox
    ) throws(NetplayWireError) {
        switch message {
        case .skipped(let command):
            // A state nobody asked for: the others' goes on being the room's, and the guest gets it back.
            if command == .loadSavestate {
                // Or one that was asked for when the guest still set the pace.
                guard guest.owesStateSince == nil else { return forgetQuestion(to: guest, at: now, into: &out) }
                return resynchronize(guest, at: now, into: &out)
            }
            ignore(command, from: guest, into: &out)
        case .whole(let command, let payload):
            if case .handshake(let step) = guest.phase {
                try receiveHandshake(command, payload, step, from: guest, at: now, into: &out)
            } else if let room = guest.room {
                try receive(command, payload, from: guest, in: room, at: now, into: &out)
            }
        }
    }

    private mutating func receive(
        _ command: NetplayCommand, _ payload: ByteBuffer, from guest: Guest, in room: Room, at now: Instant,
        into out: inout Outbox
    ) throws(NetplayWireError) {
        switch command {
        case .input:
            return receiveInput(try .decode(payload), from: guest, in: room, at: now, into: &out)
        case .loadSavestate:
            return receiveState(try .decode(payload), from: guest, in: room, at: now, into: &out)
        case .pingResponse:
            if case .sent = guest.state { settle(guest, at: now, into: &out) }
            return
        case .nak:
            return close(guest, .refused, at: now, into: &out)
        case .disconnect:
            return close(guest, .left, at: now, into: &out)
        case .play:
            return ask(guest, in: room, toPlay: try .decode(payload), at: now, into: &out)
        case .playerChat:
            return try chat(payload, from: guest, in: room, at: now, into: &out)
        default:
            break
        }
        guard guest.takeControl(at: now) else { return refuse(guest, .commandFlood, at: now, into: &out) }
        switch command {
        case .pingRequest:
            out.send(ByteBuffer(.pingResponse, length: 0), to: guest.peer)
        case .spectate:
            stopPlaying(guest, in: room, at: now, into: &out)
        case .requestSavestate:
            resynchronize(guest, at: now, into: &out)
        case .pause:
            pause(guest, in: room, at: now, into: &out)
        case .resume:
            resume(guest, in: room, at: now, into: &out)
        case .reset:
            // Forwarded, it takes effect a frame later than where it was pressed. The state of who sets the pace brings
            // everybody to where he is; the reset of anybody else is undone by it.
            resynchronize(guest, at: now, into: &out)
        case .crc where room.pacemaker === guest:
            room.forward(
                ByteBuffer(.crc, length: payload.readableBytes) { $0.writeImmutableBuffer(payload) }, from: guest,
                into: &out)
        default:
            ignore(command, from: guest, into: &out)
        }
    }

    func ignore(_ command: NetplayCommand, from guest: Guest, into out: inout Outbox) {
        out.emit(RoomEvent.commandIgnored(guest.peer, command: command.rawValue))
    }

    /// To everybody who can read it, its author included: RetroArch shows only what comes back.
    private mutating func chat(
        _ payload: ByteBuffer, from guest: Guest, in room: Room, at now: Instant, into out: inout Outbox
    ) throws(NetplayWireError) {
        let message = NetplayChat(nick: guest.nick, text: try NetplayChat.decodeText(payload)).encoded
        guard guest.takeChat(at: now) else { return out.emit(RoomEvent.chatDropped(guest.peer)) }
        for member in room.members where member.protocolVersion >= 6 {
            out.forward(message, to: member.peer)
        }
    }
}

extension Guest {
    var isOpening: Bool {
        if case .opening = phase { true } else { false }
    }
}
