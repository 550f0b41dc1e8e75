import NIOCore
import RelayCore

/// How players come into a network and out of it.
extension LDNEngine {
    mutating func join(
        _ id: SessionID, as userName: ByteBuffer, version: UInt32, _ session: Session, at now: Instant,
        into out: inout Outbox
    ) {
        do throws(LDNRefusal) {
            guard let identity = session.identity else { throw .joinUninitialized }
            guard session.account.joins.take(at: now, rate: configuration.joinRate) else { throw .joinTooFast }
            leave(session, into: &out)
            let network = try network(id, for: session, version: version)
            let added = network.add(
                session.peer, mac: identity.macAddress, userName: userName,
                version: UInt16(truncatingIfNeeded: version))
            guard let member = added else { throw .networkFull }
            enter(network, as: member, session)
            var welcome = ByteBuffer()
            introduce(session, as: member, to: network, welcome: &welcome, into: &out)
            tell(network, except: session.peer, into: &out)
            network.write(.connected, into: &welcome)
            out.send(welcome, to: session.peer)
            out.emit(LDNEvent.playerJoined(session.peer, id, nodeID: member.nodeID, name: network.names[member.nodeID]))
        } catch {
            refuse(error, to: session, into: &out)
        }
    }

    /// A network that this session may join.
    private func network(_ id: SessionID, for session: Session, version: UInt32) throws(LDNRefusal) -> Network {
        guard let network = networks[id], network.passphrase == session.passphrase else { throw .networkUnknown }
        if version > UInt32(network.version) { throw .versionTooHigh }
        if version < UInt32(network.version) { throw .versionTooLow }
        if network.isFull { throw .networkFull }
        if network.rejectsAll, configuration.enforceAcceptPolicy || isDraining { throw .networkRejectsAll }
        return network
    }

    mutating func enter(_ network: Network, as member: Network.Member, _ session: Session) {
        session.network = network
        session.address = member.address
        index.update(network)
    }

    /// Tells a player, by `welcome`, who relays for it. This must come before the network itself: clients read their
    /// address when that arrives. A P2P host is told of each player, itself being the first.
    mutating func introduce(
        _ session: Session, as member: Network.Member, to network: Network, welcome: inout ByteBuffer,
        into out: inout Outbox
    ) {
        guard let proxy = network.proxy else {
            var config = ProxyConfig()
            config.proxyIP = member.address
            config.proxySubnetMask = .mask
            return Packet.proxyConfig(config).encode(into: &welcome)
        }
        // Seen at one address, they are in one private network, or so it seems from here.
        let isNeighbour = session.endpoint.address == proxy.external.address
        let place = isNeighbour ? proxy.internal ?? proxy.external : proxy.external
        var token = ExternalProxyToken()
        token.virtualIP = member.address
        token.token = .random(from: &random)
        token.physicalIP = isNeighbour ? .zero : PhysicalAddress(session.endpoint.address)
        token.addressFamily = session.endpoint.address.family
        out.send(Packet.externalProxyToken(token).encoded, to: network.host)
        var config = ExternalProxyConfig()
        config.proxyIP = PhysicalAddress(place.address)
        config.addressFamily = place.address.family
        config.proxyPort = place.port
        config.token = token.token
        Packet.externalProxy(config).encode(into: &welcome)
    }

    /// Takes a session out of the network it is in, if any. It is told nothing; the others are, and when it is the host,
    /// they are out too.
    mutating func leave(_ session: Session, hostKnows: Bool = false, into out: inout Outbox) {
        guard let network = session.network, let member = network.remove(session.peer) else { return }
        session.network = nil
        out.emit(LDNEvent.playerLeft(session.peer, network.id))
        if network.host == session.peer {
            tell(network, into: &out)
            return close(network, into: &out)
        }
        index.update(network)
        if network.proxy != nil, !hostKnows {
            var state = ExternalProxyConnectionState()
            state.ipAddress = member.address
            out.send(Packet.externalProxyState(state).encoded, to: network.host)
        }
        tell(network, into: &out)
    }

    /// Ends a network. All who are in it learn that they are out, except one who knows.
    mutating func close(_ network: Network, except knowing: Session? = nil, into out: inout Outbox) {
        networks.close(network.id)
        index.remove(network)
        let farewell = Packet.disconnect(DisconnectMessage()).encoded
        for member in network.members {
            sessions[member.peer]?.network = nil
            if member.peer != knowing?.peer { out.send(farewell, to: member.peer) }
        }
        out.emit(LDNEvent.networkClosed(network.id))
    }

    /// Tells all players, or all but one, what their network is like now.
    func tell(_ network: Network, except knowing: PeerID? = nil, into out: inout Outbox) {
        guard network.members.contains(where: { $0.peer != knowing }) else { return }
        var news = ByteBuffer()
        network.write(.syncNetwork, into: &news)
        for member in network.members where member.peer != knowing { out.send(news, to: member.peer) }
    }
}
