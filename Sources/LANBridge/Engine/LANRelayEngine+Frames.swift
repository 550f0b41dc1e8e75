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
            let range = OverlayHeader.length..<datagram.byteCount
            let frame = datagram.extracting(range)
            let verdict = judge(frame, from: peer, standing, at: now)
            if case .drop(let reason) = verdict {
                return drop(reason, DroppedFrame(frame), from: peer, at: now, into: &out)
            }
            forward(.input(range), verdict, from: peer, into: &out)
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
        let verdict = judge(out.scratch.span.bytes.extracting(range), from: peer, standing, at: now)
        if case .drop(let reason) = verdict {
            let frame = DroppedFrame(out.scratch.span.bytes.extracting(range))
            return drop(reason, frame, from: peer, at: now, into: &out)
        }
        forward(.scratch(range), verdict, from: peer, into: &out)
    }

    @inline(__always)
    private mutating func judge(
        _ frame: RawSpan, from peer: PeerID, _ standing: RelayMember.Standing, at now: Instant
    ) -> FrameVerdict {
        guard let name = members.update(peer, { $0.room }) else { return .drop(.macSpoof) }
        let verdict = rooms.update(name) { room in
            if case .client(let port) = standing {
                return room.filter.judge(frame, from: port, at: now)
            }
            return room.filter.judgeFromGateway(frame, at: now)
        }
        return verdict ?? .drop(.macSpoof)
    }

    @inline(__always)
    private mutating func forward(
        _ bytes: FrameBytes, _ verdict: FrameVerdict, from peer: PeerID, into out: inout LANOutbox
    ) {
        guard case .forward(let targets, _) = verdict, let name = members.update(peer, { $0.room }) else { return }
        undeliverable &+= Self.forward(bytes, to: targets, from: peer, in: name, &rooms, &members, &out)
    }

    /// Sends a frame to its targets; how many of them it cannot reach.
    private static func forward(
        _ bytes: FrameBytes, to targets: FrameTargets, from peer: PeerID, in name: String,
        _ rooms: inout RoomTable<String, RelayRoom>, _ members: inout PeerMap<RelayMember>, _ out: inout LANOutbox
    ) -> UInt64 {
        rooms.update(name) { room in
            switch targets {
            case .gateway: return send(bytes, to: room.gateway, &room, &members, &out)
            case .client(let port): return send(bytes, to: room.clients[port.index], &room, &members, &out)
            case .others:
                var missed: UInt64 = 0
                for index in room.clients.indices where room.clients[index] != nil && room.clients[index] != peer {
                    missed += send(bytes, to: room.clients[index], &room, &members, &out)
                }
                if room.gateway != nil, room.gateway != peer {
                    missed += send(bytes, to: room.gateway, &room, &members, &out)
                }
                return missed
            }
        } ?? 1
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
