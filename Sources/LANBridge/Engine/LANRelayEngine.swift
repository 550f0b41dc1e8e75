public import NIOCore
public import RelayCore

/// The relay: rooms of one gateway and many clients, and the filter between them. It knows connections with a reliable
/// stream and datagrams, not what carries them.
public struct LANRelayEngine {
    public private(set) var configuration: LANBridgeConfiguration
    var members = PeerMap<RelayMember>()
    var rooms: RoomTable<String, RelayRoom>
    var failures = FailureBudget()
    private var hellos = DeadlineHeap()
    private var nextStats: Instant?
    var isDraining = false
    /// Asked of each endpoint that says hello: why it may not be here, if it may not.
    public var findBan: (@Sendable (IPAddress, PeerNaming, Instant) -> Removal?)?
    /// Frames that were for the LAN while the room had no gateway, or that no two datagrams hold.
    public internal(set) var undeliverable: UInt64 = 0
    var dropped = [UInt64](repeating: 0, count: DropReason.allCases.count)

    public init(configuration: LANBridgeConfiguration) {
        self.configuration = configuration
        rooms = RoomTable(capacity: configuration.maxRooms)
    }

    /// How many frames were dropped, by the word of the reason, those of endpoints that have gone included.
    public var droppedFrames: [(reason: String, count: UInt64)] {
        DropReason.allCases.map { ($0.word, dropped[Int($0.rawValue)]) }.filter { $0.1 > 0 }
    }

    public var memberCount: Int { members.count }
    public var roomCount: Int { rooms.count }

    // MARK: Connections

    /// A connection stands. `datagram` is the largest datagram that goes to it now.
    public mutating func connect(
        _ peer: PeerID, from: Endpoint, datagram: Int, at now: Instant, into out: inout LANOutbox
    ) {
        members[peer] = RelayMember(endpoint: from, datagram: datagram, at: now)
        hellos.schedule(peer, at: now + configuration.helloTimeout)
        if nextStats == nil { nextStats = now + configuration.statsInterval }
    }

    /// Larger, or smaller, datagrams go to a peer from now on.
    public mutating func setDatagram(_ size: Int, of peer: PeerID) {
        members.update(peer) { $0.datagram = min(size, $0.budget) }
    }

    /// The connection has gone.
    public mutating func disconnect(_ peer: PeerID, at now: Instant, into out: inout LANOutbox) {
        forget(peer, because: "connection_lost", at: now, into: &out)
    }

    /// Bytes came on the control stream, cut anywhere.
    public mutating func receiveControl(
        _ bytes: ByteBuffer, from peer: PeerID, at now: Instant, into out: inout LANOutbox
    ) {
        members.update(peer) { $0.reader.append(bytes) }
        while members[peer] != nil {
            do throws(ControlError) {
                let next = members.update(peer) { member -> Result<ControlMessage?, ControlError> in
                    do throws(ControlError) { return .success(try member.reader.next()) } catch {
                        return .failure(error)
                    }
                }
                guard let message = try next?.get() else { return }
                guard members.update(peer, { $0.maySay(at: now) }) ?? false else {
                    return part(from: peer, .controlFlood, code: "control_flood", at: now, into: &out)
                }
                receive(message, from: peer, at: now, into: &out)
            } catch {
                part(from: peer, .badControl(error), code: error.rawValue, at: now, into: &out)
            }
        }
    }

    private mutating func receive(
        _ message: ControlMessage, from peer: PeerID, at now: Instant, into out: inout LANOutbox
    ) {
        guard let member = members[peer] else { return }
        switch message {
        case .hello(let hello):
            guard member.standing == .connected else {
                return part(from: peer, .secondHello, code: "second_hello", at: now, into: &out)
            }
            admit(hello, peer, at: now, into: &out)
        case .disconnect:
            out.append(.close(peer, .left))
            forget(peer, because: "left", at: now, into: &out)
        case .getStats:
            guard member.standing != .connected,
                members.update(peer, { $0.mayAsk(at: now) }) ?? false
            else { return }
            sendStats(to: peer, member, into: &out)
        case .unknown: break
        case .welcome, .reject, .stats, .peerJoined, .peerLeft:
            part(from: peer, .notForRelays, code: "not_for_relays", at: now, into: &out)
        }
    }

    // MARK: Time

