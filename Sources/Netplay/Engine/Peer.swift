import NIOCore
import RelayCore

/// A connection to the tunnel, and how far it has come.
struct Peer {
    let endpoint: Endpoint
    let connectedAt: Instant
    /// When bytes last came from it. Linked pairs are idle by this; it is all that a relayed read writes.
    var lastReceived: Instant
    var phase: Phase

    /// opening -> owner | pending -> linked (guest) | linked (link)
    ///
    /// Most peers of a busy server are linked, so no other case takes room in the table.
    enum Phase {
        /// It has not said what it is.
        indirect case opening(Opening)
        /// The control connection of a host.
        indirect case owner(Owner)
        /// A guest whose host has not opened the link yet.
        case pending(PendingGuest)
        /// A guest or a host's link, joined to its partner.
        case linked(Linked)
    }

    struct Opening {
        /// What has come of the first message.
        var bytes = ByteBuffer()
        /// When it must have said its first four bytes, and then again for the rest.
        var deadline: Instant
    }

    struct Owner {
        let session: TunnelID
        /// The beginning of a word or query.
        var bytes = ByteBuffer()
        var pingAt: Instant
        var unansweredPings = 0
        /// When an address query that has begun must be complete.
        var queryDeadline: Instant?
    }

    struct PendingGuest {
        let id: TunnelID
        let session: TunnelID
    }

    struct Linked {
        let partner: PeerID
        let id: TunnelID
        let session: TunnelID
        let role: Role
        /// It has sent FIN: its partner was told that nothing more comes.
        var hasEnded = false
        /// Its bytes are not merely copied; the engine's `transcodings` know what becomes of them.
        var isInspected = false
    }

    /// Notes that bytes came. Of a peer whose bytes are merely copied, answers whom they are for.
    mutating func hear(at now: Instant) -> PeerID? {
        lastReceived = now
        if case .linked(let link) = phase, !link.isInspected { return link.partner }
        return nil
    }

    enum Role: String {
        case guest
        case link

        var other: Role { self == .guest ? .link : .guest }
    }
}

/// A host and its guests. It lasts until the last of them has gone.
struct Session {
    /// `nil` once the host has gone: nobody can join any more, pairs play on.
    var owner: PeerID?
    var pending: Set<PeerID> = []
    var linkedGuests: Set<PeerID> = []
    /// Guests whose host has been told of them and opens a link now.
    var announced: Set<PeerID> = []
    /// Guests to announce, in the order they came.
    var unannounced: [PeerID] = []

    var memberCount: Int { (owner == nil ? 0 : 1) + pending.count + linkedGuests.count }
}
