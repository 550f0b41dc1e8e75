public import NIOCore
public import RelayCore

extension SOESession {
    /// Takes a datagram from the peer.
    public mutating func receive(
        _ datagram: ByteBuffer, at now: Instant, into out: inout DatagramOutbox
    ) -> Reception {
        counted.datagramsReceived &+= 1
        counted.bytesReceived &+= UInt64(datagram.readableBytes)
        let reception: Reception
        switch phase {
        case .negotiating: reception = receiveNegotiating(datagram, at: now, into: &out)
        case .running, .closing: reception = receiveOpen(datagram, at: now, into: &out)
        case .closed: reception = .dropped
        }
        switch reception {
        case .accepted: break
        case .badCRC: counted.badCRC &+= 1
        case .dropped: counted.dropped &+= 1
        }
        return reception
    }

    private mutating func receiveOpen(
        _ datagram: ByteBuffer, at now: Instant, into out: inout DatagramOutbox
    ) -> Reception {
        if let code = plainCode(of: datagram) {
            return receivePlain(code, datagram, at: now, into: &out)
        }
        do throws(SOEWireError) {
            let opened = try coding.open(datagram, zlib: zlib)
            lastReceived = now
            inputAt = inputAt ?? now
            firstHeard = firstHeard ?? now
            remapping = nil
            switch opened {
            case .packet(let code, let body):
                try handle(code, body, depth: 0, at: now, into: &out)
            case .raw(let data):
                deliverRaw(data, on: .unreliable, into: &out)
            }
            return .accepted
        } catch {
            return refuse(datagram, error, at: now, into: &out)
        }
    }

    /// The op code of a datagram that carries no CRC.
    private func plainCode(of datagram: ByteBuffer) -> OpCode? {
        guard let start = datagram.getInteger(at: datagram.readerIndex, as: UInt16.self), start < 256,
            let code = OpCode(rawValue: UInt8(truncatingIfNeeded: start))
        else { return nil }
        switch code {
        case .netStatusRequest, .netStatusResponse: return parameters.dialect.netStatusIsContextual ? nil : code
        default: return code.isContextless ? code : nil
        }
    }

    /// A datagram that cannot be understood. With the right CRC it is a mistake of the peer that will be repeated for ever,
    /// without it is somebody else's, or damage.
    private mutating func refuse(
        _ datagram: ByteBuffer, _ error: SOEWireError, at now: Instant, into out: inout DatagramOutbox
    ) -> Reception {
        switch error {
        case .badCRC:
            return receiveWithoutCRC(datagram, at: now, into: &out) ? .accepted : .badCRC
        case .unknownOpCode:
            return .dropped
        default:
            guard coding.crc.length > 0 else { return .dropped }
            end(.corruptPacket, byPeer: false, at: now, into: &out)
            return .dropped
        }
    }

    /// Some servers leave the CRC out of a heartbeat and of a Disconnect. The first is harmless whoever sends it, the
    /// second must know the session id.
    private mutating func receiveWithoutCRC(
        _ datagram: ByteBuffer, at now: Instant, into out: inout DatagramOutbox
    ) -> Bool {
        var body = datagram
        guard let start = body.readInteger(as: UInt16.self) else { return false }
        switch (OpCode(rawValue: UInt8(truncatingIfNeeded: start)), body.readableBytes) {
        case (.heartbeat, 0) where start < 256:
            lastReceived = now
            inputAt = inputAt ?? now
            handleHeartbeat()
            return true
        case (.disconnect, 4), (.disconnect, 6):
            guard start < 256, let disconnect = try? Disconnect.decode(from: &body), disconnect.sessionID == wireID
            else { return false }
            handle(disconnect, at: now, into: &out)
            return true
        default:
            return false
        }
    }

    /// Packets that carry no CRC: anybody may have sent them.
    private mutating func receivePlain(
        _ code: OpCode, _ datagram: ByteBuffer, at now: Instant, into out: inout DatagramOutbox
    ) -> Reception {
        var body = datagram
        body.moveReaderIndex(forwardBy: 2)
        switch code {
        case .sessionRequest:
            guard role == .server, let request = try? SessionRequest.decode(from: &body),
                request.sessionID == wireID, !isPastRepeating(at: now)
            else { return .dropped }
            // The first answer was lost.
            respond(into: &out)
        case .sessionResponse:
            guard role == .client, let repeated = try? SessionResponse.decode(from: &body) else { return .dropped }
            adopt(repeated)
        case .unknownSender:
            startRemapping(at: now)
        case .netStatusRequest:
            guard let request = try? NetStatusRequest.decode(from: &body) else { return .dropped }
            netStatusAsked = request
            inputAt = inputAt ?? now
        case .netStatusResponse:
            guard let answer = try? NetStatusResponse.decode(from: &body) else { return .dropped }
            netStatus = answer
        default:
            // What keeps a NAT open, asks for a server's status, or is for the engine.
            break
        }
        return .accepted
    }

