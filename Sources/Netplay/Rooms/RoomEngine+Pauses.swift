import NIOCore
import RelayCore

/// Who waits for whom, and for how long.
extension RoomEngine {
    /// How often a room is looked after.
    static let roomInterval = Duration.seconds(1)
    /// So long a room without players is left alone: the first one mostly comes right behind.
    private static let idleGrace = Duration.seconds(2)
    /// So long a savestate may take before the others are told to wait for it.
    private static let stateGrace = Duration.seconds(2)

    mutating func pause(_ guest: Guest, in room: Room, at now: Instant, into out: inout Outbox) {
        guard guest.pausesSince == nil else { return }
        guest.pausesSince = now
        out.emit(RoomEvent.paused(guest.peer))
        refreshPauses(room, into: &out)
    }

    mutating func resume(_ guest: Guest, in room: Room, at now: Instant, into out: inout Outbox) {
        guard guest.pausesSince != nil else { return }
        guest.pausesSince = nil
        room.progressAt = now
        out.emit(RoomEvent.resumed(guest.peer))
        refreshPauses(room, into: &out)
        requestState(room, at: now, into: &out)
    }

    /// Tells each guest, once, whether it is to wait.
    mutating func refreshPauses(_ room: Room, into out: inout Outbox) {
        for member in room.members {
            let isPaused = isPaused(room, for: member)
            guard isPaused != member.isToldPaused else { continue }
            member.isToldPaused = isPaused
            let pauser = room.members.first { $0 !== member && $0.pausesSince != nil }
            out.send(
                isPaused ? NetplayWaiting.pause(nick: pauser?.nick ?? Self.nick) : NetplayWaiting.resume,
                to: member.peer)
        }
    }

    /// Whether a guest is to wait: for another's pause, for somebody to play, for a state that takes its time.
    func isPaused(_ room: Room, for guest: Guest) -> Bool {
        if room.members.contains(where: { $0 !== guest && $0.pausesSince != nil }) { return true }
        let isSource = room.request?.source === guest || room.waitsForState && room.pacemaker === guest
        return !isSource && (room.isIdle || room.waitsForState)
    }

    /// What a room is looked after for, once a second.
    mutating func lookAfter(_ room: Room, at now: Instant, into out: inout Outbox) {
        endLongPauses(room, at: now, into: &out)
        superviseStates(room, at: now, into: &out)
        if let idleSince = room.idleSince, now - idleSince >= Self.idleGrace { room.isIdle = true }
        room.waitsForState = room.stateBeganAt.map { now - $0 >= Self.stateGrace } ?? false
        refreshPauses(room, into: &out)
        if room.members.contains(where: { $0.pausesSince != nil }) || room.stateBeganAt != nil {
            room.progressAt = now
        } else {
            endStandstill(room, at: now, into: &out)
        }
        guard roomSlots[room.slot] != nil else { return }
        if room.wantsState { requestState(room, at: now, into: &out) }
        grantWishes(room, at: now, into: &out)
    }

    /// The others go on; if they cannot without him, he is the one who holds them up.
    private mutating func endLongPauses(_ room: Room, at now: Instant, into out: inout Outbox) {
        for member in room.members {
            guard let since = member.pausesSince, now - since >= configuration.pauseTimeout else { continue }
            member.pausesSince = nil
            room.progressAt = now
            out.emit(RoomEvent.pauseEnded(member.peer))
        }
    }
}
