public import RelayCore

/// One dedicated host as the desk sees it, and how far it has come.
struct DedicatedHost {
    /// finding -> opening the door -> starting -> open -> stopping -> gone
    ///
    /// From each of the first four straight to stopping, if anything goes wrong.
    enum Phase: Equatable {
        /// Core and content are looked for.
        case finding
        /// Its door is being opened. So many ports were tried in vain.
        case openingDoor(port: UInt16?, tried: Int)
        /// The program has been started and does not answer yet.
        case starting
        /// It takes guests.
        case open
        /// All of it is being ended.
        case stopping(HostEnd)
    }

    let request: HostingRequest
    /// Whose datagram it answers; `nil` for an operator's host.
    let owner: Endpoint?
    /// The lowest number that no other host has, from 1: what tells hosts of one nick apart.
    let seat: Int
    let createdAt: Instant
    var phase = Phase.finding
    /// Who waits for the answer.
    var asker: Asker?
    var invitation: HostingInvitation?
    var guests = 0
    /// By when it must answer, while it does not.
    var startBy: Instant
    var nextProbe: Instant?
    /// Questions in a row that an open host left unanswered.
    var missedProbes = 0
    var nextAnnouncement: Instant?
    /// When it has had no guest for too long; `nil` while it has one.
    var idleAt: Instant?
    /// It ends with its last guest: nobody else can join any more.
    var isClosing: HostEnd?

    /// When something must be done about it.
    var nextDeadline: Instant? {
        let deadlines: [Instant?] =
            switch phase {
            case .finding, .openingDoor: [startBy]
            case .starting: [startBy, nextProbe]
            case .open: [nextProbe, nextAnnouncement, idleAt]
            case .stopping: []
            }
        return deadlines.compactMap { $0 }.min()
    }

    var isStopping: Bool {
        if case .stopping = phase { return true }
        return false
    }
}

/// A dedicated host as an operator sees it.
public struct DedicatedHostSnapshot: Sendable, Equatable {
    public var id: PeerID
    /// `finding`, `opening`, `starting`, `open` or `stopping`.
    public var state: String
    public var request: HostingRequest
    public var seat: Int
    public var guests: Int
    public var invitation: HostingInvitation?
    public var age: Duration

    init(_ id: PeerID, _ host: DedicatedHost, at now: Instant) {
        self.id = id
        state =
            switch host.phase {
            case .finding: "finding"
            case .openingDoor: "opening"
            case .starting: "starting"
            case .open: "open"
            case .stopping: "stopping"
            }
        request = host.request
        seat = host.seat
        guests = host.guests
        invitation = host.invitation
        age = now - host.createdAt
    }
}
