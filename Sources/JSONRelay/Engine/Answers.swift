public import NIOCore
public import RelayCore

/// What the relay tells a client that asked for something it does not get.
extension JSONRelayEngine {
    /// Does not act upon a message: tells the operator, the client if it is to be told, and counts a fault.
    mutating func refuse(
        _ refusal: MessageRefusal, to client: Client, at now: Instant, into out: inout Outbox
    ) {
        out.emit(JSONRelayEvent.refused(client.peer, refusal))
        if isAnswered(refusal, hasID: client.id != nil) { sendError(refusal.text, to: client, into: &out) }
        if refusal.isFault, client.strike(at: now) { part(from: client, .tooManyFaults, into: &out) }
    }

    mutating func sendError(_ text: String, to client: Client, into out: inout Outbox) {
        let id = client.id ?? connectionID(of: client)
        let message = OutgoingMessage(
            kind: .error, destination: .plain(id.bytes), payload: .plain(ByteBuffer(string: text)),
            hasReadmeName: wantsReadmeName(client))
        out.send(message.frame(), to: client.peer)
    }

    /// An ERROR for somebody who is not let in. He has no id, so it is addressed to one made up.
    public mutating func words(for refusal: Admission.Refusal, because reason: String) -> ByteBuffer? {
        guard configuration.errorReplies == .readme else { return nil }
        let text =
            switch refusal {
            case .banned: Removal.banned(reason: reason).words
            case .serverFull: "Server full"
            case .addressFull, .prefixFull: "Too many connections from your address"
            case .tooFast: "Too many new connections from your address"
            }
        let id = ClientID(from: &random)
        let message = OutgoingMessage(
            kind: .error, destination: .plain(id.bytes), payload: .plain(ByteBuffer(string: text)),
            hasReadmeName: configuration.readmeNames == .always)
        return message.frame()
    }

    private func isAnswered(_ refusal: MessageRefusal, hasID: Bool) -> Bool {
        switch configuration.errorReplies {
        case .readme:
            return hasID || !refusal.isAboutDestination
        case .reference:
            // The original finds the addressee of its one answer by the id that it has taken.
            if case .idInUse = refusal { return hasID }
            return false
        }
    }
}
