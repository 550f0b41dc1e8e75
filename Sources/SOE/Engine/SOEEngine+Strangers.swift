public import NIOCore
public import RelayCore

extension SOEEngine {
    /// A session that has been silent for so long gives way to a new one of its address, where no CRC tells them apart.
    private static let silence: Int64 = 5_000_000_000

    /// A datagram of somebody without a session, or one that his session could not take.
    mutating func receiveFromStranger(
        _ datagram: ByteBuffer, from endpoint: Endpoint, known: Slot?, at now: Instant,
        into out: inout DatagramOutbox
    ) {
        guard configuration.acceptsSessions, !holdsMessages else { return }
        var body = datagram
        guard let start = body.readInteger(as: UInt16.self) else {
            statistics.strangers &+= 1
            return
        }
        let code = start < 256 ? OpCode(rawValue: UInt8(truncatingIfNeeded: start)) : nil
        switch code {
        case .sessionRequest:
            receiveRequest(body, from: endpoint, known: known, at: now, into: &out)
        case .remapConnection:
            receiveRemap(body, from: endpoint, at: now, into: &out)
        default:
            if let waiting = pending[endpoint], (try? waiting.coding.open(datagram, zlib: zlib)) != nil {
                promote(waiting, datagram, from: endpoint, known: known, at: now, into: &out)
                return
            }
            statistics.strangers &+= 1
            let isKnown = start > 255 || code.map { !$0.isContextless && $0 != .disconnect } ?? false
            if known == nil, isKnown { replyUnknown(to: endpoint, at: now, into: &out) }
        }
    }

    private mutating func replyUnknown(
        to endpoint: Endpoint, at now: Instant, into out: inout DatagramOutbox
    ) {
        guard strangerReplies.take(at: now, rate: configuration.unknownSenderReplies) else { return }
        let start = out.bytes.writerIndex
        out.bytes.writeOpCode(.unknownSender)
        out.send(from: start, to: endpoint)
    }

    // MARK: Requests

    private mutating func receiveRequest(
        _ body: ByteBuffer, from endpoint: Endpoint, known: Slot?, at now: Instant, into out: inout DatagramOutbox
    ) {
        var body = body
        guard let request = try? SessionRequest.decode(from: &body) else {
            statistics.strangers &+= 1
            return
        }
        statistics.requests &+= 1
        if let known, known.session.role == .client, !known.isClosed { return }
        if let waiting = pending[endpoint], waiting.request.sessionID == request.sessionID {
            respond(waiting.response, to: endpoint, into: &out)
            return
        }
        if let known, !known.isClosed, known.session.coding.crc.length == 0 {
            // Whatever the new client sends, the old session would take for its own.
            guard now.since(known.session.lastReceived) >= Self.silence else { return }
            replace(known, at: now, into: &out)
        }
        switch judge(request, from: endpoint) {
        case .accept:
            admit(request, nil, from: endpoint, known: known, at: now, into: &out)
        case .acceptWith(let parameters):
            admit(request, parameters, from: endpoint, known: known, at: now, into: &out)
        case .refuse(let reason):
            refuse(request.sessionID, reason, word: reason.word, to: endpoint, at: now, into: &out)
        case .ignore:
            statistics.refused.count("ignored")
        }
    }

    /// Tells somebody who asks for a session that he gets none; whatever else he says is dropped.
    ///
    /// - Parameter word: what this is counted under.
    public mutating func turnAway(
        _ datagram: ByteBuffer, from endpoint: Endpoint, word: StaticString, at now: Instant,
        into out: inout DatagramOutbox
    ) {
        statistics.datagramsReceived &+= 1
        var body = datagram
        guard body.readInteger(as: UInt16.self) == UInt16(OpCode.sessionRequest.rawValue),
            let request = try? SessionRequest.decode(from: &body)
        else {
            statistics.strangers &+= 1
            return
        }
        statistics.requests &+= 1
        refuse(request.sessionID, .connectionRefused, word: word.description, to: endpoint, at: now, into: &out)
    }

    private func judge(_ request: SessionRequest, from endpoint: Endpoint) -> Acceptance {
        if isDraining { return .refuse(.connectionRefused) }
        let limit = configuration.limits.connections
        if limit > 0, table.count >= limit { return .refuse(.connectionRefused) }
        if let acceptance { return acceptance(request, endpoint) }
        let parameters = configuration.parameters
        guard request.version == parameters.dialect.version else { return .refuse(.protocolMismatch) }
        guard !parameters.dialect.namesProtocol || request.protocolName == parameters.protocolName else {
            return .refuse(.protocolMismatch)
        }
        return .accept
    }

