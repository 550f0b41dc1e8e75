import DequeModule
public import NIOCore
public import RelayCore

extension SOESession {
    /// The most bytes of unreliable messages in one turn.
    private static let maxLoose = 256 << 10
    /// What a message in a queue costs beside its bytes.
    private static let queueingCost = 64

    /// Takes a message for the peer; the next `advance` sends it, together with others.
    ///
    /// Unreliable messages that do not fit into a datagram, or are empty, travel on `reliable0`.
    public mutating func enqueue(_ message: ByteBuffer, on channel: SOEChannel, at now: Instant) -> EnqueueResult {
        guard message.readableBytes <= longestMessage else { return .tooLong }
        switch phase {
        case .negotiating:
            guard channel.isReliable else { return .closed }
            return enqueueEarly(message, on: channel)
        case .closing, .closed:
            return .closed
        case .running:
            inputAt = inputAt ?? now
            guard channel.isReliable else { return enqueueLoose(message, on: channel) }
            return enqueueReliable(message, on: Int(channel.rawValue))
        }
    }

    private mutating func enqueueReliable(_ message: ByteBuffer, on index: Int) -> EnqueueResult {
        let queued = queuedBytes
        guard queued == 0 || queued + message.readableBytes <= parameters.maxQueued else {
            wantsRoom = true
            return .full
        }
        openChannel(index)
        channels[index].enqueue(
            message, escapesLeadingZero: parameters.dialect.escapesLeadingZero, encryption: sending)
        counted.messagesSent &+= 1
        return .accepted
    }

    private mutating func enqueueEarly(_ message: ByteBuffer, on channel: SOEChannel) -> EnqueueResult {
        let cost = message.readableBytes + Self.queueingCost
        guard earlyBytes == 0 || earlyBytes + cost <= parameters.maxQueued else {
            wantsRoom = true
            return .full
        }
        early.append((message, channel))
        earlyBytes += cost
        return .accepted
    }

    /// Gives the channels what was enqueued before they could know how long their packets may be.
    mutating func enqueueEarlyMessages() {
        earlyBytes = 0
        while let (message, channel) = early.popFirst() {
            let index = Int(channel.rawValue)
            openChannel(index)
            channels[index].enqueue(
                message, escapesLeadingZero: parameters.dialect.escapesLeadingZero, encryption: sending)
            counted.messagesSent &+= 1
        }
        early = []
    }

    private mutating func enqueueLoose(_ message: ByteBuffer, on channel: SOEChannel) -> EnqueueResult {
        let count = message.readableBytes
        let room =
            channel == .unreliable
            ? sendLength - 1 - (parameters.dialect.codesRawData ? coding.overhead : coding.crc.length)
            : sendLength - 4 - coding.overhead
        guard count > 0, count <= room else { return enqueueReliable(message, on: 0) }
        guard looseBytes + count + Self.queueingCost <= Self.maxLoose else {
            wantsRoom = true
            return .full
        }
        loose.append((message, channel))
        looseBytes += count + Self.queueingCost
        counted.messagesSent &+= 1
        return .accepted
    }

    /// Sends what may be sent: acknowledgements, then data, then what is said when there is nothing else to say.
    ///
    /// - Parameter acknowledgesAll: whether acknowledgements wait for nothing any more.
    mutating func sendDatagrams(at now: Instant, acknowledgesAll: Bool = false, into out: inout DatagramOutbox) {
        let before = counted.datagramsSent
        var writer = DatagramWriter(coding: coding, limit: sendLength)
        var carriesData = acknowledgesAll || !loose.isEmpty
        for index in channels.indices where !carriesData {
            carriesData = channels[index].sender.isReady(at: now, over: path)
        }
        for index in channels.indices {
            if carriesData || channels[index].receiver.mustAcknowledge(at: now) {
                writeAcknowledgements(of: index, at: now, &writer, into: &out)
            }
        }
        writeReliable(at: now, onlyFull: false, &writer, into: &out)
        if !loose.isEmpty { writeLoose(&writer, into: &out) }
        writeStatus(at: now, &writer, into: &out)
        writer.finish(coding: coding, zlib: zlib, to: remote, &out)
        note(writer.finished, writer.finishedBytes)
        if counted.datagramsSent != before { lastSent = now }
    }

    /// How many packets are ready that gain nothing by waiting for the end of the turn.
    var fullPackets: Int {
        guard case .running = phase else { return 0 }
        return channels.reduce(0) { $0 + $1.sender.fullPackets }
    }

