public import NIOCore
public import RelayCore

/// The relay of one listener: clients, the ids they go by, and the messages between them.
///
/// Clients speak frames of JSON. INIT takes an id, MESSAGE and ERROR go to the client whose id they name, CLOSE gives
/// the id back. There are no rooms: every client of the listener can reach every other.
public struct JSONRelayEngine: StreamEngine {
    var configuration: JSONRelayConfiguration
    var random: RandomSource
    var clients = PeerMap<Client>()
    /// Who has which id. Whoever is in here is in `clients` too.
    var holders: [ClientID: Client] = [:]
    var isDraining = false
    private var deadlines = DeadlineHeap()

    /// A relay without clients; `random` makes the ids of those who choose none.
    public init(configuration: JSONRelayConfiguration, random: RandomSource = .system) {
        self.configuration = configuration
        self.random = random
    }

    public mutating func connect(
        _ peer: PeerID, from endpoint: Endpoint, at now: Instant, into out: inout Outbox
    ) {
        let client = Client(peer, from: endpoint, maxStrikes: configuration.maxStrikes, at: now)
        clients[peer] = client
        watch(client)
    }

    public mutating func receive(
        _ bytes: ByteBuffer, from peer: PeerID, at now: Instant, into out: inout Outbox
    ) {
        guard let client = clients[peer] else { return }
        client.hear(at: now)
        var rest = bytes
        do throws(WireError) {
            while !client.isGone, let frame = try client.frames.next(from: &rest, limit: configuration.frameLimit) {
                try receive(frame: frame, from: client, at: now, into: &out)
            }
            if client.endRead(at: now) { watch(client) }
        } catch {
            if configuration.errorReplies == .readme { sendError(error.text, to: client, into: &out) }
            part(from: client, error.closeReason, into: &out)
        }
    }

    public mutating func receiveEnd(from peer: PeerID, at now: Instant, into out: inout Outbox) {
        guard let client = clients[peer] else { return }
        part(from: client, .peerClosed, into: &out)
    }

    public mutating func disconnect(
        _ peer: PeerID, reason: CloseReason, at now: Instant, into out: inout Outbox
    ) {
        guard let client = clients[peer] else { return }
        forget(client, into: &out)
    }

    /// Nothing: what a slow reader may leave unread is bounded by whoever holds its queue.
    public mutating func writability(
        of peer: PeerID, is writable: Bool, at now: Instant, into out: inout Outbox
    ) {}

    public mutating func advance(to now: Instant, into out: inout Outbox) {
        while let peer = deadlines.popDue(at: now) {
            guard let client = clients[peer] else { continue }
            client.watchedUntil = nil
            if let end = client.end(configuration), end.at <= now {
                part(from: client, end.reason, into: &out)
            } else {
                watch(client)
            }
        }
    }

    public var nextDeadline: Instant? { deadlines.next }

    /// From now on connections get no first id; clients that have one play on.
    public mutating func drain(at now: Instant, into out: inout Outbox) {
        isDraining = true
    }

    public mutating func endDrain(at now: Instant, into out: inout Outbox) {
        isDraining = false
    }

    /// Tells every client that has an id, and parts from everybody.
    public mutating func stop(at now: Instant, into out: inout Outbox) {
        isDraining = true
        for (_, client) in clients.all {
            if client.id != nil, configuration.errorReplies == .readme {
                sendError(MessageRefusal.goingDown.text, to: client, into: &out)
            }
            part(from: client, .serverStopping, into: &out)
        }
    }

    /// Tells the client, if there are errors in its dialect, and parts from it.
    public mutating func kick(_ peer: PeerID, for removal: Removal, at now: Instant, into out: inout Outbox) {
        guard let client = clients[peer] else { return }
        if configuration.errorReplies == .readme { sendError(removal.words, to: client, into: &out) }
        part(from: client, removal.closeReason, into: &out)
    }

    /// Takes new settings. How many faults a client may commit was settled when it connected.
    public mutating func reconfigure(_ configuration: JSONRelayConfiguration) {
        self.configuration = configuration
        for (_, client) in clients.all { watch(client) }
    }

    /// The number of clients with an id: while there are any, somebody plays.
    public var roomCount: Int { holders.count }

    /// One room, `relay`, with all clients that have an id; none if there are none.
    public func rooms(at now: Instant) -> [RoomSnapshot] {
        let peers = clients.all.compactMap { peer, client in
            client.id.map { id in
                PeerSnapshot(
                    peer: peer, name: id.description, role: "client", endpoint: client.endpoint,
                    connected: now - client.connectedAt)
            }
        }
        return peers.isEmpty ? [] : [RoomSnapshot(id: "relay", peers: peers)]
    }

    /// Sees to it that `advance` looks at a peer when its time may be up. A deadline that moves away stays in the heap
    /// until it pops, so that the traffic of a busy client does not touch the heap.
    private mutating func watch(_ client: Client) {
        guard let end = client.end(configuration) else { return }
        if let watched = client.watchedUntil, watched <= end.at { return }
        client.watchedUntil = end.at
        deadlines.schedule(client.peer, at: end.at)
    }

    private mutating func receive(
        frame: ByteBuffer, from client: Client, at now: Instant, into out: inout Outbox
    ) throws(WireError) {
        let rate = configuration.messageRate
        guard client.takeFrame(perSecond: rate, at: now) else {
            return refuse(.rateLimited(perSecond: rate), to: client, at: now, into: &out)
        }
        let message = try IncomingMessage(frame, readsReadmeName: configuration.readmeNames != .never)
        if message.usesReadmeName { client.usesReadmeName = true }
        do throws(MessageRefusal) {
            switch message.kind {
            case .initialize: try initialize(client, with: message, into: &out)
            case .message, .error: try relay(message, from: client, into: &out)
            case .close:
                leave(client, at: now, into: &out)
                watch(client)
            }
        } catch {
            refuse(error, to: client, at: now, into: &out)
        }
    }

    /// Ends a connection from this side.
    mutating func part(from client: Client, _ reason: CloseReason, into out: inout Outbox) {
        forget(client, into: &out)
        out.close(client.peer, reason)
    }

    private mutating func forget(_ client: Client, into out: inout Outbox) {
        if let id = client.id { free(id, of: client, into: &out) }
        client.isGone = true
        clients.remove(client.peer)
        deadlines.cancel(client.peer)
    }
}
