import NIOCore
import RelayCore

/// One connection to the master.
///
/// A class, because looking one up in a table and changing it there would copy much for every packet. Nobody but the
/// engine that made it may hold one.
final class Session {
    let peer: PeerID
    let endpoint: Endpoint
    let connectedAt: Instant
    let account: AddressAccount
    var frames = FrameReader()
    /// Whether the master has parted from it, and nothing it sent counts any more.
    var isGone = false
    /// Who it is; `nil` before its `Initialize`.
    var identity: InitializeMessage?
    var passphrase = Passphrase.none
    /// The network it is in.
    var network: Network?
    /// Its address there.
    var address = VirtualAddress.any
    /// The network it wants to open, while it is found out whether its P2P proxy can be reached.
    var creation: AccessPoint?
    /// What it sent meanwhile.
    var held = ByteBuffer()
    /// How often it may still change its network.
    var changes: TokenBucket
    private(set) var heardAt: Instant
    private var pingID: UInt8 = 0
    private(set) var awaitsAnswer = false

    init(_ peer: PeerID, from endpoint: Endpoint, account: AddressAccount, at now: Instant) {
        self.peer = peer
        self.endpoint = endpoint
        self.account = account
        connectedAt = now
        heardAt = now
        changes = TokenBucket(at: now)
    }

    var isHost: Bool { network?.host == peer }

    /// Notes that a packet came: whatever it is, its sender lives.
    func hear(at now: Instant) {
        heardAt = now
        awaitsAnswer = false
    }

    /// The next question whether it lives.
    func ping() -> PingMessage {
        var ping = PingMessage()
        ping.id = pingID
        pingID &+= 1
        awaitsAnswer = true
        return ping
    }
}
