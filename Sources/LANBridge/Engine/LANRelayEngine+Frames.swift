public import RelayCore

extension LANRelayEngine {
    /// A datagram came. Its effects refer to its bytes, so they are done while those are there.
    public mutating func receiveDatagram(
        _ datagram: RawSpan, from peer: PeerID, at now: Instant, into out: inout LANOutbox
    ) {
        guard let standing = members.update(peer, { $0.standing }) else { return }
        // Before the welcome there is no room that a frame could go to.
        guard let header = OverlayHeader(datagram), standing != .connected else {
            return drop(.badLength, DroppedFrame(datagram), from: peer, at: now, into: &out)
        }
        members.update(peer) {
            $0.stats.framesReceived &+= header.offset == 0 ? 1 : 0
            $0.stats.bytesReceived &+= datagram.byteCount
        }
        switch header.kind {
        case .whole:
            let bytes = FrameBytes.input(OverlayHeader.length..<datagram.byteCount)
            pass(bytes, datagram, from: peer, standing, at: now, into: &out)
        case .part:
            if header.frameLength > FrameReassembler.maxFrame {
                return drop(.oversize, DroppedFrame(datagram), from: peer, at: now, into: &out)
            }
            receivePart(header, datagram, from: peer, standing, at: now, into: &out)
        case .ping:
            guard members.update(peer, { $0.mayPing(at: now) }) ?? false else { return }
            out.append(.datagram(OverlayHeader(pong: header.number), .input(0..<0), to: peer, isUrgent: true))
        case .pong: break
        }
    }

    private mutating func receivePart(
        _ header: OverlayHeader, _ datagram: RawSpan, from peer: PeerID, _ standing: RelayMember.Standing,
        at now: Instant, into out: inout LANOutbox
    ) {
        let whole = members.update(peer) { member in
            member.reassembler.add(header, datagram, at: now) { frame in out.copy(frame) }
        }
        guard let range = whole ?? nil else { return }
        pass(.scratch(range), datagram, from: peer, standing, at: now, into: &out)
    }

    /// Judges a frame and sends it on, or drops it.
    @inline(__always)
    private mutating func pass(
        _ bytes: FrameBytes, _ input: RawSpan, from peer: PeerID, _ standing: RelayMember.Standing, at now: Instant,
        into out: inout LANOutbox
    ) {
        guard let name = members.update(peer, { $0.room }) else { return }
        let reason = Self.pass(
            bytes, input, from: peer, standing, in: name, &rooms, &members, &undeliverable, at: now, &out)
        guard let reason else { return }
        drop(reason, bytes.read(input, out) { DroppedFrame($0) }, from: peer, at: now, into: &out)
    }

    /// Sends a frame to whom the filter names; why not, if to nobody.
    private static func pass(
        _ bytes: FrameBytes, _ input: RawSpan, from peer: PeerID, _ standing: RelayMember.Standing, in name: String,
        _ rooms: inout RoomTable<String, RelayRoom>, _ members: inout PeerMap<RelayMember>,
        _ undeliverable: inout UInt64, at now: Instant, _ out: inout LANOutbox
    ) -> DropReason? {
        let outcome = rooms.update(name) { room -> DropReason? in
            let verdict = bytes.read(input, out) { frame in
                if case .client(let port) = standing { return room.filter.judge(frame, from: port, at: now) }
                return room.filter.judgeFromGateway(frame, at: now)
            }
            switch verdict {
            case .drop(let reason): return reason
            case .forward(.gateway, _): undeliverable &+= send(bytes, to: room.gateway, &room, &members, &out)
            case .forward(.client(let port), _):
                undeliverable &+= send(bytes, to: room.clients[port.index], &room, &members, &out)
            case .forward(.others, _):
                for index in room.clients.indices where room.clients[index] != nil && room.clients[index] != peer {
                    undeliverable &+= send(bytes, to: room.clients[index], &room, &members, &out)
                }
                if room.gateway != nil, room.gateway != peer {
                    undeliverable &+= send(bytes, to: room.gateway, &room, &members, &out)
                }
            }
            return nil
        }
        return outcome ?? .macSpoof
    }

    private static func send(
        _ bytes: FrameBytes, to target: PeerID?, _ room: inout RelayRoom, _ members: inout PeerMap<RelayMember>,
        _ out: inout LANOutbox
    ) -> UInt64 {
        guard let target else { return 1 }
        let sent = members.update(target) { member -> Bool in
            guard
                out.send(
                    bytes, to: target, datagram: member.datagram, splits: member.splits,
                    number: { room.nextFrameNumber() })
            else {
                return false
            }
            member.stats.framesSent &+= 1
            member.stats.bytesSent &+= bytes.range.count
            return true
        }
        return sent ?? false ? 0 : 1
    }

    private mutating func drop(
        _ reason: DropReason, _ frame: DroppedFrame, from peer: PeerID, at now: Instant, into out: inout LANOutbox
    ) {
        dropped[Int(reason.rawValue)] &+= 1
        let isTold = members.update(peer) { $0.countDrop(reason, at: now) } ?? false
        if isTold {
            out.append(
                .emit(
                    LANRelayEvent.dropped(
                        peer, reason, from: frame.mac, etherType: frame.etherType, length: frame.length)))
        }
        guard reason.isMalformed, members.update(peer, { $0.countMalformed(at: now) }) ?? false else { return }
        part(from: peer, .tooMalformed, code: "malformed", at: now, into: &out)
    }
}
