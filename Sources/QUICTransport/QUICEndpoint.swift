internal import CNgtcp2
internal import Glibc
public import RelayCore

/// QUIC version 1 with DATAGRAM (RFC 9000, 9001, 9002, 9221) behind one UDP address: any number of connections that
/// were called from here, and, with a certificate, those that others begin.
///
/// Sans-I/O: datagrams and the time come in by `receive`, `advance` and `flush`; packets and events go out to the
/// delegate. It belongs to one thread. Its keys and connection IDs come from the system's randomness, since everything
/// rests on their being unpredictable; a certificate's dates are compared with the system's clock. All else depends on
/// the inputs alone.
///
/// The order of calls, once per wake-up: `receive` for each datagram, `advance`, then `flush`.
public final class QUICEndpoint {
    /// Hears what happens. Not kept alive.
    public weak var delegate: (any QUICDelegate)?
    public let configuration: QUICConfiguration
    public private(set) var counters = QUICEndpointCounters()

    static let localIDBytes = 8

    let local: SocketAddressStorage
    /// The address a packet came from, in the library's form.
    var sender: SocketAddressStorage
    private var lastSender: Endpoint
    /// Where the library says a packet is to go.
    let pathStorage: UnsafeMutablePointer<ngtcp2_path_storage>
    var batch: PacketBatch
    /// Grows with every batch, so that a connection knows whether its group is of this one.
    private(set) var batchNumber: UInt64 = 1

    private var connections = PeerTable<QUICConnection>()
    /// Those that were begun here.
    private var called: [QUICConnection] = []
    private var byLocalID: [UInt64: QUICConnection] = [:]
    var byInitialID: [WireID: QUICConnection] = [:]
    private var deadlines = DeadlineHeap()
    private var touched: [QUICConnection] = []
    private(set) var handshakes = 0

    private(set) var credentials: ServerCredentials?
    /// Stateless resets prove by this that they come from whom the connection was with.
    private var resetSecret: [UInt8]
    let tokenSecret: [UInt8]
    private var answers: TokenBucket
    var retries: TokenBucket

    /// - Parameters:
    ///   - local: where the socket is bound.
    ///   - certificate: the server's; without one nobody can call here.
    public init(
        _ configuration: QUICConfiguration, local: Endpoint, certificate: TLSCertificate? = nil, at now: Instant
    ) throws(TLSError) {
        self.configuration = configuration
        self.local = SocketAddressStorage(local)
        sender = SocketAddressStorage(local)
        lastSender = local
        batch = PacketBatch(maxPacketBytes: configuration.maxUDPPayload)
        answers = TokenBucket(at: now)
        retries = TokenBucket(at: now)
        resetSecret = Self.randomBytes(32)
        tokenSecret = Self.randomBytes(32)
        pathStorage = .allocate(capacity: 1)
        pathStorage.initialize(to: ngtcp2_path_storage())
        ngtcp2_path_storage_zero(pathStorage)
        if let certificate { try use(certificate) }
    }

    deinit { pathStorage.deallocate() }

    /// Takes another certificate for the handshakes that follow; connections that stand keep theirs.
    public func use(_ certificate: TLSCertificate) throws(TLSError) {
        credentials = try ServerCredentials(
            certificatePEM: certificate.certificatePEM, keyPEM: certificate.keyPEM)
        if connections.count == 0 { resetSecret = certificate.resetSecret }
    }

    public var connectionCount: Int { connections.count }

    // MARK: Inputs

    /// One datagram that came from the network. The library decrypts it in place, so its bytes change.
    public func receive(_ packet: UnsafeMutableRawBufferPointer, from remote: Endpoint, at now: Instant) {
        guard let base = packet.baseAddress, packet.count > 1 + Self.localIDBytes else {
            counters.malformed &+= 1
            return
        }
        if remote != lastSender {
            lastSender = remote
            sender.set(remote)
        }
        let bytes = base.assumingMemoryBound(to: UInt8.self)
        if bytes[0] & 0x80 == 0 {
            let key = UnsafeRawPointer(bytes + 1).loadUnaligned(as: UInt64.self)
            if let connection = byLocalID[key] {
                read(bytes, packet.count, for: connection, at: now)
            } else if let connection = called.first(where: { $0.remote == remote }) {
                // A server that was started anew: a stateless reset is addressed to nobody.
                read(bytes, packet.count, for: connection, at: now)
            } else {
                sendStatelessReset(for: bytes + 1, received: packet.count, to: remote, at: now)
            }
        } else {
            receiveLong(bytes, packet.count, from: remote, at: now)
        }
    }

