import NIOCore
import RelayCore

/// Pauses, and what else a room is looked after for.
///
/// Guests of protocol 6 are told that there is no pausing, which is what a RetroArch host says unless told otherwise:
/// a RetroArch 1.14 that hears of somebody's pause stands still for ever, whatever comes after. Protocol 5 has no words
/// for that, so among guests of protocol 5 a pause is a pause.
extension RoomEngine {
    /// How often a room is looked after.
    static let roomInterval = Duration.seconds(1)

    mutating func pause(_ guest: Guest, in room: Room, at now: Instant, into out: inout Outbox) {
        guard guest.protocolVersion < 6 else { return ignore(.pause, from: guest, into: &out) }
        guard guest.pausesSince == nil else { return }
        guest.pausesSince = now
        out.emit(RoomEvent.paused(guest.peer))
        refreshPauses(room, into: &out)
    }

    mutating func resume(_ guest: Guest, in room: Room, at now: Instant, into out: inout Outbox) {
        guard guest.pausesSince != nil else { return }
        guest.pausesSince = nil
        room.progressAt = now
        // Whoever stood still could not give it.
        for member in room.members where member.owesStateSince != nil { member.owesStateSince = now }
        out.emit(RoomEvent.resumed(guest.peer))
        refreshPauses(room, into: &out)
        requestState(room, at: now, into: &out)
    }

    /// Tells each guest, once, whether it is to wait.
    func refreshPauses(_ room: Room, into out: inout Outbox) {
        for member in room.members {
            let pauser = room.pauser(other: member)
            guard (pauser != nil) != member.isToldPaused else { continue }
            member.isToldPaused = pauser != nil
            let message = pauser.map { NetplayWaiting.pause(nick: $0.nick) } ?? NetplayWaiting.resume
            out.send(message, to: member.peer)
        }
    }

    /// What a room is looked after for, once a second.
    mutating func lookAfter(_ room: Room, at now: Instant, into out: inout Outbox) {
        endLongPauses(room, at: now, into: &out)
        superviseStates(room, at: now, into: &out)
        if room.waitsForPauser || room.stateSender != nil { room.progressAt = now }
        endStandstill(room, at: now, into: &out)
        // A RetroArch that looks on gives up when it sees no frame for 10 seconds.
        if room.pacemaker == nil { endFrame(room, at: now, into: &out) }
        if room.wantsState { requestState(room, at: now, into: &out) }
        grantWishes(room, at: now, into: &out)
    }

    private mutating func endLongPauses(_ room: Room, at now: Instant, into out: inout Outbox) {
        for member in room.members {
            guard let since = member.pausesSince, now - since >= configuration.pauseTimeout else { continue }
            close(member, .pausedTooLong, at: now, into: &out)
        }
    }
}

extension Room {
    /// For whom a guest is to wait; `nil` for one that must not be told so.
    func pauser(other guest: Guest) -> Guest? {
        guard guest.protocolVersion < 6 else { return nil }
        return members.first { $0 !== guest && $0.pausesSince != nil }
    }

    /// Whether everybody has been told to wait. Who has not gives up after 10 seconds, so then nobody waits longer for
    /// a pauser than for anybody else.
    var waitsForPauser: Bool {
        members.contains { $0.pausesSince != nil } && members.allSatisfy { $0.protocolVersion < 6 }
    }
}