    /// Whether a request with this session's id can no more be one that was repeated for want of an answer. Then it is that
    /// of another session: some clients choose the same id each time they start.
    private func isPastRepeating(at now: Instant) -> Bool {
        firstHeard.map { now.since($0) > SessionTiming.repeatedRequest } ?? false
    }

    /// What a packet says whose CRC was right.
    mutating func handle(
        _ code: OpCode, _ body: ByteBuffer, depth: Int, at now: Instant, into out: inout DatagramOutbox
    ) throws(SOEWireError) {
        guard body.readableBytes >= code.minimumBody else { throw .truncated }
        var body = body
        switch code {
        case .reliableData0, .reliableData1, .reliableData2, .reliableData3:
            try receiveReliable(code.channel, body, isFragment: false, at: now, into: &out)
        case .fragment0, .fragment1, .fragment2, .fragment3:
            try receiveReliable(code.channel, body, isFragment: true, at: now, into: &out)
        case .acknowledge0, .acknowledge1, .acknowledge2, .acknowledge3:
            guard let sequence = body.readInteger(as: UInt16.self) else { throw .truncated }
            guard code.channel < channels.count else { return }
            channels[code.channel].sender.acknowledge(sequence, at: now, over: &path)
        case .acknowledgeAll0, .acknowledgeAll1, .acknowledgeAll2, .acknowledgeAll3:
            guard let sequence = body.readInteger(as: UInt16.self) else { throw .truncated }
            guard code.channel < channels.count else { return }
            channels[code.channel].sender.acknowledgeAll(sequence, at: now, over: &path)
        case .multiPacket:
            try receiveParts(body, depth: depth, at: now, into: &out)
        case .heartbeat:
            handleHeartbeat()
        case .disconnect:
            handle(try Disconnect.decode(from: &body), at: now, into: &out)
        case .netStatusRequest:
            repeatsAcknowledgements = true
            // Some are short: nothing hangs on them.
            netStatusAsked = try? NetStatusRequest.decode(from: &body)
        case .ordered, .orderedUnbuffered:
            guard let stamp = body.readInteger(as: UInt16.self) else { throw .truncated }
            receiveOrdered(stamp, body, on: code == .ordered ? .ordered : .orderedUnbuffered, into: &out)
        case .dataBundle:
            repeatsAcknowledgements = true
            var reader = DataBundleReader(body: body)
            while let message = reader.next() { deliverRaw(message, on: .unreliable, into: &out) }
        case .zeroEscape:
            // Data that begins with a zero, the second of the op code's two.
            var data = ByteBuffer()
            data.writeInteger(UInt8(0))
            data.writeImmutableBuffer(body)
            deliver(data, on: .unreliable, into: &out)
        case .netStatusResponse:
            netStatus = try? NetStatusResponse.decode(from: &body)
        case .big:
            break
        case .sessionRequest, .sessionResponse, .portAlive, .unknownSender, .remapConnection, .unassigned1F,
            .serverStatus:
            // These have no place inside another packet.
            counted.dropped &+= 1
        }
    }

    private mutating func receiveParts(
        _ body: ByteBuffer, depth: Int, at now: Instant, into out: inout DatagramOutbox
    ) throws(SOEWireError) {
        guard depth < MultiPacketReader.maxDepth else { throw .nestedTooDeep }
        repeatsAcknowledgements = true
        var reader = MultiPacketReader(body: body)
        while isOpen, var part = try reader.next() {
            do throws(SOEWireError) {
                switch try part.packetStart() {
                case .data:
                    deliverRaw(part, on: .unreliable, into: &out)
                case .packet(let code):
                    part.moveReaderIndex(forwardBy: 2)
                    try handle(code, part, depth: depth + 1, at: now, into: &out)
                }
            } catch .unknownOpCode {
                counted.dropped &+= 1
            }
        }
    }

    mutating func handleHeartbeat() {
        // A client that answered would answer answers.
        if role == .server { wantsHeartbeat = true }
        // Who sends one has nothing else to say: a good time to tidy up.
        trim()
    }

    private mutating func handle(_ disconnect: Disconnect, at now: Instant, into out: inout DatagramOutbox) {
        guard disconnect.sessionID == wireID else {
            counted.dropped &+= 1
            return
        }
        if parameters.dialect.answersDisconnect { sayFarewell(.otherSideTerminated, into: &out) }
        end(disconnect.reason, byPeer: true, at: now, into: &out)
    }

    private mutating func receiveOrdered(
        _ stamp: UInt16, _ body: ByteBuffer, on channel: SOEChannel, into out: inout DatagramOutbox
    ) {
        let isFirst = channel == .ordered
        let age = stamp &- (isFirst ? orderedReceived.0 : orderedReceived.1)
        guard age > 0, age < 30_000 else {
            counted.dropped &+= 1
            return
        }
        if isFirst { orderedReceived.0 = stamp } else { orderedReceived.1 = stamp }
        deliver(body, on: channel, into: &out)
    }
}