    private mutating func admit(
        _ request: SessionRequest, _ own: SOEParameters?, from endpoint: Endpoint, known: Slot?, at now: Instant,
        into out: inout DatagramOutbox
    ) {
        let parameters = own ?? configuration.parameters
        let response = parameters.response(to: request, crcSeed: UInt32.random(in: 0 ... .max, using: &random))
        guard let coding = try? PacketCoding(response: response, dialect: parameters.dialect) else { return }
        let waiting = PendingRequests.Pending(
            request: request, response: response, coding: coding,
            parameters: own.map(PendingRequests.SharedParameters.init),
            expiresAt: now + configuration.pendingTimeout
        )
        respond(response, to: endpoint, into: &out)
        if configuration.opensAtRequest {
            promote(waiting, nil, from: endpoint, known: known, at: now, into: &out)
        } else {
            pending.add(waiting, from: endpoint, limit: configuration.maxPending)
        }
    }

    private func respond(_ response: SessionResponse, to endpoint: Endpoint, into out: inout DatagramOutbox) {
        let start = out.bytes.writerIndex
        out.bytes.writeOpCode(.sessionResponse)
        response.encode(into: &out.bytes)
        out.send(from: start, to: endpoint)
    }

    private mutating func refuse(
        _ sessionID: UInt32, _ reason: DisconnectReason, word: String, coding: PacketCoding? = nil,
        to endpoint: Endpoint, at now: Instant, into out: inout DatagramOutbox
    ) {
        statistics.refused.count(word)
        guard strangerReplies.take(at: now, rate: configuration.unknownSenderReplies) else { return }
        let start = out.bytes.writerIndex
        out.bytes.writeOpCode(.disconnect)
        if let coding { out.bytes.writeRepeatingByte(0, count: coding.gap) }
        Disconnect(sessionID: sessionID, reason: reason).encode(into: &out.bytes)
        coding?.seal(&out.bytes, from: start, isRaw: false, zlib: zlib)
        out.send(from: start, to: endpoint)
    }

    // MARK: The client's first packet

    private mutating func promote(
        _ waiting: PendingRequests.Pending, _ datagram: ByteBuffer?, from endpoint: Endpoint, known: Slot?,
        at now: Instant, into out: inout DatagramOutbox
    ) {
        _ = pending.take(endpoint)
        if let known { replace(known, at: now, into: &out) }
        do throws(Admission.Refusal) {
            try admission.admit(endpoint.address, at: now)
        } catch {
            refuse(
                waiting.request.sessionID, .connectionRefused, word: error.rawValue, coding: waiting.coding,
                to: endpoint, at: now, into: &out)
            return
        }
        let parameters = waiting.parameters?.parameters ?? configuration.parameters
        let peer = table.insert { peer in
            let session = SOESession(
                accepting: peer, from: endpoint, request: waiting.request, response: waiting.response,
                coding: waiting.coding, parameters: parameters, zlib: zlib, at: now, into: &out)
            return Slot(session: session, isAdmitted: true)
        }
        guard let slot = table[peer] else { return }
        statistics.opened &+= 1
        slots[endpoint] = slot
        if let key = remapKey(of: slot) { remapKeys[key] = slot }
        if let datagram {
            receive(datagram, from: endpoint, at: now, into: &out)
        } else {
            settle(slot, at: now)
        }
    }

    /// Ends a session whose client has begun another. It is not told: it would take that for the new one's.
    private mutating func replace(_ slot: Slot, at now: Instant, into out: inout DatagramOutbox) {
        slot.session.abort(.newConnectionAttempt, tellsPeer: false, at: now, into: &out)
        settle(slot, at: now)
        remove(slot, at: now)
    }

    // MARK: A port that has changed

    private mutating func receiveRemap(
        _ body: ByteBuffer, from endpoint: Endpoint, at now: Instant, into out: inout DatagramOutbox
    ) {
        var body = body
        guard configuration.allowsRemap, let remap = try? RemapConnection.decode(from: &body) else { return }
        let key = RemapKey(address: endpoint.address, sessionID: remap.sessionID, crcSeed: remap.crcSeed)
        guard let slot = remapKeys[key], !slot.isClosed else {
            statistics.strangers &+= 1
            replyUnknown(to: endpoint, at: now, into: &out)
            return
        }
        guard slot.session.remote != endpoint else { return }
        if let other = slots[endpoint] {
            // The port has somebody else's session, which is only given up when that has ended.
            guard other.isClosed else { return }
            remove(other, at: now)
        }
        slots[slot.session.remote] = nil
        slot.session.remote = endpoint
        slots[endpoint] = slot
        statistics.remapped &+= 1
        out.emit(SOEEvent.remapped(slot.session.id, endpoint))
        // The client waits for a sign that it is known again.
        slot.session.greet(at: now)
        settle(slot, at: now)
    }
}
