import NIOCore
import RelayCore

/// What a host asks for: to open a network, to change it, to put a player out.
extension LDNEngine {
    /// Ports below this are other services': no P2P proxy is there, and nobody shall learn from us what else is.
    private static let firstProxyPort: UInt16 = 1024

    mutating func create(_ accessPoint: AccessPoint, for session: Session, at now: Instant, into out: inout Outbox) {
        guard session.account.creates.take(at: now, rate: configuration.createRate) else {
            return refuse(.createTooFast, to: session, into: &out)
        }
        do throws(LDNRefusal) {
            try check(accessPoint, for: session)
        } catch {
            return refuse(error, to: session, into: &out)
        }
        let port = accessPoint.ryu.externalProxyPort
        guard port != 0 else {
            return open(accessPoint, for: session, proxyIsReachable: nil, into: &out)
        }
        guard configuration.allowP2P, port >= Self.firstProxyPort,
            session.account.probes.take(at: now, rate: configuration.probeRate)
        else { return open(accessPoint, for: session, proxyIsReachable: false, into: &out) }
        // What comes meanwhile may already be about the new network.
        session.creation = accessPoint
        out.pause(session.peer)
        out.probe(Endpoint(address: session.endpoint.address, port: port), for: session.peer)
    }

    private func check(_ accessPoint: AccessPoint, for session: Session) throws(LDNRefusal) {
        if session.identity == nil { throw .createUninitialized }
        if isDraining { throw .goingDown }
        if accessPoint.advertiseData.readableBytes > LdnNetworkInfo.maxAdvertiseData { throw .advertiseDataTooLong }
        let replaced = accessPoint.id.flatMap { networks[$0] }
        if let replaced, replaced.host != session.peer { throw .idTaken }
        if session.network != nil, replaced == nil { throw .alreadyInNetwork }
        if networks.isFull, replaced == nil { throw .networksFull }
    }

    /// Opens a network.
    ///
    /// - Parameter proxyIsReachable: `nil` if the host runs no P2P proxy.
    mutating func open(
        _ accessPoint: AccessPoint, for session: Session, proxyIsReachable: Bool?, into out: inout Outbox
    ) {
        // Asked again: much may have happened while the proxy was tried.
        do throws(LDNRefusal) {
            try check(accessPoint, for: session)
        } catch {
            return refuse(error, to: session, into: &out)
        }
        guard let identity = session.identity else { return }
        if let replaced = accessPoint.id.flatMap({ networks[$0] }) { close(replaced, except: session, into: &out) }
        let network = Network(
            accessPoint.id ?? unusedID(), accessPoint, passphrase: session.passphrase, host: session.peer,
            mac: identity.macAddress,
            proxy: proxyIsReachable == true ? HostProxy(of: session.endpoint.address, accessPoint.ryu) : nil)
        let added = network.add(
            session.peer, mac: identity.macAddress, userName: accessPoint.userName,
            version: accessPoint.network.localCommunicationVersion)
        guard let host = added, networks.open(network.id, network) else {
            preconditionFailure("a network that was allowed has no room")
        }
        enter(network, as: host, session)
        var welcome = ByteBuffer()
        if proxyIsReachable == false {
            let port = accessPoint.ryu.externalProxyPort
            out.emit(LDNEvent.portUnreachable(session.peer, Endpoint(address: session.endpoint.address, port: port)))
            sendError(.portUnreachable, to: session.peer, into: &out)
        }
        introduce(session, as: host, to: network, welcome: &welcome, into: &out)
        network.write(.connected, into: &welcome)
        out.send(welcome, to: session.peer)
        out.emit(
            LDNEvent.networkOpened(
                session.peer, network.id, title: TitleID(localCommunicationID: network.title),
                isP2P: network.proxy != nil, name: network.names[host.nodeID]))
    }

    mutating func setAcceptPolicy(
        _ policy: AcceptPolicy, by session: Session, at now: Instant, into out: inout Outbox
    ) {
        guard let network = change(by: session, at: now, into: &out) else { return }
        apply(isDraining ? .rejectAll : policy, to: network, into: &out)
    }

    mutating func apply(_ policy: AcceptPolicy, to network: Network, into out: inout Outbox) {
        network.setAcceptPolicy(policy)
        index.update(network)
        tell(network, into: &out)
    }

    mutating func advertise(_ data: ByteBuffer, by session: Session, at now: Instant, into out: inout Outbox) {
        guard let network = change(by: session, at: now, into: &out) else { return }
        guard network.advertise(data) else {
            dropped.advertiseDataTooLong += 1
            return
        }
        tell(network, into: &out)
    }

    /// Puts a player out and tells it so. The host is always answered.
    mutating func reject(_ request: RejectRequest, by session: Session, at now: Instant, into out: inout Outbox) {
        guard session.changes.take(at: now, rate: configuration.changeRate) else {
            return part(from: session, .tooManyChanges, at: now, into: &out)
        }
        if session.isHost, let network = session.network, let member = network.member(at: request.nodeID),
            member.peer != session.peer, let rejected = sessions[member.peer]
        {
            putOut(rejected, request, into: &out)
            out.emit(LDNEvent.playerRejected(rejected.peer, network.id))
        } else {
            refuse(.rejectFailed, to: session, into: &out)
        }
        out.send(Packet.rejectReply.encoded, to: session.peer)
    }

    /// Takes a player out of its network, and tells it why.
    mutating func putOut(_ session: Session, _ rejection: RejectRequest, into out: inout Outbox) {
        var words = Packet.reject(rejection).encoded
        Packet.disconnect(DisconnectMessage()).encode(into: &words)
        out.send(words, to: session.peer)
        leave(session, into: &out)
    }

    /// A P2P host tells that a player has gone from its proxy, and so from the game.
    mutating func proxyState(_ state: ExternalProxyConnectionState, from session: Session, into out: inout Outbox) {
        guard !state.isConnected else { return }
        guard session.isHost, let network = session.network, network.proxy != nil,
            let member = network.member(of: state.ipAddress), let gone = sessions[member.peer]
        else {
            dropped.unexpected += 1
            return
        }
        out.emit(LDNEvent.proxyLeft(gone.peer, network.id))
        out.send(Packet.disconnect(DisconnectMessage()).encoded, to: gone.peer)
        leave(gone, hostKnows: true, into: &out)
    }

    /// The network that a host may change; `nil` if it is no host, or has changed it too often.
    private mutating func change(by session: Session, at now: Instant, into out: inout Outbox) -> Network? {
        guard session.isHost else {
            dropped.notHost += 1
            return nil
        }
        guard session.changes.take(at: now, rate: configuration.changeRate) else {
            part(from: session, .tooManyChanges, at: now, into: &out)
            return nil
        }
        return session.network
    }

    private mutating func unusedID() -> SessionID {
        while true {
            let id = SessionID.random(from: &random)
            if !networks.contains(id) { return id }
        }
    }
}
