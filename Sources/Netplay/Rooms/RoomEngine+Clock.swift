import NIOCore
import RelayCore

/// Inputs, and the frames they make.
///
/// A host sends, for each of its frames, what it has of everybody's input for it and then its own, here NOINPUT. So does
/// a room: input for frames it has not come to is held. What comes late is passed on at once. A newcomer, who expects
/// everybody's input from exactly the room's frame on, so misses none.
extension RoomEngine {
    /// RetroArch itself stops 60 frames ahead of the others; some more may be on their way.
    static let mostFramesAhead = 120
    /// Who is further ahead of the room than this is told to wait.
    private static let framesAheadUntold = 8
    /// As RetroArch's host does, nobody is told so more often than this, in frames.
    private static let framesBetweenStalls: UInt32 = 120
    /// What one who waits for another is ahead of him, at least.
    private static let framesAheadOfLaggard: UInt32 = 30

    mutating func receiveInput(
        _ input: NetplayInput, from guest: Guest, in room: Room, at now: Instant, into out: inout Outbox
    ) {
        // On its way when the guest stopped to play.
        guard guest.isPlaying else { return }
        guard guest.takeInput(at: now) else { return refuse(guest, .inputFlood, at: now, into: &out) }
        guard input.words.readableBytes == 4 * guest.devices.nonzeroBitCount * room.device.words else {
            return refuse(guest, .inputSize, at: now, into: &out)
        }
        guard input.frame >= guest.nextFrame else { return }
        guard input.frame == guest.nextFrame else { return refuse(guest, .inputOutOfOrder, at: now, into: &out) }
        guest.nextFrame &+= 1
        let message = NetplayInput(frame: input.frame, client: guest.client, words: input.words).encoded
        guard input.frame >= room.frame else { return room.forward(message, from: guest, into: &out) }
        guest.held.append(message)
        if room.pacemaker === guest {
            goOn(room, at: now, into: &out)
        } else if guest.held.count > Self.mostFramesAhead {
            refuse(guest, .farAhead, at: now, into: &out)
        } else {
            slowDown(guest, in: room, into: &out)
        }
    }

    /// Makes the frames for which the pacemaker's input is there.
    mutating func goOn(_ room: Room, at now: Instant, into out: inout Outbox) {
        guard let pacemaker = room.pacemaker else { return }
        while room.frame < pacemaker.nextFrame {
            for player in room.members where !player.held.isEmpty && player.firstHeldFrame == room.frame {
                room.forward(player.held.removeFirst(), from: player, into: &out)
            }
            endFrame(room, at: now, into: &out)
        }
        if room.wantsState, room.request == nil { requestState(room, at: now, into: &out) }
    }

    /// Tells everybody that the host has nothing to add to the room's frame.
    mutating func endFrame(_ room: Room, at now: Instant, into out: inout Outbox) {
        room.send(NetplayInput.none(frame: room.frame), into: &out)
        room.frame &+= 1
        room.progressAt = now
    }

    /// Lets another player set the pace: the one who is farthest, so that he waits for nobody.
    mutating func choosePacemaker(_ room: Room, at now: Instant, into out: inout Outbox) {
        room.pacemaker = room.players.max { $0.nextFrame < $1.nextFrame }
        room.progressAt = now
        guard let pacemaker = room.pacemaker else { return }
        out.emit(RoomEvent.paceSet(pacemaker.peer))
        goOn(room, at: now, into: &out)
    }

    /// Parts from the player for whom a room has stood still too long.
    mutating func endStandstill(_ room: Room, at now: Instant, into out: inout Outbox) {
        guard let pacemaker = room.pacemaker, now - room.progressAt >= configuration.stallTimeout,
            let last = room.players.min(by: { $0.nextFrame < $1.nextFrame })
        else { return }
        // A pacemaker who is far ahead of somebody cannot go on himself.
        let waitsForLast = pacemaker.nextFrame >= last.nextFrame &+ Self.framesAheadOfLaggard
        let pauser = room.players.first { $0.pausesSince != nil }
        room.progressAt = now
        refuse(pauser ?? (waitsForLast ? last : pacemaker), .heldUp, at: now, into: &out)
    }

    /// Nobody but the pacemaker needs to be told: who is behind others sees their input and hurries by himself.
    private mutating func slowDown(_ guest: Guest, in room: Room, into out: inout Outbox) {
        guard guest.held.count > Self.framesAheadUntold,
            guest.stalledAt.map({ room.frame &- $0 >= Self.framesBetweenStalls }) ?? true
        else { return }
        guest.stalledAt = room.frame
        out.send(NetplayWaiting.stall(frames: UInt32(min(guest.held.count, 60))), to: guest.peer)
    }
}

extension Guest {
    fileprivate var firstHeldFrame: UInt32 { nextFrame &- UInt32(held.count) }
}

extension Room {
    /// A state or a reset makes everybody else go on from `frame`: what they did before no longer counts, and they may
    /// leave out frames.
    func skipInput(before frame: UInt32, of source: Guest) {
        for player in players where player !== source { player.nextFrame = max(player.nextFrame, frame) }
    }
}
