package import NIOCore

/// What a message is for: the four values of `payloadType`.
package enum MessageKind: Hashable, Sendable, CaseIterable {
    case initialize, message, error, close

    /// The word on the wire.
    var word: StaticString {
        switch self {
        case .initialize: "INIT"
        case .message: "MESSAGE"
        case .error: "ERROR"
        case .close: "CLOSE"
        }
    }
}

/// A frame from a client, checked and taken apart. Nothing is copied: its strings are places in the frame.
package struct IncomingMessage {
    /// The whole frame, header included.
    let frame: ByteBuffer
    package let kind: MessageKind
    /// `nil` if absent or JSON null.
    package let source: JSONString?
    /// `nil` if absent or JSON null.
    package let destination: JSONString?
    /// Content under whichever name it came; `nil` if absent.
    package let payload: JSONValue?
    /// Whether the sender named content `payloadContent`.
    let usesReadmeName: Bool
    /// Whether the frame has the outgoing form: all members in order and not an octet besides. What it then says is
    /// what would be sent, if each string is canonical.
    let isInOutgoingForm: Bool

    /// Reads a frame. `payloadContent` is another name for `payload` only if `readsReadmeName`.
    package init(_ frame: ByteBuffer, readsReadmeName: Bool) throws(WireError) {
        let bytes = frame.readableBytesSpan
        self.frame = frame
        if let members = OutgoingForm(bytes) {
            kind = members.kind
            source = try Self.id(.string(members.source), else: .sourceNotString)
            destination = try Self.id(.string(members.destination), else: .destinationNotString)
            payload = .string(members.payload)
            usesReadmeName = false
            isInOutgoingForm = true
        } else {
            let members = try Members(bytes)
            kind = try members.kind(in: bytes)
            source = try Self.id(members.source, else: .sourceNotString)
            destination = try Self.id(members.destination, else: .destinationNotString)
            payload = members.content(readsReadmeName: readsReadmeName)
            usesReadmeName = readsReadmeName && members.payloadContent != nil
            isInOutgoingForm = false
        }
    }

    /// Octets of the frame, as a slice.
    func slice(_ range: Range<Int>) -> ByteBuffer {
        frame.getSlice(at: frame.readerIndex + range.lowerBound, length: range.count) ?? ByteBuffer()
    }

    /// A string's text for a writer, which is spared the work where there is nothing to change.
    func text(of string: JSONString) -> JSONText {
        string.isCanonical ? .verbatim(slice(string.range)) : .encoded(slice(string.range))
    }

    /// A string's own UTF-8; a slice of the frame where nothing was escaped.
    package func decoded(_ string: JSONString) -> ByteBuffer {
        string.hasEscapes
            ? JSONText.decoded(frame.readableBytesSpan.extracting(string.range)) : slice(string.range)
    }

    /// The string of an id, `nil` for null.
    private static func id(_ value: JSONValue?, else error: WireError) throws(WireError) -> JSONString? {
        switch value {
        case nil, .null: return nil
        case .string(let string):
            if string.hasLoneSurrogate { throw .idNotText }
            return string
        case .token, .object, .array: throw error
        }
    }
}

/// The members of a message that has just the form in which the relay would send it.
///
/// That is how most messages come, and reading it needs no search for names. What else there may be, faults included,
/// is left to the general reader.
private struct OutgoingForm {
    let kind: MessageKind
    let source: JSONString
    let destination: JSONString
    let payload: JSONString

    init?(_ bytes: RawSpan) {
        var scanner = JSONScanner(from: FrameReader.headerLength)
        if scanner.take(#"{"payloadType":"MESSAGE","source":"#, in: bytes) {
            kind = .message
        } else if scanner.take(#"{"payloadType":"ERROR","source":"#, in: bytes) {
            kind = .error
        } else {
            return nil
        }
        guard let source = try? scanner.scanString(in: bytes), scanner.take(#","destination":"#, in: bytes),
            let destination = try? scanner.scanString(in: bytes), scanner.take(#","payload":"#, in: bytes),
            let payload = try? scanner.scanString(in: bytes), scanner.take("}", in: bytes), scanner.isAtEnd(of: bytes)
        else { return nil }
        self.source = source
        self.destination = destination
        self.payload = payload
    }
}

/// The members that mean something, each as it was given last.
private struct Members {
    private var payloadType: JSONValue?
    private(set) var source: JSONValue?
    private(set) var destination: JSONValue?
    private var payload: JSONValue?
    private(set) var payloadContent: JSONValue?

    init(_ bytes: RawSpan) throws(WireError) {
        var scanner = JSONScanner(from: FrameReader.headerLength)
        try scanner.openObject(in: bytes)
        while let name = try scanner.nextName(in: bytes) {
            let value = try scanner.scanValue(in: bytes)
            set(name, to: value, in: bytes)
        }
        try scanner.close(in: bytes)
    }

    /// Content under whichever name it has; `payload` goes first unless it is null.
    func content(readsReadmeName: Bool) -> JSONValue? {
        switch payload {
        case nil, .null: readsReadmeName ? payloadContent ?? payload : payload
        case .string, .token, .object, .array: payload
        }
    }

    func kind(in bytes: RawSpan) throws(WireError) -> MessageKind {
        switch payloadType {
        case nil, .null: throw .typeMissing
        case .string(let string):
            guard let kind = MessageKind.allCases.first(where: { string.equals($0.word, in: bytes) }) else {
                throw .typeUnknown
            }
            return kind
        case .token, .object, .array: throw .typeNotString
        }
    }

    private mutating func set(_ name: JSONString, to value: JSONValue, in bytes: RawSpan) {
        if name.equals("payloadType", in: bytes) {
            payloadType = value
        } else if name.equals("source", in: bytes) {
            source = value
        } else if name.equals("destination", in: bytes) {
            destination = value
        } else if name.equals("payload", in: bytes) {
            payload = value
        } else if name.equals("payloadContent", in: bytes) {
            payloadContent = value
        }
    }
}
