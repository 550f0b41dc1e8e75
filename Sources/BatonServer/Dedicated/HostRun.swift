import NIOCore
import Netplay
import RelayCore

/// What exists of one host in the world: its door, the connections to it, its program. Confined to the driver's loop.
final class HostRun {
    /// A connection to the host, from a guest or for one.
    final class Visit {
        let id: PeerID
        let channel: any Channel
        /// Where the guest is; without a port if it comes through a tunnel.
        let endpoint: Endpoint
        let since: Instant
        /// What it is; `nil` while it stands at the gate.
        var kind: GuestGate.Visitor?
        /// Why it was closed, if that was not the other side.
        var reason: CloseReason?

        init(_ id: PeerID, channel: any Channel, endpoint: Endpoint, since: Instant) {
            self.id = id
            self.channel = channel
            self.endpoint = endpoint
            self.since = since
        }
    }

    /// The most connections to one host; a game has fewer guests.
    static let maxVisits = 32

    let id: PeerID
    let request: HostingRequest
    /// Who opens it waits for this.
    let opened: EventLoopPromise<Void>
    var plan: HostPlan?
    /// What must be closed when the host ends.
    var door: [any Channel] = []
    var visits = PeerTable<Visit>()
    /// Where the program listens, on this machine.
    var localPort: UInt16?
    var program: Task<Void, Never>?
    /// The last the program wrote.
    let output: OutputTail
    /// How the program ended.
    var exit: String?
    let seat: Int
    /// The program, if there was one, is to end; what it does is no news any more.
    var isStopping = false
    /// What the last announcement came to: only changes are logged.
    var isAnnounced: Bool?

    init(_ id: PeerID, _ request: HostingRequest, seat: Int, opened: EventLoopPromise<Void>, output: OutputTail) {
        self.id = id
        self.seat = seat
        self.output = output
        self.request = request
        self.opened = opened
    }
}
