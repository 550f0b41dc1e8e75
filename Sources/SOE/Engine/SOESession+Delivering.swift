import NIOCore
import RelayCore

extension SOESession {
    /// Encrypted messages longer than this are decrypted in memory of their own.
    private static let longMessage = 16 << 10

    mutating func receiveReliable(
        _ index: Int, _ body: ByteBuffer, isFragment: Bool, at now: Instant, into out: inout DatagramOutbox
    ) throws(SOEWireError) {
        var body = body
        guard let sequence = body.readInteger(as: UInt16.self), body.readableBytes > 0 else { throw .truncated }
        openChannel(index)
        // What is not acknowledged is sent again: the peer waits with the application.
        if isPaused || holdsMessages, channels[index].receiver.expects(sequence) {
            counted.held &+= 1
            return
        }
        let arrival = channels[index].receiver.receive(sequence, body: body, isFragment: isFragment, at: now)
        guard case .next = arrival else { return }
        do throws(ChannelFault) {
            try deliverUnits(body, isFragment: isFragment, on: index, into: &out)
            while isOpen, let stashed = channels[index].receiver.popStashed(at: now) {
                try deliverUnits(stashed.body, isFragment: stashed.isFragment, on: index, into: &out)
            }
        } catch {
            // Nothing after this could be put together.
            end(.corruptPacket, byPeer: false, at: now, into: &out)
        }
    }

    /// Delivers what a packet in order completes.
    @inline(__always)
    private mutating func deliverUnits(
        _ body: ByteBuffer, isFragment: Bool, on index: Int, into out: inout DatagramOutbox
    ) throws(ChannelFault) {
        // The message may have a zero, or the frame of a bundle, in front of it.
        let limit = longestMessage + 16
        guard let unit = try channels[index].receiver.assemble(body, isFragment: isFragment, limit: limit) else {
            return
        }
        if DataBundleReader.isBundle(unit) {
            deliverBundle(unit, on: index, into: &out)
        } else if parameters.dialect.escapesLeadingZero, !receiving.isOn, isInternal(unit) {
            counted.dropped &+= 1
        } else {
            deliverMessage(unit, on: index, into: &out)
        }
    }

    /// Whether a unit is a packet inside a packet. Nobody is known to send one but bundles, and escaped data.
    private func isInternal(_ unit: ByteBuffer) -> Bool {
        guard let start = unit.getInteger(at: unit.readerIndex, as: UInt16.self) else { return false }
        return start > 0 && start < 256
    }

    private mutating func deliverBundle(_ unit: ByteBuffer, on index: Int, into out: inout DatagramOutbox) {
        var body = unit
        body.moveReaderIndex(forwardBy: 2)
        var reader = DataBundleReader(body: body)
        while let message = reader.next() { deliverMessage(message, on: index, into: &out) }
        if reader.isTruncated { counted.dropped &+= 1 } else { repeatsAcknowledgements = true }
    }

    @inline(__always)
    private mutating func deliverMessage(_ message: ByteBuffer, on index: Int, into out: inout DatagramOutbox) {
        var message = message
        if receiving.isOn || parameters.dialect.escapesLeadingZero, message.readableBytes > 1,
            message.getInteger(at: message.readerIndex, as: UInt8.self) == 0
        {
            message.moveReaderIndex(forwardBy: 1)
        }
        counted.messagesReceived &+= 1
        if receiving.isOn {
            deliverEncrypted(message, on: index, into: &out)
        } else {
            out.deliver(message, from: id, channel: UInt8(truncatingIfNeeded: index))
        }
    }

    private mutating func deliverEncrypted(_ message: ByteBuffer, on index: Int, into out: inout DatagramOutbox) {
        guard message.readableBytes <= Self.longMessage else {
            var message = message
            message.withUnsafeMutableReadableBytes { channels[index].decrypt($0, encryption: receiving) }
            out.deliver(message, from: id, channel: UInt8(truncatingIfNeeded: index))
            return
        }
        let start = out.bytes.writerIndex
        out.bytes.writeImmutableBuffer(message)
        out.bytes.withUnsafeMutableReadableBytes {
            channels[index].decrypt(UnsafeMutableRawBufferPointer(rebasing: $0[start...]), encryption: receiving)
        }
        out.deliver(from: start, from: id, channel: UInt8(truncatingIfNeeded: index))
    }

    /// Delivers unreliable data. If it begins with 0, one was put in front of it.
    mutating func deliverRaw(_ data: ByteBuffer, on channel: SOEChannel, into out: inout DatagramOutbox) {
        var data = data
        if data.readableBytes > 1, data.getInteger(at: data.readerIndex, as: UInt8.self) == 0 {
            data.moveReaderIndex(forwardBy: 1)
        }
        deliver(data, on: channel, into: &out)
    }

    mutating func deliver(_ message: ByteBuffer, on channel: SOEChannel, into out: inout DatagramOutbox) {
        guard !isPaused, !holdsMessages else {
            counted.held &+= 1
            return
        }
        counted.messagesReceived &+= 1
        out.deliver(message, from: id, channel: channel.rawValue)
    }
}
