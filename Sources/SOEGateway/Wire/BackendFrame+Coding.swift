public import NIOCore
import SOE

extension BackendFrame {
    /// Appends the frame.
    public func encode(into bytes: inout ByteBuffer) {
        switch self {
        case .hello(let version):
            Self.write(.hello, into: &bytes) {
                $0.writeBytes(Self.mark)
                $0.writeInteger(version)
            }
        case .opened(let session, let opened):
            Self.write(.opened, session, into: &bytes) { opened.encode(into: &$0) }
        case .data(let session, let channel, let message):
            Self.writeData(session, channel, message, into: &bytes)
        case .closed(let session, let closed):
            Self.write(.closed, session, into: &bytes) {
                $0.writeMultipleIntegers(closed.reason.rawValue, UInt8(closed.isByClient ? 1 : 0), closed.undelivered)
            }
        case .stats(let session, let figures):
            Self.write(.stats, session, into: &bytes) { figures?.encode(into: &$0) }
        case .encrypt(let session, let change):
            Self.write(.encrypt, session, into: &bytes) {
                $0.writeInteger(UInt8((change.toClient ? 1 : 0) | (change.fromClient ? 2 : 0)))
                if let key = change.key { $0.writeBytes(key.octets) }
            }
        case .pause(let session):
            Self.write(.pause, session, into: &bytes) { _ in }
        case .resume(let session):
            Self.write(.resume, session, into: &bytes) { _ in }
        case .moved(let session, let address):
            Self.write(.moved, session, into: &bytes) { $0.writeString(address) }
        }
    }

    /// A frame of `data`, without making one first: the only kind that is frequent.
    @inline(__always)
    static func writeData(
        _ session: SessionNumber, _ channel: SOEChannel, _ message: ByteBuffer, into bytes: inout ByteBuffer
    ) {
        bytes.writeMultipleIntegers(
            UInt32(truncatingIfNeeded: headSize - 4 + message.readableBytes), Kind.data.rawValue, channel.rawValue,
            session.value)
        bytes.writeImmutableBuffer(message)
    }

    private static func write(
        _ kind: Kind, _ session: SessionNumber = SessionNumber(0), into bytes: inout ByteBuffer,
        body: (inout ByteBuffer) -> Void
    ) {
        let start = bytes.writerIndex
        bytes.writeMultipleIntegers(UInt32(0), kind.rawValue, UInt8(0), session.value)
        body(&bytes)
        bytes.setInteger(UInt32(truncatingIfNeeded: bytes.writerIndex - start - 4), at: start)
    }

    /// Reads what follows the length: all of one frame.
    static func decode(_ frame: ByteBuffer) throws(BackendFrameError) -> BackendFrame {
        var body = frame
        guard let head = body.readMultipleIntegers(as: (UInt8, UInt8, UInt64).self) else { throw .truncated }
        guard let kind = Kind(rawValue: head.0) else { throw .unknownKind }
        let session = SessionNumber(head.2)
        switch kind {
        case .hello:
            guard body.readBytes(length: mark.count) == mark else { throw .noHello }
            guard let version = body.readInteger(as: UInt16.self) else { throw .truncated }
            return .hello(version: version)
        case .opened:
            return .opened(session, try OpenedSession.decode(from: &body))
        case .data:
            guard let channel = SOEChannel(rawValue: head.1) else { throw .unknownChannel }
            return .data(session, channel, body)
        case .closed:
            guard let reason = body.readInteger(as: UInt16.self) else { throw .truncated }
            let rest = body.readMultipleIntegers(as: (UInt8, UInt32).self)
            return .closed(
                session,
                ClosedSession(
                    reason: DisconnectReason(wire: reason), isByClient: rest?.0 == 1, undelivered: rest?.1 ?? 0))
        case .stats:
            return .stats(session, body.readableBytes == 0 ? nil : try SessionFigures.decode(from: &body))
        case .encrypt:
            return .encrypt(session, try EncryptionChange.decode(from: &body))
        case .pause:
            return .pause(session)
        case .resume:
            return .resume(session)
        case .moved:
            return .moved(session, address: try body.readRest())
        }
    }
}

extension OpenedSession {
    fileprivate func encode(into bytes: inout ByteBuffer) {
        let name = protocolName.octets.prefix(255)
        bytes.writeMultipleIntegers(
            UInt8((isResumed ? 1 : 0) | (isEncrypted ? 2 : 0)), wireID, UInt8(truncatingIfNeeded: name.count))
        bytes.writeBytes(name)
        bytes.writeString(address)
    }

    fileprivate static func decode(from body: inout ByteBuffer) throws(BackendFrameError) -> OpenedSession {
        guard let fields = body.readMultipleIntegers(as: (UInt8, UInt32, UInt8).self),
            let name = body.readBytes(length: Int(fields.2))
        else { throw .truncated }
        return OpenedSession(
            isResumed: fields.0 & 1 != 0, isEncrypted: fields.0 & 2 != 0, wireID: fields.1,
            protocolName: ProtocolName(name), address: try body.readRest())
    }
}

extension EncryptionChange {
    fileprivate static func decode(from body: inout ByteBuffer) throws(BackendFrameError) -> EncryptionChange {
        guard let directions = body.readInteger(as: UInt8.self) else { throw .truncated }
        let key = RC4Key(body.readableBytesView)
        guard key != nil || body.readableBytes == 0 else { throw .badKey }
        return EncryptionChange(toClient: directions & 1 != 0, fromClient: directions & 2 != 0, key: key)
    }
}

extension SessionFigures {
    fileprivate func encode(into bytes: inout ByteBuffer) {
        bytes.writeMultipleIntegers(roundTrip, lowestRoundTrip, roundTripVariation)
        bytes.writeMultipleIntegers(
            queuedBytes, messagesReceived, messagesSent, datagramsReceived, datagramsSent, packetsSent, packetsResent)
    }

    fileprivate static func decode(from body: inout ByteBuffer) throws(BackendFrameError) -> SessionFigures {
        guard let times = body.readMultipleIntegers(as: (UInt32, UInt32, UInt32).self),
            let counts = body.readMultipleIntegers(
                as: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64).self)
        else { throw .truncated }
        var figures = SessionFigures()
        (figures.roundTrip, figures.lowestRoundTrip, figures.roundTripVariation) = times
        (figures.queuedBytes, figures.messagesReceived, figures.messagesSent) = (counts.0, counts.1, counts.2)
        (figures.datagramsReceived, figures.datagramsSent) = (counts.3, counts.4)
        (figures.packetsSent, figures.packetsResent) = (counts.5, counts.6)
        return figures
    }
}

extension ByteBuffer {
    fileprivate mutating func readRest() throws(BackendFrameError) -> String {
        guard let text = String(validating: readableBytesView, as: UTF8.self) else { throw .badText }
        return text
    }
}
