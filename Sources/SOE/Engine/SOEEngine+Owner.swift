public import RelayCore

extension SOEEngine {
    /// From now on no new sessions are accepted; those that exist go on.
    public mutating func drain() {
        isDraining = true
    }

    /// New sessions again: the operator has ended the drain.
    public mutating func endDrain() {
        isDraining = false
    }

    /// Begins to end all sessions. Each goes on until what was taken for it has arrived, or its `flushTimeout` is over:
    /// `sessionCount` says when that is done.
    public mutating func stop(
        reason: DisconnectReason = .application, at now: Instant, into out: inout DatagramOutbox
    ) {
        isDraining = true
        for slot in table.all { disconnect(slot.session.id, reason: reason, at: now, into: &out) }
    }

    /// Takes new settings; sessions that exist keep theirs.
    public mutating func reconfigure(_ configuration: SOEConfiguration) {
        self.configuration = configuration
        admission.limits = configuration.limits
    }

    /// A copy of what is going on, for people to look at: each session is a room with one member.
    public func rooms(at now: Instant) -> [RoomSnapshot] {
        table.all.map { slot in
            let session = slot.session
            let peer = PeerSnapshot(
                peer: session.id, name: "", role: session.role == .client ? "server" : "client",
                endpoint: session.remote, connected: now - session.openedAt)
            let digits = String(session.wireID, radix: 16)
            return RoomSnapshot(id: String(repeating: "0", count: 8 - digits.count) + digits, peers: [peer])
        }
    }
}