    /// When `advance` has something to do; O(1).
    public var nextDeadline: Instant? { deadlines.next }

    /// Lets everything happen that is due: retransmissions, probes, timeouts.
    public func advance(to now: Instant) {
        while let id = deadlines.popDue(at: now) {
            guard let connection = connections[id], connection.ending == nil, let library = connection.library else {
                continue
            }
            let code = ngtcp2_conn_handle_expiry(library, now.library)
            if code == 0 { touch(connection) } else { fail(connection, code, at: now) }
        }
    }

    /// Sends what the inputs since the last flush brought about, and tells of connections that are over. To be called
    /// after each round of inputs, once.
    public func flush(at now: Instant) {
        var index = 0
        while index < touched.count {
            let connection = touched[index]
            index += 1
            if connection.ending == nil, let request = connection.closeRequest {
                writeClose(connection, request, at: now)
                end(connection, .local)
            }
            if connection.ending == nil {
                noticePath(of: connection)
                if connection.isDue { connection.pump(at: now) }
            }
            connection.isTouched = false
            if let reason = connection.ending {
                forget(connection, reason)
            } else {
                // The library is not told when packets went out (ngtcp2_conn_update_pkt_tx_time), so it does not pace:
                // frames come at the pace of their senders already, and an urgent one must not wait behind a burst.
                deadlines.schedule(connection.id, at: connection.deadline)
            }
        }
        touched.removeAll(keepingCapacity: true)
        transmit()
    }

    /// Sends a datagram that is given in two pieces, so that a header need not be copied before its payload.
    ///
    /// It goes out at once if the congestion window allows and nothing waits before it; else it waits in the queue of
    /// its priority, for the configured age at most.
    @discardableResult
    public func send(
        datagram head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer = .init(start: nil, count: 0),
        priority: DatagramPriority, to id: PeerID, at now: Instant
    ) -> DatagramOutcome {
        guard let connection = connections[id], connection.isConnected, connection.ending == nil,
            connection.closeRequest == nil
        else { return .notConnected }
        guard head.count + body.count <= connection.maxDatagram else {
            connection.counters.oversized &+= 1
            return .tooLarge
        }
        let mayPass = connection.urgent.isEmpty && (priority == .urgent || connection.bulk.isEmpty)
        touch(connection, hasWork: false)
        if mayPass, !connection.isReading {
            switch connection.write(datagram: head, body, at: now) {
            case .written: return .sent
            case .over: return .notConnected
            case .held: break
            }
        }
        let deadline = now + configuration.datagrams.maxAge
        let hasOverflowed =
            priority == .urgent
            ? connection.urgent.append(head, body, until: deadline)
            : connection.bulk.append(head, body, until: deadline)
        connection.counters.queued &+= 1
        if hasOverflowed { connection.counters.overflowed &+= 1 }
        return .queued
    }

    /// Opens a stream; `nil` if the connection is not there or the peer allows no more for now.
    public func openStream(bidirectional: Bool, on id: PeerID) -> Int64? {
        guard let connection = connections[id], connection.isConnected, connection.ending == nil,
            let library = connection.library
        else { return nil }
        var stream: Int64 = -1
        let code =
            bidirectional
            ? ngtcp2_conn_open_bidi_stream(library, &stream, nil) : ngtcp2_conn_open_uni_stream(library, &stream, nil)
        return code == 0 ? stream : nil
    }

    /// Appends to what a stream sends. Returns whether it was taken: not if the connection is over, the stream is
    /// ended, or more would be held than the configuration allows.
    @discardableResult
    public func send(_ bytes: UnsafeRawBufferPointer, stream: Int64, end: Bool = false, to id: PeerID) -> Bool {
        guard let connection = connections[id], connection.ending == nil, connection.closeRequest == nil else {
            return false
        }
        guard connection.backlog + bytes.count <= configuration.maxStreamBacklog else { return false }
        var state = connection.streams[stream] ?? StreamBacklog()
        guard !state.isEnding else { return false }
        state.append(bytes, end: end)
        connection.streams[stream] = state
        connection.backlog += bytes.count
        if !connection.streamsWithWork.contains(stream) { connection.streamsWithWork.append(stream) }
        touch(connection)
        return true
    }

