public import RelayCore

extension SOESession {
    /// Whether the next reliable packet is left unacknowledged, because the application takes no messages at the moment. The
    /// peer sends it again until it is taken, so it slows down and nothing is lost. Unreliable messages are dropped.
    public mutating func pauseDelivery(_ isPaused: Bool) {
        self.isPaused = isPaused
    }
}

extension SOEEngine {
    /// Takes no messages from a peer for a while, or takes them again: see `SOESession.pauseDelivery`.
    public mutating func pauseDelivery(from peer: PeerID, _ isPaused: Bool) {
        table[peer]?.session.pauseDelivery(isPaused)
    }

    /// Bytes that wait for a peer or for its acknowledgement; 0 if there is no such session.
    public func queuedBytes(for peer: PeerID) -> Int {
        table[peer]?.session.queuedBytes ?? 0
    }

    /// All sessions, those that are just ending included.
    public var peers: [PeerID] { table.all.map { $0.session.id } }
}

extension SOESession {
    /// Whether messages are encrypted in any direction.
    public var isEncrypted: Bool { sending.isOn || receiving.isOn }
}
