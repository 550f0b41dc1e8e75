public import RelayCore
public import SOE

extension GatewayEngine {
    /// How many sessions there are, those that are just ending included.
    public var sessionCount: Int { sessions.sessionCount }
    /// How many sessions have a client.
    public var clientCount: Int { clients.count }

    /// Whether there is a backend that has introduced itself.
    public var hasBackend: Bool { if case .present = backend { true } else { false } }

    /// What all sessions have counted together.
    public var totals: SOEStatistics { sessions.totals }
    /// What the engine of the sessions has counted.
    public var statistics: SOEEngine.Statistics { sessions.statistics }

    /// From now on no new sessions are accepted; those that exist go on.
    public mutating func drain() {
        sessions.drain()
    }

    /// New sessions again: the operator has ended the drain.
    public mutating func endDrain() {
        sessions.endDrain()
    }

    /// Begins to end all sessions: `sessionCount` says when that is done.
    public mutating func stop(at now: Instant, into out: inout GatewayOutbox) {
        isStopping = true
        graceEnds = .never
        withSessions(at: now, into: &out) { $0.stop(reason: .application, at: now, into: &$1) }
    }

    /// Parts from a client.
    public mutating func kick(_ peer: PeerID, at now: Instant, into out: inout GatewayOutbox) -> Bool {
        guard clients[peer] != nil else { return false }
        withSessions(at: now, into: &out) { $0.disconnect(peer, reason: .application, at: now, into: &$1) }
        return true
    }

    /// Takes new settings; sessions that exist keep theirs.
    public mutating func reconfigure(_ configuration: GatewayConfiguration) {
        reader.allow(longestBody: configuration.maxMessage)
        self.configuration = configuration
        sessions.reconfigure(configuration.sessions)
        setAcceptance()
    }

    public func rooms(at now: Instant) -> [RoomSnapshot] { sessions.rooms(at: now) }

    /// Who gets a session: a client of a known protocol, while there is a backend to speak to.
    ///
    /// Called again whenever one of these changes.
    mutating func setAcceptance() {
        let (configuration, hasBackend) = (configuration, hasBackend)
        sessions.acceptance = { request, _ in
            guard request.version == configuration.dialect.version else { return .refuse(.protocolMismatch) }
            var parameters = configuration.parameters
            if configuration.dialect.namesProtocol {
                let name = request.protocolName ?? ""
                guard configuration.protocolNames.isEmpty || configuration.protocolNames.contains(name) else {
                    return .refuse(.protocolMismatch)
                }
                parameters.protocolName = name
            }
            return hasBackend ? .acceptWith(parameters) : .refuse(.connectionRefused)
        }
    }
}
