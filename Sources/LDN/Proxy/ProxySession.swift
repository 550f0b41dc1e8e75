import NIOCore
import RelayCore

/// A connection to a P2P proxy: a stranger, one whose token is awaited, or a player.
///
/// A class, so that a player is found once and then held; it belongs to its engine alone.
final class ProxySession {
    let peer: PeerID
    let endpoint: Endpoint
    let connectedAt: Instant
    var frames = FrameReader()
    /// Set while it waits for the token it has shown to be announced.
    var shown: ProxyToken?
    /// What it said meanwhile.
    var held = ByteBuffer()
    /// The player's address; `any` before there is one.
    var address = VirtualAddress.any
    var isPlayer = false
    var isGone = false

    init(_ peer: PeerID, from endpoint: Endpoint, at now: Instant) {
        self.peer = peer
        self.endpoint = endpoint
        connectedAt = now
    }

    /// Sorts those who wait by when they came.
    var number: (Int64, UInt32) { (connectedAt.nanoseconds, peer.slot) }
}