    public var nextDeadline: Instant? { Instant.earlier(hellos.next, nextStats) }

    /// Does whatever is due.
    public mutating func advance(to now: Instant, into out: inout LANOutbox) {
        while let peer = hellos.popDue(at: now) {
            part(from: peer, .noHello, code: "no_hello", at: now, into: &out)
        }
        guard let due = nextStats, due <= now else { return }
        for (peer, member) in members.all where member.standing != .connected {
            sendStats(to: peer, member, into: &out)
        }
        nextStats = members.count == 0 ? nil : now + configuration.statsInterval
    }

    private func sendStats(to peer: PeerID, _ member: RelayMember, into out: inout LANOutbox) {
        out.send(.stats(member.stats, drops: member.dropCounts.mapValues { Int(clamping: $0) }), to: peer)
    }

    // MARK: The operator

    public mutating func drain() {
        isDraining = true
    }

    /// Lets endpoints in again.
    public mutating func endDrain() {
        isDraining = false
    }

    /// Takes other settings. Nobody has to leave; who joins a registered room from now on needs its new words.
    public mutating func reconfigure(_ configuration: LANBridgeConfiguration) {
        self.configuration = configuration
        for (name, _) in rooms.all {
            rooms.update(name) { room in
                room.filter.clientLimits = configuration.limits
                if let registered = configuration.rooms[name] { room.take(registered) }
            }
        }
    }

    /// Parts from everybody.
    public mutating func stop(at now: Instant, into out: inout LANOutbox) {
        for (peer, _) in members.all {
            part(from: peer, .serverStopping, code: "server_stopping", at: now, into: &out)
        }
    }

    /// Parts from one peer; `false` if there is no such.
    public mutating func kick(
        _ peer: PeerID, for removal: Removal, at now: Instant, into out: inout LANOutbox
    ) -> Bool {
        guard members[peer] != nil else { return false }
        let reason = removal.closeReason
        part(from: peer, reason, code: reason.word, saying: removal.words, at: now, into: &out)
        return true
    }

    /// A copy of what is going on.
    public func snapshots(
        at now: Instant, roundTrip: (PeerID) -> Duration? = { _ in nil }
    ) -> [RoomSnapshot] {
        rooms.all.map { id, room in
            let peers = room.peers.compactMap { peer in
                members[peer].map { member in
                    var snapshot = PeerSnapshot(
                        peer: peer, name: member.name.isEmpty ? member.mac.description : member.name,
                        role: member.role.rawValue, endpoint: member.endpoint, connected: now - member.connected)
                    snapshot.traffic = member.traffic(roundTrip: roundTrip(peer))
                    return snapshot
                }
            }
            return RoomSnapshot(id: id, peers: peers)
        }.sorted { $0.id < $1.id }
    }

    /// How often frames of a peer were dropped, by reason.
    public func drops(of peer: PeerID) -> [DropReason: UInt64] {
        members[peer]?.dropCounts ?? [:]
    }

    // MARK: Parting

    mutating func part(
        from peer: PeerID, _ reason: CloseReason, code: String, saying words: String? = nil, at now: Instant,
        into out: inout LANOutbox
    ) {
        guard members[peer] != nil else { return }
        out.send(.disconnect(code: code, sentence: words ?? reason.sentence), to: peer)
        out.append(.close(peer, reason))
        forget(peer, because: code, at: now, into: &out)
    }

    mutating func cancelHello(_ peer: PeerID) {
        hellos.cancel(peer)
    }

    /// Frees all that a peer has, and tells its room.
    mutating func forget(_ peer: PeerID, because reason: String, at now: Instant, into out: inout LANOutbox) {
        hellos.cancel(peer)
        guard let member = members.remove(peer), member.standing != .connected else { return }
        let others = rooms.update(member.room) { room -> [PeerID] in
            switch member.standing {
            case .client(let port):
                room.filter.removeClient(port)
                room.clients[port.index] = nil
            case .gateway:
                room.gateway = nil
                room.filter.changeGateway(at: now)
            case .connected: break
            }
            return room.peers
        }
        out.append(.emit(LANRelayEvent.left(peer, room: member.room)))
        guard let others, !others.isEmpty else {
            rooms.close(member.room)
            return
        }
        for other in others { out.send(.peerLeft(peer: member.number, reason: reason), to: other) }
    }
}