    /// Gives up a stream in both directions.
    public func reset(stream: Int64, code: UInt64, on id: PeerID) {
        guard let connection = connections[id], connection.ending == nil, let library = connection.library else {
            return
        }
        ngtcp2_conn_shutdown_stream(library, stream, code)
        touch(connection)
    }

    /// Ends a connection at the next flush with a code and a sentence for the peer's application.
    public func close(_ id: PeerID, code: UInt64, reason: String) {
        guard let connection = connections[id], connection.ending == nil, connection.closeRequest == nil else { return }
        connection.closeRequest = (code, reason)
        touch(connection)
    }

    // MARK: What is known of a connection

    public func remote(of id: PeerID) -> Endpoint? { connections[id]?.remote }

    /// The largest datagram that goes out in one packet now, in bytes.
    public func maxDatagram(of id: PeerID) -> Int { connections[id]?.maxDatagram ?? 0 }

    public func counters(of id: PeerID) -> QUICConnectionCounters? { connections[id]?.counters }

    public func path(of id: PeerID) -> QUICPathStatistics? {
        guard let library = connections[id]?.library else { return nil }
        var statistics = ngtcp2_conn_stat()
        ngtcp2_conn_get_conn_stat_versioned(library, NGTCP2_CONN_STAT_VERSION, &statistics)
        return QUICPathStatistics(
            roundTrip: .nanoseconds(Int64(clamping: statistics.smoothed_rtt)),
            congestionWindow: Int(clamping: statistics.cwnd), bytesInFlight: Int(clamping: statistics.bytes_in_flight),
            maxUDPPayload: Int(ngtcp2_conn_get_path_max_tx_udp_payload_size(library)))
    }

    // MARK: Connections begin and end

    /// Enters a new connection whose library object `make` builds; `nil` if it cannot.
    func add(
        remote: Endpoint, serverName: String, isCalled: Bool, _ make: (QUICConnection) -> Bool
    ) -> QUICConnection? {
        let id = connections.insert { QUICConnection($0, endpoint: self, remote: remote, serverName: serverName) }
        guard let connection = connections[id], make(connection) else {
            if let connection = connections.remove(id) { connection.localIDs.forEach { byLocalID[$0] = nil } }
            return nil
        }
        handshakes += 1
        if isCalled { called.append(connection) }
        touch(connection)
        return connection
    }

    func handshakeEnded(_ connection: QUICConnection) {
        handshakes -= 1
        if let initial = connection.initialID { byInitialID[initial] = nil }
    }

    /// The library says it is over: tells the peer why, if he may be told.
    func fail(_ connection: QUICConnection, _ code: Int32, at now: Instant) {
        guard connection.ending == nil else { return }
        var code = code
        if connection.lacksProtocol {
            // The alert no_application_protocol.
            ngtcp2_conn_set_tls_alert(connection.library, 120)
            code = NGTCP2_ERR_CRYPTO
        }
        let reason = connection.reason(for: code)
        switch code {
        case NGTCP2_ERR_DRAINING, NGTCP2_ERR_CLOSING, NGTCP2_ERR_IDLE_CLOSE, NGTCP2_ERR_DROP_CONN, NGTCP2_ERR_RETRY,
            NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
            break
        default:
            writeError(connection, code, at: now)
        }
        end(connection, reason)
    }

    private func end(_ connection: QUICConnection, _ reason: QUICCloseReason) {
        connection.ending = reason
        touch(connection)
    }

    private func forget(_ connection: QUICConnection, _ reason: QUICCloseReason) {
        guard connections.remove(connection.id) != nil else { return }
        if !connection.isConnected { handshakeEnded(connection) }
        connection.localIDs.forEach { byLocalID[$0] = nil }
        called.removeAll { $0 === connection }
        deadlines.cancel(connection.id)
        delegate?.closed(connection.id, remote: connection.remote, reason: reason)
    }

    private func noticePath(of connection: QUICConnection) {
        guard connection.isConnected, let library = connection.library else { return }
        let path = ngtcp2_conn_get_path(library).pointee
        let maxDatagram = connection.currentMaxDatagram()
        let hasMoved = !connection.isRemote(path.remote)
        guard hasMoved || maxDatagram != connection.maxDatagram else { return }
        if hasMoved, let address = path.remote.addr, let remote = Endpoint(address) {
            connection.remote = remote
            connection.remoteStorage.set(remote)
            counters.migrations &+= 1
        }
        connection.maxDatagram = maxDatagram
        delegate?.pathChanged(connection.id, maxDatagram: maxDatagram, remote: connection.remote)
    }

