import NIOCore
import RelayCore

/// MESSAGE and ERROR: from one client to another.
extension JSONRelayEngine {
    /// Passes a message to the client it names: the very frame that came, where that says what is to be said.
    mutating func relay(
        _ message: IncomingMessage, from client: Client, into out: inout Outbox
    ) throws(MessageRefusal) {
        if configuration.requireInit, client.id == nil { throw .notInitialized }
        let receiver = try holder(of: message.destination, in: message)
        let trueID = configuration.sourcePolicy == .trust ? nil : client.id ?? connectionID(of: client)
        let hasReadmeName = wantsReadmeName(receiver)
        if !hasReadmeName, isAsItShouldBe(message, from: trueID) {
            out.forward(message.frame, to: receiver.peer)
            return
        }
        let outgoing = OutgoingMessage(
            kind: message.kind, source: source(of: message, from: trueID),
            destination: message.destination.map(message.text) ?? .plain(ByteBuffer()),
            payload: try content(of: message), hasReadmeName: hasReadmeName)
        // Room for a source that was not there; what grows by more than that makes the frame grow.
        out.forward(
            outgoing.frame(capacity: message.frame.readableBytes + 2 * ClientID.maxLength), to: receiver.peer)
    }

    /// Whether content goes to that client under both its names.
    func wantsReadmeName(_ client: Client) -> Bool {
        switch configuration.readmeNames {
        case .always: true
        case .never: false
        case .auto: client.usesReadmeName
        }
    }

    private func holder(
        of destination: JSONString?, in message: IncomingMessage
    ) throws(MessageRefusal) -> Client {
        guard let id = destination.map(message.decoded), id.readableBytes > 0 else { throw .destinationMissing }
        guard id.readableBytes <= ClientID.maxLength else {
            throw .destinationUnknown(String(buffer: id).prefix(32) + "...")
        }
        guard let holder = holders[ClientID(id)] else { throw .destinationUnknown(String(buffer: id)) }
        return holder
    }

    /// Whether encoding the message anew would make the same octets. `trueID` is `nil` where the sender is trusted.
    private func isAsItShouldBe(_ message: IncomingMessage, from trueID: ClientID?) -> Bool {
        guard message.isInOutgoingForm, let source = message.source, let destination = message.destination,
            case .string(let payload) = message.payload
        else { return false }
        guard source.isCanonical, destination.isCanonical, payload.isCanonical else { return false }
        if let trueID, source.hasEscapes || message.slice(source.range) != trueID.bytes { return false }
        return configuration.payloadEscaping == .transparent || !payload.hasEscapes
    }

    private func source(of message: IncomingMessage, from trueID: ClientID?) -> OutgoingMessage.Source {
        if let trueID { return .text(.plain(trueID.bytes)) }
        if let claimed = message.source { return .text(message.text(of: claimed)) }
        return message.kind == .message ? .null : .absent
    }

    private func content(of message: IncomingMessage) throws(MessageRefusal) -> JSONText {
        switch (message.payload, configuration.payloadEscaping) {
        case (nil, _), (.null, .transparent):
            return .plain(ByteBuffer())
        case (.null(let token), .reference), (.token(let token), _):
            return .verbatim(message.slice(token))
        case (.string(let string), .transparent):
            if string.hasLoneSurrogate { throw .payloadNotText }
            return message.text(of: string)
        case (.string(let string), .reference):
            // The original takes what stands between the quotes for the text itself.
            return .plain(message.slice(string.range))
        case (.object, _), (.array, _):
            throw .payloadNotString
        }
    }
}
