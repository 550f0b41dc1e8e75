import RelayCore

extension LANRelayEngine {
    private static let maxName = 64
    private static let maxNumber = 1 << 30

    /// Lets an endpoint in and tells the room, or tells it why not.
    mutating func admit(
        _ hello: ControlMessage.Hello, _ peer: PeerID, at now: Instant, into out: inout LANOutbox
    ) {
        do throws(HelloRefusal) {
            if let ban = ban(of: peer, hello, at: now) {
                return refuse(peer, .banned, ban.words, at: now, into: &out)
            }
            try check(hello, peer, at: now)
            try seat(hello, peer, at: now, into: &out)
        } catch {
            if rooms[hello.room]?.isEmpty ?? false { rooms.close(hello.room) }
            refuse(peer, error, error.sentence, at: now, into: &out)
        }
    }

    private mutating func refuse(
        _ peer: PeerID, _ refusal: HelloRefusal, _ sentence: String, at now: Instant, into out: inout LANOutbox
    ) {
        out.append(.emit(LANRelayEvent.refused(peer, refusal)))
        out.send(.reject(code: refusal.rawValue, sentence: sentence), to: peer)
        out.append(.close(peer, .refused(sentence)))
        forget(peer, because: refusal.rawValue, at: now, into: &out)
    }

    private func ban(of peer: PeerID, _ hello: ControlMessage.Hello, at now: Instant) -> Removal? {
        guard let findBan, let member = members[peer] else { return nil }
        let name = Self.shown(hello.name)
        return findBan(
            member.endpoint.address, PeerNaming(name: name.isEmpty ? hello.mac.description : name, room: hello.room),
            now)
    }

    private mutating func check(
        _ hello: ControlMessage.Hello, _ peer: PeerID, at now: Instant
    ) throws(HelloRefusal) {
        guard let member = members[peer] else { return }
        // Who has lost his connection may take his place back: rooms that exist play on.
        if isDraining, ownPlace(hello) == nil { throw .draining }
        if hello.version != ControlMessage.version { throw .badVersion }
        if !Self.isRoomName(hello.room) { throw .badRoom }
        if !hello.mac.isStation { throw .badMAC }
        let datagram = min(hello.datagram, member.datagram)
        let largest = hello.splits ? 2 * (datagram - OverlayHeader.length) : datagram - OverlayHeader.length
        // A room carries whole frames of a LAN, whoever comes first: one who cannot take them would lose some silently.
        if hello.datagram > 65_535 || largest < FrameReassembler.maxFrame { throw .badBudget }
        if failures.isSpent(
            member.endpoint.address, limit: configuration.maxFailures, window: configuration.failureWindow, at: now)
        {
            throw .tooManyFailures
        }
        let registered = configuration.rooms[hello.room]
        if configuration.requiresRegistration, registered == nil {
            // Where only some rooms are, their names are worth guessing.
            failures.fail(member.endpoint.address, window: configuration.failureWindow, at: now)
            throw .unknownRoom
        }
        if rooms[hello.room] == nil { try open(hello, registered, at: now) }
        guard rooms[hello.room]?.opens(with: hello.password, for: hello.role) ?? false else {
            failures.fail(member.endpoint.address, window: configuration.failureWindow, at: now)
            throw .wrongPassword
        }
    }

    /// Opens a room: a registered one, or one whose password is that of whoever comes first.
    private mutating func open(
        _ hello: ControlMessage.Hello, _ registered: LANBridgeConfiguration.RegisteredRoom?, at now: Instant
    ) throws(HelloRefusal) {
        var filter = FrameFilter(mtu: FrameBudget.fullMTU, at: now)
        filter.clientLimits = configuration.limits
        filter.isIsolated = registered?.isIsolated ?? false
        for address in registered?.protected ?? [] { filter.protect(address) }
        var room = RelayRoom(
            filter: filter, secrets: registered?.secrets ?? [hello.password].compactMap { $0 },
            isIsolated: filter.isIsolated)
        room.gatewaySecret = registered?.gatewaySecret
        guard rooms.open(hello.room, room) else { throw .serverFull }
    }

    private mutating func seat(
        _ hello: ControlMessage.Hello, _ peer: PeerID, at now: Instant, into out: inout LANOutbox
    ) throws(HelloRefusal) {
        if let old = ownPlace(hello) { return replace(old, hello, peer, at: now, into: &out) }
        guard let room = rooms[hello.room] else { return }
        let standing = try place(hello, peer, room, at: now)
        let number = room.nextNumber
        rooms.update(hello.room) { $0.nextNumber = number == Self.maxNumber ? 1 : number + 1 }
        settle(hello, peer, standing, number)
        out.append(.emit(LANRelayEvent.joined(peer, room: hello.room, role: hello.role, mac: hello.mac)))
        welcome(peer, hello, besides: room.peers, isIsolated: room.isIsolated, isBack: false, into: &out)
    }

