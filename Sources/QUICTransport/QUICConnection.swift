internal import CNgtcp2
internal import RelayCore

/// One connection's state: the library's objects and what waits to be sent. Owned by its endpoint, and by it alone.
final class QUICConnection {
    typealias Reference = UnsafeMutablePointer<ngtcp2_crypto_conn_ref>

    let id: PeerID
    /// Its endpoint, which outlives it.
    unowned(unsafe) let endpoint: QUICEndpoint
    /// Set once, right after the object is made, since the library's constructor wants the object's address.
    var library: OpaquePointer?
    var session: gnutls_session_t?
    /// Through this the TLS session finds the connection.
    let reference: Reference
    /// Kept as long as the session may look into it.
    var serverCredentials: ServerCredentials?
    var clientCredentials: ClientCredentials?
    let serverName: String

    /// Where the peer is now.
    var remote: Endpoint
    var remoteStorage: SocketAddressStorage
    /// The connection IDs by which its packets find it, and the one the client chose at first.
    var localIDs: [UInt64] = []
    var initialID: WireID?

    var isConnected = false
    /// The library is handing over what a packet brought: nothing may be written now.
    var isReading = false
    /// It is in the endpoint's list of those to be looked after at the next flush.
    var isTouched = false
    /// Something besides acknowledgements may be to be written then.
    var hasWork = false
    /// Packets with datagrams that came since it was last asked for what it has to write, and when the first did.
    var unanswered = 0
    var unansweredSince = Instant.zero
    var closeRequest: (code: UInt64, reason: String)?
    /// Why the server's certificate was refused.
    var objection: String?
    /// Whether the handshake went well but for the application's protocol, which the peer did not name.
    var lacksProtocol = false
    var wasReset = false
    /// Set once: it is over, and is told so at the end of the flush.
    var ending: QUICCloseReason?
    var maxDatagram = 0

    var streams: [Int64: StreamBacklog] = [:]
    var streamsWithWork: [Int64] = []
    var backlog = 0

    var urgent: DatagramRing
    var bulk: DatagramRing
    var counters = QUICConnectionCounters()

    /// The group of packets it wrote last, in which batch.
    var group = 0
    var groupBatch: UInt64 = 0

    init(_ id: PeerID, endpoint: QUICEndpoint, remote: Endpoint, serverName: String) {
        self.id = id
        self.endpoint = endpoint
        self.remote = remote
        self.serverName = serverName
        remoteStorage = SocketAddressStorage(remote)
        let limits = endpoint.configuration.datagrams
        urgent = DatagramRing(slots: limits.urgentCount, slotBytes: limits.maxBytes)
        bulk = DatagramRing(slots: limits.bulkCount, slotBytes: limits.maxBytes)
        reference = .allocate(capacity: 1)
        reference.initialize(
            to: ngtcp2_crypto_conn_ref(
                get_conn: { reference in
                    guard let context = reference?.pointee.user_data else { return nil }
                    return QUICConnection.from(context)._withUnsafeGuaranteedRef { $0.library }
                }, user_data: nil))
        reference.pointee.user_data = context
    }

    deinit {
        if let library { ngtcp2_conn_del(library) }
        if let session { gnutls_deinit(session) }
        for id in Array(streams.keys) { streams[id]?.discard() }
        reference.deallocate()
    }

    /// What the library hands back to its callbacks.
    var context: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    static func from(_ context: UnsafeMutableRawPointer) -> Unmanaged<QUICConnection> {
        Unmanaged.fromOpaque(context)
    }

    /// The largest datagram that fits a packet of the present path and that the peer takes.
    func currentMaxDatagram() -> Int {
        guard let library, let parameters = ngtcp2_conn_get_remote_transport_params(library) else { return 0 }
        let peerTakes = Int(clamping: parameters.pointee.max_datagram_frame_size) - 3
        // First byte, connection ID, packet number, authentication tag; the frame's type and length.
        let headers = 1 + Int(ngtcp2_conn_get_dcid(library).pointee.datalen) + 4 + 16 + 3
        let fits = Int(ngtcp2_conn_get_path_max_tx_udp_payload_size(library)) - headers
        return max(0, min(peerTakes, fits, endpoint.configuration.datagrams.maxBytes))
    }
}

/// What one connection has done with datagrams.
public struct QUICConnectionCounters: Hashable, Sendable {
    /// DATAGRAM frames received, and sent.
    public var received = 0
    public var sent = 0
    /// How many had to wait for the congestion window.
    public var queued = 0
    /// Dropped because the queue was full; because they had waited too long; because no packet can carry them.
    public var overflowed = 0
    public var expired = 0
    public var oversized = 0
}

/// The path of a connection as it is now.
public struct QUICPathStatistics: Hashable, Sendable {
    /// Smoothed round-trip time (RFC 9002, section 5.3).
    public var roundTrip: Duration
    /// The congestion window, and what of it is in flight, in bytes.
    public var congestionWindow: Int
    public var bytesInFlight: Int
    /// The largest UDP payload that the path carries, in bytes, as far as is known.
    public var maxUDPPayload: Int
}

/// A connection ID of up to 20 bytes, packed to be hashed.
struct WireID: Hashable {
    private var first: UInt64 = 0
    private var second: UInt64 = 0
    private var third: UInt32 = 0
    private var count: UInt8 = 0

    /// `nil` if it is longer than the protocol allows.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count <= 20 else { return nil }
        var packed: (UInt64, UInt64, UInt32) = (0, 0, 0)
        withUnsafeMutableBytes(of: &packed) { $0.copyMemory(from: bytes) }
        (first, second, third) = packed
        count = UInt8(bytes.count)
    }

    init?(_ id: ngtcp2_cid) {
        guard id.datalen <= 20 else { return nil }
        let packed = withUnsafeBytes(of: id.data) { WireID(UnsafeRawBufferPointer(rebasing: $0[..<id.datalen])) }
        guard let packed else { return nil }
        self = packed
    }
}
