import NIOCore
import RelayCore

/// How a newcomer, or a guest that has gone another way, gets the room's state.
///
/// Only the pacemaker's state can be had: it is for the frame that he has not said his input for, and that is the
/// room's. All the others must load it, not only who needs it, for he guessed what of their input had not come to him.
/// Where nobody plays, a spectator has the state; it gives it once it runs a frame, so the room ends one for it.
extension RoomEngine {
    /// How often somebody is asked whose state was for another frame than the room's.
    private static let mostTries = 5
    private static let stateRate = TokenBucket.Rate(perSecond: 1, burst: 4)
    private static let mebibytesInflated = TokenBucket.Rate(perSecond: 64, burst: 512)
    /// How many states of the greatest size may be on their way here at the same time.
    private static let mostStates = 8

    /// A guest whose game has gone another way, or shall not go its own.
    mutating func resynchronize(_ guest: Guest, at now: Instant, into out: inout Outbox) {
        guard let room = guest.room, guest.isMember else {
            return refuse(guest, .outOfOrder, at: now, into: &out)
        }
        room.wantsState = true
        requestState(room, at: now, into: &out)
    }

    /// Asks for a state if somebody wants one and somebody has it.
    mutating func requestState(_ room: Room, at now: Instant, into out: inout Outbox) {
        guard room.wantsState, room.request == nil, room.stateSender == nil else { return }
        guard room.members.count > 1 || room.members.contains(where: \.needsState) else {
            room.wantsState = false
            return
        }
        guard let source = room.stateSource else { return beginAnew(room, at: now, into: &out) }
        // He who was behind when he began to set the pace comes to the room's frame soon.
        guard !source.isPlaying || source.nextFrame >= room.frame else { return }
        guard room.states.take(at: now, rate: Self.stateRate) else { return }
        room.request = Room.StateRequest(source: source)
        ask(source, in: room, at: now, into: &out)
    }

    /// The guest that was asked has gone or plays no more.
    mutating func renewRequest(_ room: Room, at now: Instant, into out: inout Outbox) {
        room.request = nil
        requestState(room, at: now, into: &out)
        grantWishes(room, at: now, into: &out)
    }

    mutating func receiveState(
        _ state: NetplaySavestate, from guest: Guest, in room: Room, at now: Instant, into out: inout Outbox
    ) {
        countKeptState(of: guest, 0)
        (guest.sendsStateSince, guest.owesStateSince) = (nil, nil)
        guard state.frame == room.frame else { return receiveOtherFrame(from: guest, in: room, at: now, into: &out) }
        guard isShareable(state, in: room, at: now) else {
            room.request = nil
            room.wantsState = true
            return requestState(room, at: now, into: &out)
        }
        guard let shared = SharedState(state, isCompressed: guest.usesZlib, maxBytes: configuration.maxStateBytes)
        else {
            return refuse(guest, .badSavestate, at: now, into: &out)
        }
        room.request = nil
        room.wantsState = false
        room.stateSize = state.rawSize
        share(shared, from: guest, in: room, at: now, into: &out)
        grantWishes(room, at: now, into: &out)
    }

    /// A guest has answered when nobody wanted to know any more.
    mutating func forgetQuestion(to guest: Guest, at now: Instant, into out: inout Outbox) {
        guest.owesStateSince = nil
        if let room = guest.room { grantWishes(room, at: now, into: &out) }
    }

    /// Whether a state that this guest begins to send is wanted.
    func givesState(_ guest: Guest) -> Bool {
        guard let room = guest.room else { return false }
        return room.pacemaker === guest || room.request?.source === guest
    }

    /// Bounds what is kept of states on their way here.
    mutating func noteStateOnItsWay(from guest: Guest, at now: Instant, into out: inout Outbox) {
        let isInside = guest.reader.isInsideSavestate && givesState(guest)
        guard isInside || guest.sendsStateSince != nil else { return }
        guest.sendsStateSince = isInside ? guest.sendsStateSince ?? now : nil
        countKeptState(of: guest, isInside ? guest.reader.keptBytes : 0)
        if keptStateBytes > Self.mostStates * configuration.maxStateBytes {
            close(guest, .statesFull, at: now, into: &out)
        }
    }

    /// Parts from who was asked for a state and does not give it.
    mutating func superviseStates(_ room: Room, at now: Instant, into out: inout Outbox) {
        let isPaused = room.members.contains { $0.pausesSince != nil }
        for member in room.members {
            if let since = member.sendsStateSince {
                if now - since >= configuration.stateTimeout { close(member, .stateTimeout, at: now, into: &out) }
            } else if let since = member.owesStateSince, !isPaused, now - since >= configuration.statePatience {
                close(member, .noSavestate, at: now, into: &out)
            }
        }
    }