    private mutating func settle(
        _ hello: ControlMessage.Hello, _ peer: PeerID, _ standing: RelayMember.Standing, _ number: Int
    ) {
        cancelHello(peer)
        members.update(peer) { member in
            member.standing = standing
            member.room = hello.room
            member.number = number
            member.mac = hello.mac
            member.key = hello.key
            member.name = Self.shown(hello.name)
            member.datagram = min(member.datagram, hello.datagram)
            member.budget = hello.datagram
            member.splits = hello.splits
        }
    }

    /// Who has the place that an endpoint proves is its own: its connection is dead, or will be.
    private func ownPlace(_ hello: ControlMessage.Hello) -> PeerID? {
        guard !hello.key.isEmpty, let room = rooms[hello.room] else { return nil }
        let holder =
            switch hello.role {
            case .gateway: room.gateway
            case .client: room.filter.port(of: hello.mac).flatMap { room.clients[$0.index] }
            }
        guard let holder, let member = members[holder], member.mac == hello.mac,
            Secret.matches(member.key, hello.key)
        else { return nil }
        return holder
    }

    /// Gives a peer's place to its next connection: its port, its number, and what was learnt of it. The room hears
    /// nothing of it.
    private mutating func replace(
        _ old: PeerID, _ hello: ControlMessage.Hello, _ peer: PeerID, at now: Instant, into out: inout LANOutbox
    ) {
        guard let member = members[old], let room = rooms[hello.room] else { return }
        out.send(.disconnect(code: "replaced", sentence: CloseReason.replaced.sentence), to: old)
        out.append(.close(old, .replaced))
        members.remove(old)
        rooms.update(hello.room) { room in
            switch member.standing {
            case .client(let port): room.clients[port.index] = peer
            case .gateway: room.gateway = peer
            case .connected: break
            }
        }
        settle(hello, peer, member.standing, member.number)
        members.update(peer) { $0.carryOn(member) }
        out.append(.emit(LANRelayEvent.returned(peer, before: old, room: hello.room)))
        let others = room.peers.filter { $0 != old }
        welcome(peer, hello, besides: others, isIsolated: room.isIsolated, isBack: true, into: &out)
    }

    /// Gives it a port of the room.
    private mutating func place(
        _ hello: ControlMessage.Hello, _ peer: PeerID, _ room: RelayRoom, at now: Instant
    ) throws(HelloRefusal) -> RelayMember.Standing {
        switch hello.role {
        case .gateway:
            if room.gateway != nil { throw .gatewayPresent }
            rooms.update(hello.room) { $0.gateway = peer }
            return .gateway
        case .client:
            if room.clientCount >= configuration.maxClientsPerRoom { throw .roomFull }
            let isGateway = room.gateway.flatMap { members[$0]?.mac } == hello.mac
            let port = rooms.update(hello.room) { room -> ClientPort? in
                guard !isGateway, let port = room.filter.addClient(hello.mac, at: now) else { return nil }
                while room.clients.count <= port.index { room.clients.append(nil) }
                room.clients[port.index] = peer
                return port
            }
            guard let port = port ?? nil else { throw .duplicateMAC }
            return .client(port)
        }
    }

    /// Tells the endpoint who is there, and those of it. `room` is as it was before.
    private mutating func welcome(
        _ peer: PeerID, _ hello: ControlMessage.Hello, besides others: [PeerID], isIsolated: Bool, isBack: Bool,
        into out: inout LANOutbox
    ) {
        guard let member = members[peer] else { return }
        let least = others.compactMap { members[$0]?.datagram }.reduce(member.datagram, min)
        let unsplit = min(FrameBudget.fullMTU, max(FrameBudget.leastMTU, FrameBudget.mtu(datagram: least)))
        let hasGateway = hello.role == .gateway || others.contains { members[$0]?.standing == .gateway }
        out.send(
            .welcome(
                .init(
                    peer: member.number, mtu: FrameBudget.fullMTU, tapMTU: unsplit, hasGateway: hasGateway,
                    isIsolated: isIsolated)), to: peer)
        for other in others {
            guard let known = members[other] else { continue }
            out.send(.peerJoined(known.notice), to: peer)
            if !isBack { out.send(.peerJoined(member.notice), to: other) }
        }
    }

    /// Whether a room can have this name.
    public static func isRoomName(_ name: String) -> Bool {
        (1...maxName).contains(name.utf8.count)
            && name.utf8.allSatisfy { octet in
                switch octet {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    /// A name as others may see it: short, and without what moves a terminal's cursor.
    private static func shown(_ name: String) -> String {
        String(String.UnicodeScalarView(name.unicodeScalars.filter { !$0.properties.isControl }.prefix(32)))
    }
}

extension RelayMember {
    var notice: ControlMessage.PeerNotice { .init(peer: number, role: role, mac: mac, name: name) }
}

extension Unicode.Scalar.Properties {
    fileprivate var isControl: Bool { generalCategory == .control || generalCategory == .format }
}
