public import RelayCore

/// How an end of the tunnel stands: for a status line, `--json` and the doctor.
public struct TunnelStatus: Equatable, Sendable {
    public enum Phase: String, Sendable {
        case connecting
        case joined
        /// Joined, but the relay gives no sign of life; another connection is sought.
        case silent
        /// For good.
        case ended
    }

    public var phase: Phase
    /// The transport's name of the connection that is used.
    public var connection: PeerID?
    /// What the relay said when it let this end in; kept while another connection is sought.
    public var welcome: ControlMessage.Welcome?
    /// Who else is in the room.
    public var peers: [ControlMessage.PeerNotice]
    public var hasGateway: Bool
    /// From here to the relay and back, through the queue of datagrams.
    public var roundTrip: Duration?
    /// Counted here: received from the relay and sent to it.
    public var stats: TunnelStats
    /// Frames dropped here, by reason.
    public var drops: [DropReason: Int]
    /// What the relay last said it counted for this end: received from it and sent to it.
    public var relayStats: TunnelStats?
    /// Frames of this end that the relay dropped, by reason.
    public var relayDrops: [DropReason: Int]
    /// How often a connection was found after one was lost.
    public var reconnects: Int
    /// Of a gateway: whether it forwards nothing because of a loop.
    public var isStopped = false
    /// Of a gateway: how many machines its LAN has shown.
    public var lanStations = 0
}
