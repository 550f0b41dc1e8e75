import LANBridge
import NIOCore
import RelayCore

/// The engine of one end of the tunnel: exactly one of the two is there. (A generic driver would be called unspecialised
/// by the transport, for every frame.)
struct TunnelEnd {
    private var client: LANClientEngine?
    private var gateway: LANGatewayEngine?

    init(client: LANClientEngine) { self.client = client }

    init(gateway: LANGatewayEngine) { self.gateway = gateway }

    mutating func start(at now: Instant, into out: inout LANOutbox) {
        client?.start(at: now, into: &out)
        gateway?.start(at: now, into: &out)
    }

    mutating func connect(_ relay: PeerID, datagram: Int, at now: Instant, into out: inout LANOutbox) {
        client?.connect(relay, datagram: datagram, at: now, into: &out)
        gateway?.connect(relay, datagram: datagram, at: now, into: &out)
    }

    mutating func setDatagram(_ size: Int, of relay: PeerID) {
        client?.setDatagram(size, of: relay)
        gateway?.setDatagram(size, of: relay)
    }

    mutating func disconnect(_ relay: PeerID?, _ loss: RelayLoss, at now: Instant, into out: inout LANOutbox) {
        client?.disconnect(relay, loss, at: now, into: &out)
        gateway?.disconnect(relay, loss, at: now, into: &out)
    }

    mutating func networkChanged(at now: Instant, into out: inout LANOutbox) {
        client?.networkChanged(at: now, into: &out)
        gateway?.networkChanged(at: now, into: &out)
    }

    mutating func receiveControl(_ bytes: ByteBuffer, from relay: PeerID, at now: Instant, into out: inout LANOutbox) {
        client?.receiveControl(bytes, from: relay, at: now, into: &out)
        gateway?.receiveControl(bytes, from: relay, at: now, into: &out)
    }

    @inline(__always)
    mutating func receiveDatagram(_ datagram: RawSpan, from relay: PeerID, at now: Instant, into out: inout LANOutbox) {
        client?.receiveDatagram(datagram, from: relay, at: now, into: &out)
        gateway?.receiveDatagram(datagram, from: relay, at: now, into: &out)
    }

    @inline(__always)
    mutating func receiveFrame(_ frame: RawSpan, at now: Instant, into out: inout LANOutbox) {
        client?.receiveFrame(frame, at: now, into: &out)
        gateway?.receiveFrame(frame, at: now, into: &out)
    }

    mutating func askForStats(into out: inout LANOutbox) {
        client?.askForStats(into: &out)
        gateway?.askForStats(into: &out)
    }

    /// (`mutating`, so that the engine is not copied to be asked.)
    var nextDeadline: Instant? {
        mutating get { client?.nextDeadline ?? gateway?.nextDeadline }
    }

    mutating func advance(to now: Instant, into out: inout LANOutbox) {
        client?.advance(to: now, into: &out)
        gateway?.advance(to: now, into: &out)
    }

    mutating func leave(at now: Instant, into out: inout LANOutbox) {
        client?.leave(at: now, into: &out)
        gateway?.leave(at: now, into: &out)
    }

    /// `nil` never, but the two engines have it each.
    var status: TunnelStatus? { client?.status ?? gateway?.status }
}
