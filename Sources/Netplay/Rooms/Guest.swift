import NIOCore
import RelayCore

/// A connection to a room's listener, as the engine knows it.
///
/// A class, because rooms and the table of peers both look at it for every input. Nobody but the engine that made it
/// may hold one.
final class Guest {
    /// opening -> handshake -> member
    enum Phase {
        /// It has not said its header.
        case opening(ByteBuffer)
        case handshake(Handshake)
        /// It is in step with its room.
        case member
    }

    /// What the handshake waits for.
    enum Handshake {
        case nick
        case password
        /// `isRoomKnown` is false while the guest was told an empty INFO: it answers twice.
        case info(isRoomKnown: Bool)
    }

    let peer: PeerID
    let endpoint: Endpoint
    let connectedAt: Instant
    var phase = Phase.opening(ByteBuffer())
    /// Whether the engine has parted from it, and nothing it sent counts any more.
    var isGone = false
    var reader = NetplayMessageReader()
    /// What of `reader` counts as kept for a savestate.
    var keptStateBytes = 0
    /// Since when a savestate that is wanted has been coming.
    var sendsStateSince: Instant?
    /// The room it is in, or on its way into.
    var room: Room?
    var header = NetplayHeader()
    /// The protocol both sides speak: 5 or 6.
    var protocolVersion: UInt32 = 0
    var usesZlib = false
    /// What its password is salted with; 0 if none is wanted.
    var salt: UInt32 = 0
    var nick = ""
    /// From 1 on; the host, which nobody sees, would be 0.
    var client: UInt32 = 0
    private var inputs: TokenBucket
    private var controls: TokenBucket
    private var chat: TokenBucket
    private var asksToPlay: TokenBucket

    // MARK: Playing

    /// A bitmap; 0 for a spectator.
    var devices: UInt32 = 0
    /// The frame its next input must be for.
    var nextFrame: UInt32 = 0
    /// Its input for frames the room has not come to, the last one for the frame before `nextFrame`.
    var held: [ByteBuffer] = []
    /// How it wants to play, while it waits for that.
    var wish: NetplayPlay?
    /// The room's frame at which it was last told to wait for the others.
    var stalledAt: UInt32?

    // MARK: State

    /// How far it is from having the room's state.
    enum State {
        case needed
        /// It is on its way.
        case sent(at: Instant)
        case settled
    }

    var state = State.needed
    var isWritable = true
    /// Since when it has been asked for a state that has not begun to come. Until it has come, the frame the guest is in
    /// is not known.
    var owesStateSince: Instant?

    // MARK: Pausing

    /// Since when it pauses the room.
    var pausesSince: Instant?
    /// Whether it was told that somebody else does.
    var isToldPaused = false

    init(_ peer: PeerID, from endpoint: Endpoint, at now: Instant) {
        self.peer = peer
        self.endpoint = endpoint
        connectedAt = now
        inputs = TokenBucket(at: now)
        controls = TokenBucket(at: now)
        chat = TokenBucket(at: now)
        asksToPlay = TokenBucket(at: now)
    }

    var isMember: Bool {
        if case .member = phase { true } else { false }
    }

    var isPlaying: Bool { devices != 0 }

    var isSettled: Bool {
        if case .settled = state { true } else { false }
    }

    var needsState: Bool {
        if case .needed = state { true } else { false }
    }

    /// Counts an input. A second of a game has 60 and a guest that hurries some more; many seconds of them may come at
    /// once when a network wakes up.
    func takeInput(at now: Instant) -> Bool {
        inputs.take(at: now, rate: TokenBucket.Rate(perSecond: 300, burst: 3000))
    }

    /// Counts a command that costs others something; `false` if it is one too many.
    func takeControl(at now: Instant) -> Bool {
        controls.take(at: now, rate: TokenBucket.Rate(perSecond: 5, burst: 30))
    }

    func takeChat(at now: Instant) -> Bool {
        chat.take(at: now, rate: TokenBucket.Rate(perSecond: 2, burst: 8))
    }

    func takePlay(at now: Instant) -> Bool {
        asksToPlay.take(at: now, rate: TokenBucket.Rate(perSecond: 1, burst: 4))
    }
}