    /// The guest has the state: it may play.
    mutating func settle(_ guest: Guest, at now: Instant, into out: inout Outbox) {
        guest.state = .settled
        deadlines.cancel(guest.peer)
        if let room = guest.room { grantWishes(room, at: now, into: &out) }
    }

    private mutating func ask(_ source: Guest, in room: Room, at now: Instant, into out: inout Outbox) {
        source.owesStateSince = now
        out.send(ByteBuffer(.requestSavestate, length: 0), to: source.peer)
        // A spectator stands still until there is a frame to run, and says its state only when it runs.
        if !source.isPlaying { endFrame(room, at: now, into: &out) }
    }

    /// One that nobody asked for is as good as any: a player loaded it from his disk. Of another length it is not, as
    /// those of RetroArch 1.14 are; but asked again he says the same state in its usual length.
    private mutating func isShareable(_ state: NetplaySavestate, in room: Room, at now: Instant) -> Bool {
        if room.request == nil {
            guard room.stateSize.map({ $0 == state.rawSize }) ?? true, room.states.take(at: now, rate: Self.stateRate)
            else { return false }
        }
        // A few bytes of zlib can be many of a state: what all rooms inflate together is bounded too.
        return (0...min(state.rawSize, UInt32(clamping: configuration.maxStateBytes)) >> 20).allSatisfy { _ in
            inflating.take(at: now, rate: Self.mebibytesInflated)
        }
    }

    /// He was asked, and has gone on or was not there yet. What he says to the next question is.
    private mutating func receiveOtherFrame(
        from guest: Guest, in room: Room, at now: Instant, into out: inout Outbox
    ) {
        guard var request = room.request, request.source === guest else {
            room.wantsState = true
            return requestState(room, at: now, into: &out)
        }
        guard request.tries < Self.mostTries else { return close(guest, .noSavestate, at: now, into: &out) }
        request.tries += 1
        room.request = request
        ask(guest, in: room, at: now, into: &out)
    }

    private mutating func share(
        _ state: SharedState, from source: Guest, in room: Room, at now: Instant, into out: inout Outbox
    ) {
        for member in room.members where member !== source {
            guard let message = state.message(compressed: member.usesZlib) else { continue }
            out.forward(message, to: member.peer)
            guard member.needsState else { continue }
            // What tells that the state has arrived: an answer to a ping behind it, or, where protocol 5 has none, that
            // all of it has left.
            member.state = .sent(at: now)
            deadlines.schedule(member.peer, at: now + configuration.stateTimeout)
            if member.protocolVersion >= 6 {
                out.send(ByteBuffer(.pingRequest, length: 0), to: member.peer)
            } else if member.isWritable {
                settle(member, at: now, into: &out)
            }
        }
        room.skipInput(before: state.frame, of: source)
        out.emit(RoomEvent.stateShared(source.peer, frame: state.frame, rawSize: state.rawSize))
    }

    /// Nobody is left who has the state. Who came first begins anew, and what it has is the room's.
    private mutating func beginAnew(_ room: Room, at now: Instant, into out: inout Outbox) {
        guard let first = room.members.first(where: \.needsState) else { return }
        room.wantsState = room.members.count > 1
        settle(first, at: now, into: &out)
    }
}

extension Room {
    /// Who is to be asked for the room's state; `nil` if nobody has it.
    fileprivate var stateSource: Guest? {
        pacemaker ?? members.first { $0.isSettled }
    }
}

/// A savestate in the forms its receivers want, each made once and when it is first needed.
struct SharedState {
    let frame: UInt32
    let rawSize: UInt32
    private let raw: ByteBuffer
    private let compressed: ByteBuffer?

    /// Checks the state against its sizes; `nil` if it is not what they say.
    init?(_ state: NetplaySavestate, isCompressed: Bool, maxBytes: Int) {
        guard state.rawSize > 0, Int(state.rawSize) <= maxBytes else { return nil }
        frame = state.frame
        rawSize = state.rawSize
        if isCompressed {
            guard let raw = StateCompression.inflated(state.content, rawSize: Int(state.rawSize)) else { return nil }
            self.raw = raw
            compressed = state.content
        } else {
            guard state.content.readableBytes == Int(state.rawSize) else { return nil }
            raw = state.content
            compressed = nil
        }
    }

    func message(compressed isCompressed: Bool) -> ByteBuffer? {
        guard isCompressed else { return NetplaySavestate(frame: frame, rawSize: rawSize, content: raw).encoded }
        return (compressed ?? StateCompression.deflated(raw)).map {
            NetplaySavestate(frame: frame, rawSize: rawSize, content: $0).encoded
        }
    }
}