    // MARK: Packets

    /// Hands a packet to its connection.
    func read(_ bytes: UnsafePointer<UInt8>, _ count: Int, for connection: QUICConnection, at now: Instant) {
        guard connection.ending == nil, connection.closeRequest == nil, let library = connection.library else { return }
        let datagrams = connection.counters.received
        var path = ngtcp2_path()
        path.local = ngtcp2_addr(addr: local.address, addrlen: local.length)
        path.remote = ngtcp2_addr(addr: sender.address, addrlen: sender.length)
        var information = ngtcp2_pkt_info()
        connection.isReading = true
        let code = ngtcp2_conn_read_pkt_versioned(
            library, &path, NGTCP2_PKT_INFO_VERSION, &information, bytes, count, now.library)
        connection.isReading = false
        // What brought datagrams need not be answered at once.
        let mayWait = connection.counters.received != datagrams
        touch(connection, hasWork: !mayWait)
        if mayWait {
            if connection.unanswered == 0 { connection.unansweredSince = now }
            connection.unanswered += 1
        }
        if code != 0 { fail(connection, code, at: now) }
    }

    /// Has a connection looked after at the next flush.
    func touch(_ connection: QUICConnection, hasWork: Bool = true) {
        if hasWork { connection.hasWork = true }
        guard !connection.isTouched else { return }
        connection.isTouched = true
        touched.append(connection)
    }

    /// Hands the batch to the delegate and begins another.
    func transmit() {
        guard !batch.groups.isEmpty else { return }
        for group in batch.groups { counters.packetsSent &+= group.packets }
        delegate?.transmit(batch)
        batch.removeAll()
        batchNumber &+= 1
    }

    /// The library's path to write into, empty.
    var path: UnsafeMutablePointer<ngtcp2_path> {
        UnsafeMutableRawPointer(pathStorage).assumingMemoryBound(to: ngtcp2_path.self)
    }

    // MARK: Connection IDs

    /// Fills in a connection ID that nobody else has.
    func makeID(_ id: UnsafeMutablePointer<ngtcp2_cid>) -> UInt64 {
        id.pointee.datalen = Self.localIDBytes
        while true {
            let key = withUnsafeMutableBytes(of: &id.pointee.data) { bytes in
                _ = gnutls_rnd(GNUTLS_RND_NONCE, bytes.baseAddress, Self.localIDBytes)
                return bytes.loadUnaligned(as: UInt64.self)
            }
            if byLocalID[key] == nil { return key }
        }
    }

    func route(_ key: UInt64, to connection: QUICConnection) {
        byLocalID[key] = connection
        connection.localIDs.append(key)
    }

    func unroute(_ key: UInt64) { byLocalID[key] = nil }

    func connection(withLocalID key: UInt64) -> QUICConnection? { byLocalID[key] }

    func makeResetToken(_ token: UnsafeMutablePointer<UInt8>, for id: UnsafePointer<ngtcp2_cid>) -> Bool {
        ngtcp2_crypto_generate_stateless_reset_token(token, resetSecret, resetSecret.count, id) == 0
    }

    /// Whether one more answer to a packet of no connection may go out.
    func mayAnswer(at now: Instant) -> Bool {
        answers.take(at: now, rate: configuration.acceptance.answers)
    }

    func count(_ counter: WritableKeyPath<QUICEndpointCounters, Int>) { counters[keyPath: counter] &+= 1 }

    static func randomBytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        precondition(gnutls_rnd(GNUTLS_RND_KEY, &bytes, count) == 0, "the system gives no randomness")
        return bytes
    }
}

/// What became of a datagram.
public enum DatagramOutcome: Sendable {
    /// It is on its way.
    case sent
    /// It waits for the congestion window.
    case queued
    /// No packet of the present path can carry it.
    case tooLarge
    /// There is no such connection, or it is not complete yet.
    case notConnected
}

/// What an endpoint has done, connections aside.
public struct QUICEndpointCounters: Hashable, Sendable {
    public var packetsSent = 0
    /// Datagrams that are no QUIC, or packets that may not begin a connection.
    public var malformed = 0
    public var accepted = 0
    /// Strangers sent away: by the delegate, or because there were too many.
    public var refused = 0
    public var retries = 0
    public var versionNegotiations = 0
    public var statelessResets = 0
    /// Peers whose address changed.
    public var migrations = 0
}
