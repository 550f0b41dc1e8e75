import CLinuxNet
package import LANBridge
import NIOCore
package import QUICTransport
package import RelayCore

/// Runs the relay's engine over one QUIC endpoint.
///
/// Confined to the thread of its loop.
package final class RelayDriver: QUICDelegate {
    /// How the rest of the server takes part. Called on the loop's thread.
    package struct Surroundings: Sendable {
        /// Whether an address may connect, be it banned (`true`) or not; whoever may is released once.
        package var admit: @Sendable (IPAddress, Bool, Instant) -> Admission.Refusal?
        package var release: @Sendable (IPAddress, Instant) -> Void
        package var note: @Sendable (any EngineEvent, Endpoint?) -> Void
        package var closed: @Sendable (PeerID, Endpoint, CloseReason) -> Void
        package var refused: @Sendable (Endpoint, Admission.Refusal) -> Void
        /// Why an endpoint may not be here, by its address and, once it has said them, its names; `nil` if it may.
        package var findBan: @Sendable (IPAddress, PeerNaming, Instant) -> Removal?

        package init(
            admit: @escaping @Sendable (IPAddress, Bool, Instant) -> Admission.Refusal?,
            release: @escaping @Sendable (IPAddress, Instant) -> Void,
            note: @escaping @Sendable (any EngineEvent, Endpoint?) -> Void,
            closed: @escaping @Sendable (PeerID, Endpoint, CloseReason) -> Void,
            refused: @escaping @Sendable (Endpoint, Admission.Refusal) -> Void,
            findBan: @escaping @Sendable (IPAddress, PeerNaming, Instant) -> Removal? = { _, _, _ in nil }
        ) {
            self.admit = admit
            self.release = release
            self.note = note
            self.closed = closed
            self.refused = refused
            self.findBan = findBan
        }
    }

    /// One connection, from its handshake on.
    private struct Line {
        /// Where it was admitted from, which is whom admission counts.
        var admitted: Endpoint
        var remote: Endpoint
        /// The stream that control messages go on: the first the peer opens.
        var control: Int64?
        /// Streams it opened that are none for control.
        var strays = 0
        /// The engine has parted from it for this reason; the peer has a moment to read why.
        var parting: CloseReason?
    }

    package private(set) var engine: LANRelayEngine
    package private(set) var counters = StreamCounters()
    let endpoint: QUICEndpoint
    private let sockets: QUICSockets
    private let surroundings: Surroundings
    private var lines = PeerMap<Line>()
    private var partings = DeadlineHeap()
    /// Connections that ended before they stood.
    package private(set) var handshakesFailed: UInt64 = 0
    /// The banned are told so when they have said hello, as long as not too many are.
    private var explanations: TokenBucket
    private var out = LANOutbox()
    private var now: Instant
    /// How many messages had been relayed at the end of the last turn.
    private var turnMessages: UInt64 = 0

    /// How long a peer has to read why it is parted from.
    private static let farewell = Duration.milliseconds(500)
    private static let explained = TokenBucket.Rate(perSecond: 5, burst: 20)
    private static let maxStrays = 100

    init(
        engine: LANRelayEngine, transport: QUICConfiguration, certificate: TLSCertificate, sockets: QUICSockets,
        surroundings: Surroundings
    ) throws(TLSError) {
        self.engine = engine
        self.engine.findBan = surroundings.findBan
        self.sockets = sockets
        self.surroundings = surroundings
        now = .now
        explanations = TokenBucket(at: now)
        let local = sockets.locals.first ?? Endpoint(address: .anyIPv6, port: 0)
        endpoint = try QUICEndpoint(transport, local: local, certificate: certificate, at: now)
        endpoint.delegate = self
    }

    // MARK: A turn of the loop

    var nextDeadline: Instant? {
        Instant.earlier(Instant.earlier(endpoint.nextDeadline, engine.nextDeadline), partings.next)
    }

    func beginTurn() { now = .now }

    func receive(from socket: Int) {
        sockets.receive(socket) { packet, remote in
            counters.bytesReceived &+= UInt64(packet.count)
            endpoint.receive(packet, from: remote, at: now)
        }
    }

    /// Does what is due and sends what came together.
    func endTurn() {
        endpoint.advance(to: now)
        engine.advance(to: now, into: &out)
        drain()
        while let peer = partings.popDue(at: now) {
            endpoint.close(peer, code: 0, reason: lines[peer]?.parting?.sentence ?? "")
        }
        endpoint.flush(at: now)
        let relayed = counters.messagesRelayed &- turnMessages
        guard relayed > 0 else { return }
        turnMessages = counters.messagesRelayed
        counters.forwardLatency.record(Instant.now.since(now), times: relayed)
    }

    // MARK: What the operator wants

    package func drainRooms() { engine.drain() }

    package func endDrain() { engine.endDrain() }

    package func reconfigure(_ configuration: LANBridgeConfiguration) {
        engine.reconfigure(configuration)
    }

    /// Takes another certificate for the connections that follow.
    package func use(_ certificate: TLSCertificate) throws(TLSError) {
        try endpoint.use(certificate)
    }

    package func kick(_ peer: PeerID, for removal: Removal) -> Bool {
        let isThere = engine.kick(peer, for: removal, at: now, into: &out)
        drain()
        return isThere
    }

    package func stop() {
        engine.stop(at: now, into: &out)
        drain()
    }

    package var connectionCount: Int { endpoint.connectionCount }
    package var transportCounters: QUICEndpointCounters { endpoint.counters }
    package var packetsDropped: UInt64 { sockets.dropped }

    package func snapshots() -> [RoomSnapshot] { engine.snapshots(at: .now) { endpoint.path(of: $0)?.roundTrip } }

    // MARK: What the transport tells

    package func transmit(_ packets: borrowing PacketBatch) { sockets.send(packets) }

    package func admits(_ remote: Endpoint) -> Bool {
        let isBanned = surroundings.findBan(remote.address, PeerNaming(), now) != nil
        let mayKnow = isBanned && explanations.take(at: now, rate: Self.explained)
        if let refusal = surroundings.admit(remote.address, mayKnow, now) {
            counters.refused.count(refusal.rawValue)
            surroundings.refused(remote, refusal)
            return false
        }
        return true
    }

    package func connected(_ connection: PeerID, remote: Endpoint) {
        // Starting is over when the first peer comes.
        if counters.connectionsOpened == 0 { clinuxnet_forget_program() }
        counters.connectionsOpened &+= 1
        lines[connection] = Line(admitted: remote, remote: remote)
        engine.connect(
            connection, from: remote, datagram: endpoint.maxDatagram(of: connection), at: now, into: &out)
        drain()
    }

    package func received(
        _ bytes: UnsafeRawBufferPointer, stream: Int64, ended: Bool, from connection: PeerID
    ) {
        guard let line = lines[connection], line.parting == nil else { return }
        if line.control == nil {
            // Streams the peer opens for both directions have numbers that 4 divides (RFC 9000, section 2.1).
            guard stream % 4 == 0 else { return refuse(stream, of: connection) }
            lines.update(connection) { $0.control = stream }
        } else if line.control != stream {
            return refuse(stream, of: connection)
        }
        if !bytes.isEmpty {
            engine.receiveControl(ByteBuffer(bytes: bytes), from: connection, at: now, into: &out)
            drain()
        }
        if ended { lose(connection, .peerClosed) }
    }

    /// A stream nobody needs. Each costs an answer, so their number has an end.
    private func refuse(_ stream: Int64, of connection: PeerID) {
        endpoint.reset(stream: stream, code: 1, on: connection)
        let strays = lines.update(connection) { line -> Int in
            line.strays += 1
            return line.strays
        }
        if strays ?? 0 > Self.maxStrays { lose(connection, .tooManyStreams) }
    }

    package func reset(stream: Int64, code: UInt64, from connection: PeerID) {
        if lines[connection]?.control == stream { lose(connection, .peerClosed) }
    }

    package func received(datagram: UnsafeRawBufferPointer, from connection: PeerID) {
        engine.receiveDatagram(datagram.bytes, from: connection, at: now, into: &out)
        drain(input: datagram)
    }

    package func pathChanged(_ connection: PeerID, maxDatagram: Int, remote: Endpoint) {
        lines.update(connection) { $0.remote = remote }
        engine.setDatagram(maxDatagram, of: connection)
    }

    package func closed(_ connection: PeerID, remote: Endpoint, reason: QUICCloseReason) {
        partings.cancel(connection)
        guard let line = lines.remove(connection) else {
            handshakesFailed &+= 1
            surroundings.release(remote.address, now)
            return
        }
        surroundings.release(line.admitted.address, now)
        let why = line.parting ?? CloseReason(reason)
        counters.closed.count(why.word)
        surroundings.closed(connection, line.remote, why)
        engine.disconnect(connection, at: now, into: &out)
        drain()
    }

    /// Ends a connection that went silent or reads too slowly; the engine is told.
    private func lose(_ connection: PeerID, _ reason: CloseReason) {
        guard lines[connection]?.parting == nil else { return }
        lines.update(connection) { $0.parting = reason }
        engine.disconnect(connection, at: now, into: &out)
        endpoint.close(connection, code: 0, reason: reason.sentence)
        drain()
    }

    // MARK: What the engine wants

    private func drain(input: UnsafeRawBufferPointer = .init(start: nil, count: 0)) {
        guard !out.effects.isEmpty else { return }
        var slow: [PeerID] = []
        out.scratch.withUnsafeBytes { scratch in
            for index in out.effects.indices {
                switch out.effects[index] {
                case .datagram(let header, let bytes, let peer, let isUrgent):
                    counters.messagesRelayed &+= 1
                    counters.bytesRelayed &+= UInt64(bytes.count)
                    endpoint.send(
                        header, bytes, isUrgent: isUrgent, to: peer, input: input, scratch: scratch, at: now)
                case .control(let message, let peer):
                    if !sendControl(message, to: peer) { slow.append(peer) }
                case .close(let peer, let reason): part(from: peer, reason)
                case .emit(let event):
                    counters.events.count(event.name)
                    if case .refused(_, let refusal)? = event as? LANRelayEvent {
                        counters.refused.count(refusal.rawValue)
                    }
                    surroundings.note(event, event.peer.flatMap { lines[$0]?.remote })
                case .deliver, .open, .join, .finish: break
                }
            }
        }
        out.removeAll()
        for peer in slow { lose(peer, .slowReader) }
    }

    private func sendControl(_ message: ByteBuffer, to peer: PeerID) -> Bool {
        guard let stream = lines[peer]?.control else { return true }
        counters.bytesAnswered &+= UInt64(message.readableBytes)
        return message.withUnsafeReadableBytes { endpoint.send($0, stream: stream, to: peer) }
    }

    private func part(from peer: PeerID, _ reason: CloseReason) {
        guard let line = lines[peer], line.parting == nil else { return }
        lines.update(peer) { $0.parting = reason }
        if let control = line.control {
            endpoint.send(.init(start: nil, count: 0), stream: control, end: true, to: peer)
            partings.schedule(peer, at: now + Self.farewell)
        } else {
            endpoint.close(peer, code: 0, reason: reason.sentence)
        }
    }
}

extension CloseReason {
    static let tooManyStreams = CloseReason("too_many_streams", "the peer opened one stream after the other")

    /// Why the transport says a connection is over.
    init(_ reason: QUICCloseReason) {
        switch reason {
        case .local, .application: self = .peerClosed
        case .idle: self = .idle
        case .transport, .reset, .failed, .version, .certificate:
            self = CloseReason("connection_lost", "the connection was lost: \(reason)")
        case .handshakeTimeout: self = CloseReason("handshake_timeout", "the handshake took too long")
        }
    }
}
