import NIOCore

/// A message to a client, and its one form on the wire.
struct OutgoingMessage {
    /// The member `source`.
    enum Source {
        case absent
        /// JSON null, as the original server writes it.
        case null
        case text(JSONText)
    }

    var kind: MessageKind
    var source = Source.absent
    var destination: JSONText
    /// `nil` leaves the member out.
    var payload: JSONText?
    /// Whether content goes out as `payloadContent` too.
    var hasReadmeName = false

    /// Encodes the frame. `capacity` is a good guess of its length, so that it need not grow on the way.
    func frame(capacity: Int = 256) -> ByteBuffer {
        var frame = ByteBuffer()
        frame.reserveCapacity(capacity)
        frame.writeInteger(Int32(0))
        frame.writeStaticString(#"{"payloadType":""#)
        frame.writeStaticString(kind.word)
        switch source {
        case .absent: frame.writeStaticString(#"""#)
        case .null: frame.writeStaticString(#"","source":null"#)
        case .text(let id): frame.writeMember(#"","source":""#, id)
        }
        frame.writeMember(#","destination":""#, destination)
        if let payload {
            frame.writeMember(#","payload":""#, payload)
            if hasReadmeName { frame.writeMember(#","payloadContent":""#, payload) }
        }
        frame.writeStaticString("}")
        frame.setInteger(Int32(clamping: frame.readableBytes - FrameReader.headerLength), at: frame.readerIndex)
        return frame
    }
}

extension ByteBuffer {
    fileprivate mutating func writeMember(_ beginning: StaticString, _ text: JSONText) {
        writeStaticString(beginning)
        writeJSON(text)
        writeStaticString(#"""#)
    }
}
