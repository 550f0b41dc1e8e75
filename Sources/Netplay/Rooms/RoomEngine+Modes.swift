import NIOCore
import RelayCore

/// Who plays, who looks on, who leaves.
extension RoomEngine {
    mutating func ask(
        _ guest: Guest, in room: Room, toPlay wish: NetplayPlay, at now: Instant, into out: inout Outbox
    ) {
        guard !guest.isPlaying else { return }
        guard guest.takePlay(at: now) else {
            return refuse(.tooFast, to: guest, because: .tooFast, into: &out)
        }
        guest.wish = wish
        grantWishes(room, at: now, into: &out)
    }

    /// Lets those play who want to and have the room's state.
    ///
    /// Nobody while a state is asked for: the guest that gives it may be past the frame that MODE would name.
    mutating func grantWishes(_ room: Room, at now: Instant, into out: inout Outbox) {
        guard room.request == nil, room.stateSender == nil else { return }
        for guest in room.members where guest.wish != nil && guest.isSettled && guest.owesStateSince == nil {
            guard let wish = guest.wish.take() else { continue }
            guard let devices = room.devices(for: wish) else {
                refuse(.noSlots, to: guest, because: .noSlots, into: &out)
                continue
            }
            play(guest, with: devices, wish, in: room, at: now, into: &out)
        }
    }

    mutating func stopPlaying(_ guest: Guest, in room: Room, at now: Instant, into out: inout Outbox) {
        guest.wish = nil
        guard guest.isPlaying else { return }
        let devices = takeDevices(of: guest, in: room)
        announce(guest, devices, isPlaying: false, in: room, into: &out)
        out.emit(RoomEvent.spectating(guest.peer, client: guest.client, frame: room.frame))
        playerIsGone(guest, from: room, at: now, into: &out)
    }

    /// Takes a guest that has gone out of its room, and ends the room with the last one.
    mutating func leave(_ guest: Guest, at now: Instant, into out: inout Outbox) {
        guard let room = guest.room else { return }
        guest.room = nil
        room.arriving.removeAll { $0 === guest }
        room.members.removeAll { $0 === guest }
        guard !room.isEmpty else { return end(room, into: &out) }
        guest.pausesSince = nil
        if guest.isPlaying {
            let devices = takeDevices(of: guest, in: room)
            announce(guest, devices, isPlaying: false, in: room, into: &out)
            playerIsGone(guest, from: room, at: now, into: &out)
        } else if room.request?.source === guest {
            renewRequest(room, at: now, into: &out)
        }
        refreshPauses(room, into: &out)
        grantWishes(room, at: now, into: &out)
    }

    private mutating func play(
        _ guest: Guest, with devices: UInt32, _ wish: NetplayPlay, in room: Room, at now: Instant,
        into out: inout Outbox
    ) {
        let shareMode = NetplayShareMode.settled(wish.shareMode)
        for device in 0..<Room.deviceCount where devices >> UInt32(device) & 1 == 1 {
            room.shareModes[device] = shareMode
        }
        guest.devices = devices
        guest.nextFrame = room.frame
        guest.stalledAt = nil
        announce(guest, devices, isPlaying: true, in: room, into: &out)
        out.emit(RoomEvent.playing(guest.peer, client: guest.client, frame: room.frame))
        room.progressAt = room.players.count == 1 ? now : room.progressAt
        if room.pacemaker == nil {
            choosePacemaker(room, at: now, into: &out)
        }
    }

    private func takeDevices(of guest: Guest, in room: Room) -> UInt32 {
        let devices = guest.devices
        guest.devices = 0
        guest.held = []
        for device in 0..<Room.deviceCount where room.deviceClients[device] == 0 { room.shareModes[device] = 0 }
        return devices
    }

    private mutating func playerIsGone(_ guest: Guest, from room: Room, at now: Instant, into out: inout Outbox) {
        if room.pacemaker === guest || room.pacemaker == nil {
            choosePacemaker(room, at: now, into: &out)
        }
        if room.request?.source === guest { renewRequest(room, at: now, into: &out) }
    }

    private func announce(
        _ guest: Guest, _ devices: UInt32, isPlaying: Bool, in room: Room, into out: inout Outbox
    ) {
        var mode = NetplayMode(
            frame: room.frame, isYou: false, isPlaying: isPlaying, client: guest.client, devices: devices,
            shareModes: room.shareModes, nick: guest.nick
        )
        room.send(mode.encoded, except: guest, into: &out)
        guard !guest.isGone else { return }
        mode.isYou = true
        out.send(mode.encoded, to: guest.peer)
    }

    private func refuse(
        _ refusal: NetplayModeRefusal, to guest: Guest, because reason: NetplayModeRefusalReason, into out: inout Outbox
    ) {
        out.send(refusal.encoded, to: guest.peer)
        out.emit(RoomEvent.playRefused(guest.peer, reason))
    }

    private mutating func end(_ room: Room, into out: inout Outbox) {
        rooms.close(room.name)
        roomDeadlines.cancel(room.slot)
        roomSlots.remove(room.slot)
        room.request = nil
        room.pacemaker = nil
        out.emit(RoomEvent.roomClosed(room: room.name.description))
    }
}

extension Room {
    /// The devices somebody gets who wants to play; `nil` if those are taken.
    fileprivate func devices(for wish: NetplayPlay) -> UInt32? {
        let clients = deviceClients
        if wish.devices == 0 {
            return clients.firstIndex(of: 0).map { 1 << UInt32($0) }
        }
        for device in 0..<Self.deviceCount where wish.devices >> UInt16(device) & 1 == 1 && clients[device] != 0 {
            guard shareModes[device] != 0, wish.shareMode != 0 else { return nil }
        }
        return UInt32(wish.devices)
    }
}
