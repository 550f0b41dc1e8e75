import NIOCore
import RelayCore

/// INIT and CLOSE: who goes by which id.
extension JSONRelayEngine {
    /// Gives a client the id it wants, or its present one, or one of the relay's making, and tells it which.
    ///
    /// Looking whether an id is free and taking it are one step, so two who ask at the same moment cannot both get it.
    mutating func initialize(
        _ client: Client, with message: IncomingMessage, into out: inout Outbox
    ) throws(MessageRefusal) {
        if isDraining, client.id == nil { throw .goingDown }
        let id: ClientID
        if let wanted = message.source.map(message.decoded), wanted.readableBytes > 0 {
            id = try ClientID(chosen: wanted)
            if holders[id] != nil { throw .idInUse(id.description) }
            try take(id, for: client, into: &out)
        } else if let present = client.id {
            id = present
        } else {
            id = connectionID(of: client)
            try take(id, for: client, into: &out)
        }
        out.send(OutgoingMessage(kind: .initialize, destination: .plain(id.bytes)).frame(), to: client.peer)
    }

    /// Frees the client's id. The connection stays for a while: another INIT may follow.
    mutating func leave(_ client: Client, at now: Instant, into out: inout Outbox) {
        if let id = client.id { free(id, of: client, into: &out) }
        client.phase = .leaving(since: now)
    }

    mutating func free(_ id: ClientID, of client: Client, into out: inout Outbox) {
        holders[id] = nil
        client.phase = .unnamed
        out.emit(JSONRelayEvent.clientLeft(client.peer, id: id.description))
    }

    /// The id that a connection goes by as long as it has taken none: nobody can reach it there, but it signs with it,
    /// and gets it if it asks for none.
    mutating func connectionID(of client: Client) -> ClientID {
        if let id = client.connectionID, holders[id] == nil { return id }
        // It is new, or somebody took its id by asking for that very one.
        var id = ClientID(from: &random)
        while holders[id] != nil { id = ClientID(from: &random) }
        client.connectionID = id
        return id
    }

    private mutating func take(
        _ id: ClientID, for client: Client, into out: inout Outbox
    ) throws(MessageRefusal) {
        let present = client.id
        if present == nil, configuration.maxClients > 0, holders.count >= configuration.maxClients { throw .serverFull }
        if let present { holders[present] = nil }
        holders[id] = client
        client.phase = .named(id)
        out.emit(JSONRelayEvent.clientNamed(client.peer, id: id.description, formerly: present?.description))
    }
}
