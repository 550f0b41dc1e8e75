public import NIOCore
public import RelayCore

/// From the first bytes of a connection to the host's header.
extension RoomEngine {
    mutating func receiveOpening(
        _ received: ByteBuffer, after before: ByteBuffer, from guest: Guest, at now: Instant, into out: inout Outbox
    ) {
        var bytes = before
        bytes.writeImmutableBuffer(received)
        do {
            guard let opening = try RoomOpening.decode(from: &bytes) else {
                guest.phase = .opening(ByteBuffer(bytes: bytes.readableBytesView))
                return
            }
            guest.reader.append(bytes)
            open(guest, opening, at: now, into: &out)
        } catch {
            close(guest, .notNetplay, at: now, into: &out)
        }
    }

    /// What somebody is told who does not even get to say his header.
    public mutating func words(for refusal: Admission.Refusal, because reason: String) -> ByteBuffer? {
        hostHeader(refusal == .banned ? .denied : .full)
    }

    private mutating func open(_ guest: Guest, _ opening: RoomOpening, at now: Instant, into out: inout Outbox) {
        let existing = opening.room.flatMap { rooms[.id($0)] }
        let isFull = existing.map { $0.guestCount >= configuration.maxGuests } ?? (rooms.isFull || isDraining)
        switch opening.question {
        case .poke:
            let mustFindRoom = opening.room != nil || isDraining
            out.send(hostHeader(isFull && mustFindRoom ? .full : .netplay), to: guest.peer)
            return close(guest, .poked, at: now, into: &out)
        case .header(let header):
            guest.header = header
        }
        guard let version = guest.header.chosenProtocol(highest: Self.highestProtocol, lowest: Self.lowestProtocol)
        else {
            var refusal = NetplayHeader(platform: guest.header.platform, compression: NetplayHeader.zlib)
            refusal.implementation = guest.header.implementation
            out.send(refusal.bytes, to: guest.peer)
            return close(guest, .protocolTooOld, at: now, into: &out)
        }
        guest.protocolVersion = version
        if let name = opening.room.map(RoomName.id) {
            guard !isFull, let room = existing ?? openRoom(name, for: guest, at: now, into: &out) else {
                out.send(hostHeader(.full), to: guest.peer)
                let reason = existing != nil ? CloseReason.roomFull : isDraining ? .serverDraining : .roomsFull
                return close(guest, reason, at: now, into: &out)
            }
            enter(room, guest)
        }
        answer(guest, into: &out)
    }

    /// The host's side of the header. A guest is never shown its own salt word, for that is no salt.
    private mutating func answer(_ guest: Guest, into out: inout Outbox) {
        guest.usesZlib = guest.header.compression & NetplayHeader.zlib != 0
        if configuration.password != nil {
            while guest.salt == 0 { guest.salt = UInt32(truncatingIfNeeded: random.next()) }
        }
        let room = guest.room
        let header = NetplayHeader(
            platform: room?.content != nil ? room?.platform ?? 0 : guest.header.platform,
            compression: guest.usesZlib ? NetplayHeader.zlib : 0, salt: guest.salt,
            protocolVersion: guest.protocolVersion,
            implementation: room?.content != nil ? room?.implementation ?? 0 : guest.header.implementation
        )
        out.send(header.bytes, to: guest.peer)
        guest.phase = .handshake(.nick)
    }

    private func hostHeader(_ magic: NetplayHeader.Magic) -> ByteBuffer {
        let compression = magic == .netplay ? NetplayHeader.zlib : 0
        return NetplayHeader(magic: magic, compression: compression, protocolVersion: Self.highestProtocol).bytes
    }

    /// - Returns: `nil` if there may be no more rooms.
    mutating func openRoom(
        _ name: RoomName, for guest: Guest, at now: Instant, into out: inout Outbox
    ) -> Room? {
        guard !isDraining, !rooms.isFull else { return nil }
        let device = configuration.device
        var opened: Room?
        let slot = roomSlots.insert { slot in
            let room = Room(name, slot: slot, device: device, at: now)
            opened = room
            return room
        }
        guard let room = opened, rooms.open(name, room) else {
            roomSlots.remove(slot)
            return nil
        }
        roomDeadlines.schedule(slot, at: now + Self.roomInterval)
        out.emit(RoomEvent.roomOpened(guest.peer, room: name.description))
        return room
    }

    mutating func enter(_ room: Room, _ guest: Guest) {
        guest.room = room
        room.arriving.append(guest)
    }
}

/// What a connection says first: perhaps a room, and then a header or a POKE.
struct RoomOpening {
    enum Question {
        case header(NetplayHeader)
        case poke
    }

    /// `nil` for a guest that knows of no ids.
    var room: TunnelID?
    var question: Question

    /// Takes the opening from the front of `bytes` and leaves what follows it.
    ///
    /// - Returns: `nil` while it is incomplete; `bytes` is then as before.
    static func decode(from bytes: inout ByteBuffer) throws(NetplayWireError) -> RoomOpening? {
        var rest = bytes
        var room: TunnelID?
        if rest.peekInteger(as: UInt32.self) == TunnelMagic.session {
            let opening: TunnelOpening?
            do {
                opening = try TunnelOpening.decode(from: &rest)
            } catch {
                throw .unknownMagic
            }
            guard let opening else { return nil }
            guard case .join(let id) = opening else { throw .unknownMagic }
            room = id
        }
        if rest.peekInteger(as: UInt32.self) == NetplayHeader.poke {
            rest.moveReaderIndex(forwardBy: 4)
            bytes = rest
            return RoomOpening(room: room, question: .poke)
        }
        guard let header = try NetplayHeader.decode(from: &rest) else { return nil }
        // FULL and DENY are a host's to say.
        guard header.magic == .netplay else { throw .unknownMagic }
        bytes = rest
        return RoomOpening(room: room, question: .header(header))
    }
}

extension NetplayHeader {
    fileprivate var bytes: ByteBuffer {
        var bytes = ByteBuffer()
        encode(into: &bytes)
        return bytes
    }

    /// The protocol a host chooses for this guest; `nil` if there is none.
    ///
    /// The salt word of a guest is the highest protocol it speaks, and the protocol word the lowest; builds before 1.10
    /// have no salt word and speak just one.
    fileprivate func chosenProtocol(highest: UInt32, lowest: UInt32) -> UInt32? {
        let chosen = min(highest, salt == 0 ? protocolVersion : salt)
        return chosen >= lowest && chosen >= min(protocolVersion, highest) ? chosen : nil
    }
}
