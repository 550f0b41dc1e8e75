import RelayCore

/// A connection as an operator sees it.
struct PeerDetail: Sendable {
    /// What is counted for each connection.
    struct Counters: Sendable {
        var bytesReceived: UInt64
        var bytesSent: UInt64
        /// Bytes that wait because the peer reads slowly.
        var queuedBytes: Int
    }

    var peer: String
    var address: IPAddress
    /// Address and port.
    var endpoint: String
    var connectedSeconds: Int
    /// The room it is in, what the protocol calls it there, and the part it plays.
    var membership: (room: String, name: String, role: String)?
    /// `nil` where a relay does not count for each peer.
    var counters: Counters?

    init(_ member: PeerSnapshot, in room: String) {
        peer = member.peer
        endpoint = member.endpoint
        address = member.address
        connectedSeconds = member.connectedSeconds
        membership = (room, member.name, member.role)
    }

    init(
        _ connection: StreamConnection, _ peer: PeerID, _ member: (room: String, peer: PeerSnapshot)?,
        at now: Instant
    ) {
        self.peer = peer.description
        endpoint = connection.endpoint.description
        address = connection.endpoint.address
        connectedSeconds = Int((now - connection.openedAt).components.seconds)
        membership = member.map { ($0.room, $0.peer.name, $0.peer.role) }
        counters = Counters(
            bytesReceived: connection.bytesReceived, bytesSent: connection.bytesSent,
            queuedBytes: connection.queuedBytes)
    }
}
