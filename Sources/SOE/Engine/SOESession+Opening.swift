import NIOCore
public import RelayCore

extension SOESession {
    /// Asks for a session, again and again until there is an answer.
    mutating func sendRequest(into out: inout DatagramOutbox) {
        let request = SessionRequest(
            version: parameters.dialect.version, sessionID: wireID, udpLength: UInt32(parameters.ownLength),
            protocolName: parameters.dialect.namesProtocol ? parameters.protocolName : nil)
        let start = out.bytes.writerIndex
        out.bytes.writeOpCode(.sessionRequest)
        request.encode(into: &out.bytes)
        note(1, out.bytes.writerIndex - start)
        out.send(from: start, to: remote)
    }

    /// Answers a request, the first or a repeated one, always with the same.
    public mutating func respond(into out: inout DatagramOutbox) {
        let start = out.bytes.writerIndex
        out.bytes.writeOpCode(.sessionResponse)
        response.encode(into: &out.bytes)
        note(1, out.bytes.writerIndex - start)
        out.send(from: start, to: remote)
    }

    mutating func receiveNegotiating(
        _ datagram: ByteBuffer, at now: Instant, into out: inout DatagramOutbox
    ) -> Reception {
        var body = datagram
        guard let start = body.readInteger(as: UInt16.self), start < 256 else { return .dropped }
        switch OpCode(rawValue: UInt8(truncatingIfNeeded: start)) {
        case .sessionResponse:
            guard let response = try? SessionResponse.decode(from: &body), response.sessionID == wireID else {
                return .dropped
            }
            open(response, at: now, into: &out)
            return .accepted
        case .sessionRequest:
            guard let request = try? SessionRequest.decode(from: &body) else { return .dropped }
            let isOwn = request.sessionID == wireID
            end(isOwn ? .connectingToSelf : .connectError, byPeer: false, at: now, into: &out)
            return .accepted
        case .disconnect:
            return receiveRefusal(body, at: now, into: &out)
        default:
            return .dropped
        }
    }

    private mutating func open(_ response: SessionResponse, at now: Instant, into out: inout DatagramOutbox) {
        guard response.version ?? parameters.dialect.version == parameters.dialect.version,
            let coding = try? PacketCoding(response: response, dialect: parameters.dialect)
        else {
            end(.protocolMismatch, byPeer: false, at: now, into: &out)
            return
        }
        self.response = response
        self.coding = coding
        setLengths(peerLength: response.udpLength)
        phase = .running
        lastReceived = now
        openedAt = now
        inputAt = inputAt ?? now
        greetingAt = now
        netStatusAt = now.after(timing.netStatus)
        out.emit(SOEEvent.opened(id, remote))
        enqueueEarlyMessages()
    }

    /// A refused client cannot know yet whether a CRC follows, nor whether a flag precedes; the session id tells where the
    /// fields are, and that it is no stranger who refuses.
    private mutating func receiveRefusal(
        _ body: ByteBuffer, at now: Instant, into out: inout DatagramOutbox
    ) -> Reception {
        for offset in 0...1 {
            guard var fields = body.getSlice(at: body.readerIndex + offset, length: body.readableBytes - offset),
                let disconnect = try? Disconnect.decode(from: &fields), disconnect.sessionID == wireID
            else { continue }
            // Some servers end a session whose request comes twice: the next request makes a new one.
            if disconnect.reason != .connectError { end(disconnect.reason, byPeer: true, at: now, into: &out) }
            return .accepted
        }
        return .dropped
    }

    /// Takes a second answer: usually the same, come twice. One with another seed is from a server that has forgotten the
    /// first, and counts as long as nothing was heard under it.
    mutating func adopt(_ repeated: SessionResponse) {
        guard repeated.sessionID == wireID, firstHeard == nil, repeated.crcSeed != response.crcSeed,
            repeated.crcLength == response.crcLength, repeated.firstPass == response.firstPass,
            repeated.secondPass == response.secondPass, repeated.udpLength == response.udpLength,
            let coding = try? PacketCoding(response: repeated, dialect: parameters.dialect)
        else { return }
        response = repeated
        self.coding = coding
    }
}
