public import NIOCore
public import RelayCore

/// Rooms without a host: the engine plays the host of RetroArch's netplay, with no device of its own.
///
/// A guest says by an id which room it wants, or plays with those who have the same core and content. It shakes hands
/// with the engine as it would with a RetroArch, and gets the savestate of a guest that plays. The room's clock is one
/// of its players, the *pacemaker*: each input of his ends a frame for everybody. When he leaves, another one is; a room
/// lives as long as anybody is in it.
public struct RoomEngine: StreamEngine {
    /// The highest protocol that is spoken.
    static let highestProtocol: UInt32 = 6
    static let lowestProtocol: UInt32 = 5
    /// What guests see as the host's name.
    static let nick = "Baton"

    var configuration: RoomConfiguration
    var random: RandomSource
    var isDraining = false
    var guests = PeerMap<Guest>()
    var rooms: RoomTable<RoomName, Room>
    /// When a handshake, or a savestate on its way to a guest, takes too long.
    var deadlines = DeadlineHeap()
    /// Names rooms for the sake of their timers.
    var roomSlots = PeerTable<Room>()
    /// When to look after a room, by its slot.
    var roomDeadlines = DeadlineHeap()
    /// What is kept of savestates that are on their way here, of all guests together.
    var keptStateBytes = 0
    /// What savestates may still be inflated, in MiB.
    var inflating = TokenBucket(at: .zero)

    public init(configuration: RoomConfiguration, random: RandomSource = .system) {
        self.configuration = configuration
        self.random = random
        rooms = RoomTable(capacity: configuration.maxRooms)
    }

    public mutating func connect(
        _ peer: PeerID, from endpoint: Endpoint, at now: Instant, into out: inout Outbox
    ) {
        guests[peer] = Guest(peer, from: endpoint, at: now)
        deadlines.schedule(peer, at: now + configuration.handshakeTimeout)
    }

    public mutating func receive(
        _ bytes: ByteBuffer, from peer: PeerID, at now: Instant, into out: inout Outbox
    ) {
        guard let guest = guests[peer] else { return }
        if case .opening(let before) = guest.phase {
            receiveOpening(bytes, after: before, from: guest, at: now, into: &out)
        } else {
            guest.reader.append(bytes)
        }
        readMessages(of: guest, at: now, into: &out)
    }

    public mutating func receiveEnd(from peer: PeerID, at now: Instant, into out: inout Outbox) {
        guard let guest = guests[peer] else { return }
        close(guest, .peerClosed, at: now, into: &out)
    }

    public mutating func disconnect(
        _ peer: PeerID, reason: CloseReason, at now: Instant, into out: inout Outbox
    ) {
        guard let guest = guests[peer] else { return }
        forget(guest, at: now, into: &out)
    }

    public mutating func writability(
        of peer: PeerID, is writable: Bool, at now: Instant, into out: inout Outbox
    ) {
        guard let guest = guests[peer] else { return }
        guest.isWritable = writable
        if writable, case .sent = guest.state, guest.protocolVersion < 6 { settle(guest, at: now, into: &out) }
    }

    public mutating func advance(to now: Instant, into out: inout Outbox) {
        while let peer = deadlines.popDue(at: now) {
            guard let guest = guests[peer] else { continue }
            close(guest, guest.isMember ? .stateTimeout : .handshakeTimeout, at: now, into: &out)
        }
        while let slot = roomDeadlines.popDue(at: now) {
            guard let room = roomSlots[slot] else { continue }
            roomDeadlines.schedule(slot, at: now + Self.roomInterval)
            lookAfter(room, at: now, into: &out)
        }
    }

    public var nextDeadline: Instant? {
        guard let guest = deadlines.next else { return roomDeadlines.next }
        return roomDeadlines.next.map { min($0, guest) } ?? guest
    }

    public mutating func drain(at now: Instant, into out: inout Outbox) {
        isDraining = true
    }

    public mutating func endDrain(at now: Instant, into out: inout Outbox) {
        isDraining = false
    }

    public mutating func stop(at now: Instant, into out: inout Outbox) {
        isDraining = true
        for (_, guest) in guests.all where !guest.isGone {
            if guest.isMember { out.send(ByteBuffer(.disconnect, length: 0), to: guest.peer) }
            close(guest, .serverStopping, at: now, into: &out)
        }
    }

    /// Tells a guest that is in that it is disconnected, and parts from it; one on its way in just finds the end.
    public mutating func kick(_ peer: PeerID, for removal: Removal, at now: Instant, into out: inout Outbox) {
        guard let guest = guests[peer] else { return }
        if guest.isMember { out.send(ByteBuffer(.disconnect, length: 0), to: peer) }
        close(guest, removal.closeReason, at: now, into: &out)
    }

    /// Takes new settings; guests and rooms stay, and a room keeps its devices.
    public mutating func reconfigure(_ configuration: RoomConfiguration) {
        self.configuration = configuration
        rooms.capacity = configuration.maxRooms
    }

    public var roomCount: Int { rooms.count }

    public func rooms(at now: Instant) -> [RoomSnapshot] {
        rooms.all.map { name, room in
            let peers = (room.members + room.arriving).map { guest in
                PeerSnapshot(
                    peer: guest.peer, name: guest.nick, role: guest.role, endpoint: guest.endpoint,
                    connected: now - guest.connectedAt
                )
            }
            return RoomSnapshot(id: name.description, peers: peers)
        }
    }

    /// Says NAK, the protocol's word for "I cannot go on with you", and parts.
    mutating func refuse(_ guest: Guest, _ reason: CloseReason, at now: Instant, into out: inout Outbox) {
        out.send(ByteBuffer(.nak, length: 0), to: guest.peer)
        close(guest, reason, at: now, into: &out)
    }

    mutating func close(_ guest: Guest, _ reason: CloseReason, at now: Instant, into out: inout Outbox) {
        guard !guest.isGone else { return }
        out.close(guest.peer, reason)
        forget(guest, at: now, into: &out)
    }

    private mutating func forget(_ guest: Guest, at now: Instant, into out: inout Outbox) {
        guest.isGone = true
        guests.remove(guest.peer)
        deadlines.cancel(guest.peer)
        countKeptState(of: guest, 0)
        leave(guest, at: now, into: &out)
    }

    /// Keeps the sum of what savestates that have not all come take up.
    mutating func countKeptState(of guest: Guest, _ bytes: Int) {
        keptStateBytes += bytes - guest.keptStateBytes
        guest.keptStateBytes = bytes
    }
}

extension Guest {
    /// The part it plays, for an operator.
    fileprivate var role: String {
        if !isMember { return "arriving" }
        return isPlaying ? "player \(devices.trailingZeroBitCount + 1)" : wish == nil ? "spectator" : "waiting to play"
    }
}