    /// Sends those, and leaves the rest, acknowledgements too, to the end of the turn.
    mutating func sendFull(at now: Instant, into out: inout DatagramOutbox) {
        var writer = DatagramWriter(coding: coding, limit: sendLength)
        writeReliable(at: now, onlyFull: true, &writer, into: &out)
        guard !writer.isEmpty else { return }
        writer.finish(coding: coding, zlib: zlib, to: remote, &out)
        note(writer.finished, writer.finishedBytes)
        lastSent = now
    }

    /// The channels take turns, packet by packet: they share one window, and none may starve.
    private mutating func writeReliable(
        at now: Instant, onlyFull: Bool, _ writer: inout DatagramWriter, into out: inout DatagramOutbox
    ) {
        var refusals = 0
        while refusals < channels.count {
            let index = nextChannel < channels.count ? nextChannel : 0
            nextChannel = index + 1
            guard !onlyFull || channels[index].sender.fullPackets > 0,
                let packet = channels[index].sender.next(at: now, over: &path)
            else {
                refusals += 1
                continue
            }
            refusals = 0
            writer.begin(4 + packet.count, coding: coding, zlib: zlib, to: remote, &out)
            let code = OpCode.code(packet.isFragment ? .fragment0 : .reliableData0, index)
            out.bytes.writeInteger(UInt32(code) << 16 | UInt32(packet.sequence))
            channels[index].sender.write(packet, into: &out.bytes)
        }
    }

    mutating func note(_ datagrams: Int, _ bytes: Int) {
        counted.datagramsSent &+= UInt64(datagrams)
        counted.bytesSent &+= UInt64(bytes)
    }

    @inline(__always)
    private mutating func writeAcknowledgements(
        of index: Int, at now: Instant, _ writer: inout DatagramWriter, into out: inout DatagramOutbox
    ) {
        if let sequence = channels[index].receiver.takeAcknowledgeAll(at: now) {
            writer.begin(4, coding: coding, zlib: zlib, to: remote, &out)
            out.bytes.writeInteger(UInt32(OpCode.code(.acknowledgeAll0, index)) << 16 | UInt32(sequence))
        }
        while let sequence = channels[index].receiver.takeSingle() {
            writer.begin(4, coding: coding, zlib: zlib, to: remote, &out)
            out.bytes.writeInteger(UInt32(OpCode.code(.acknowledge0, index)) << 16 | UInt32(sequence))
        }
    }

    private mutating func writeLoose(_ writer: inout DatagramWriter, into out: inout DatagramOutbox) {
        looseBytes = 0
        while let (message, channel) = loose.popFirst() {
            switch channel {
            case .ordered:
                orderedSent.0 &+= 1
                writeOrdered(.ordered, orderedSent.0, message, &writer, into: &out)
            case .orderedUnbuffered:
                orderedSent.1 &+= 1
                writeOrdered(.orderedUnbuffered, orderedSent.1, message, &writer, into: &out)
            default:
                // It has no op code by which a part of a MultiPacket could be told from data, so it goes alone.
                writer.finish(coding: coding, zlib: zlib, to: remote, &out)
                sendRaw(message, into: &out)
            }
        }
    }

    private mutating func writeOrdered(
        _ code: OpCode, _ stamp: UInt16, _ message: ByteBuffer, _ writer: inout DatagramWriter,
        into out: inout DatagramOutbox
    ) {
        writer.begin(4 + message.readableBytes, coding: coding, zlib: zlib, to: remote, &out)
        out.bytes.writeOpCode(code)
        out.bytes.writeInteger(stamp)
        out.bytes.writeImmutableBuffer(message)
    }

    private mutating func sendRaw(_ message: ByteBuffer, into out: inout DatagramOutbox) {
        let start = out.bytes.writerIndex
        var rest = message
        guard let first = rest.readInteger(as: UInt8.self) else { return }
        if first == 0 { out.bytes.writeInteger(UInt8(0)) }
        out.bytes.writeInteger(first)
        if coding.codesRawData { out.bytes.writeRepeatingByte(0, count: coding.gap) }
        out.bytes.writeImmutableBuffer(rest)
        coding.seal(&out.bytes, from: start, isRaw: true, zlib: zlib)
        note(1, out.bytes.writerIndex - start)
        out.send(from: start, to: remote)
    }
}
