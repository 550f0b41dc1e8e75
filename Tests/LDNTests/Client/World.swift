import NIOCore
import RelayCore
import RelayTesting

@testable import LDN

/// A master, clients and hosts' proxies, and between them lines that cut and delay, in virtual time.
final class World {
    final class Player {
        let name: String
        let address: String
        var client: LDNClient
        let masterPeer: PeerID
        /// The proxy it is connected to.
        var proxyPeer: (proxy: UInt16, peer: PeerID)?
        /// The proxy it runs.
        var ownProxy: UInt16?
        var isConnected = true
        var events: [LDNClientEvent] = []
        var toMaster = ByteBuffer()
        var fromMaster = ByteBuffer()
        var toProxy = ByteBuffer()
        var fromProxy = ByteBuffer()
        /// Whom it is connecting to.
        var wanted: Endpoint?

        init(_ name: String, from address: String, _ client: LDNClient, masterPeer: PeerID) {
            self.name = name
            self.address = address
            self.client = client
            self.masterPeer = masterPeer
        }

        var texts: [String] {
            events.compactMap { if case .datagram(_, _, let data) = $0 { String(buffer: data) } else { nil } }
        }

        var entered: [Membership] { events.compactMap { if case .entered(let place) = $0 { place } else { nil } } }
    }

    private(set) var master: EngineHarness<LDNEngine>
    private(set) var proxies: [UInt16: EngineHarness<P2PProxyEngine>] = [:]
    private(set) var players: [Player] = []
    /// What in-process hosts were given, by their proxy.
    private(set) var hostTexts: [UInt16: [String]] = [:]
    private var eventsSeen: [UInt16: Int] = [:]
    private var deliveriesSeen: [UInt16: Int] = [:]
    private var nextPort: UInt16 = 40_000
    /// Whether joiners reach proxies.
    var proxiesAreReachable = true

    init(seed: UInt64 = 1) {
        master = EngineHarness(LDNEngine(configuration: .init(), random: .seeded(seed)))
    }

    /// A client that has connected, and not yet heard anything.
    func enter(_ name: String, from address: String = "198.51.100.1", passphrase: Passphrase = .none) -> Player {
        var configuration = LDNClientConfiguration()
        configuration.userName = name
        configuration.passphrase = passphrase
        let player = Player(
            name, from: address, LDNClient(configuration: configuration), masterPeer: master.connect(from: address))
        players.append(player)
        tell(player) { $0.opened(.master, at: master.now, into: &$1) }
        return player
    }

    /// A client that is ready.
    func ready(_ name: String, from address: String = "198.51.100.1", passphrase: Passphrase = .none) -> Player {
        let player = enter(name, from: address, passphrase: passphrase)
        settle()
        return player
    }

    func plan(_ title: Int64 = 7, places: UInt8 = 8) -> NetworkPlan {
        var plan = NetworkPlan()
        plan.intentID.localCommunicationID = title
        plan.localCommunicationVersion = 3
        plan.places = places
        return plan
    }

    /// A plan with a proxy, which is started.
    func planWithProxy(for player: Player, inProcess: Bool = true, title: Int64 = 7) -> NetworkPlan {
        nextPort += 1
        player.ownProxy = nextPort
        proxies[nextPort] = EngineHarness(P2PProxyEngine())
        var plan = plan(title)
        plan.proxy = NetworkPlan.OwnProxy(
            externalPort: nextPort, internalEndpoint: Endpoint(address: IPAddress(ipv4: 0xC0A8_0114), port: nextPort),
            isInProcess: inProcess)
        return plan
    }

    /// Gives a client an input and does what it wants done.
    @discardableResult
    func tell<Failure: Error, Result>(
        _ player: Player, _ input: (inout LDNClient, inout LDNClient.Effects) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var effects: LDNClient.Effects = []
        let result = try input(&player.client, &effects)
        for effect in effects { perform(effect, of: player) }
        return result
    }

    private func perform(_ effect: LDNClientEffect, of player: Player) {
        switch effect {
        case .send(var bytes, over: .master): player.toMaster.writeBuffer(&bytes)
        case .send(var bytes, over: .proxy): player.toProxy.writeBuffer(&bytes)
        case .connectProxy(let endpoint): player.wanted = endpoint
        case .closeProxy: partFromProxy(player)
        case .close: lose(player)
        case .emit(let event):
            player.events.append(event)
            act(on: event, of: player)
        }
    }

    /// What a host does with what the master says of its proxy.
    private func act(on event: LDNClientEvent, of player: Player) {
        guard let port = player.ownProxy, proxies[port] != nil else { return }
        switch event {
        case .proxyToken(let token):
            proxies[port]?.update { engine, now, out in engine.addWaitingToken(token, at: now, into: &out) }
        case .proxyState(let state):
            proxies[port]?.update { engine, now, out in
                engine.handleExternalProxyStateChange(state, at: now, into: &out)
            }
        case .entered(let place) where place.route == .ownProxy:
            proxies[port]?.update { engine, _, _ in engine.setHostVirtualIP(place.address) }
        default: break
        }
    }

    // MARK: What happens

    /// A client's connections are lost, or closed by it.
    func lose(_ player: Player) {
        guard player.isConnected else { return }
        player.isConnected = false
        partFromProxy(player)
        master.disconnect(player.masterPeer)
        if let port = player.ownProxy {
            proxies[port]?.stop()
            proxies[port] = nil
        }
        tell(player) { $0.closed(.master, at: master.now, into: &$1) }
    }

    /// A player's connection to its host is lost.
    func loseProxy(of player: Player) {
        guard player.proxyPeer != nil else { return }
        partFromProxy(player)
        tell(player) { $0.closed(.proxy, at: master.now, into: &$1) }
    }

    private func partFromProxy(_ player: Player) {
        player.wanted = nil
        player.toProxy.clear()
        player.fromProxy.clear()
        guard let (port, peer) = player.proxyPeer else { return }
        player.proxyPeer = nil
        proxies[port]?.disconnect(peer)
    }

    func pass(_ duration: Duration) {
        master.advance(by: duration)
        for port in proxies.keys { proxies[port]?.advance(by: duration) }
        for player in players where player.isConnected {
            tell(player) { $0.advance(to: master.now, into: &$1) }
        }
    }

    /// Lets everything arrive.
    func settle() {
        var moved = true
        while moved {
            moved = answerProbe()
            if hostsHear() { moved = true }
            for player in players {
                for kind in 0..<Self.kinds where move(player, kind, .max) { moved = true }
            }
        }
    }

    /// Lets one thing happen, in part.
    func step(_ random: inout RandomSource) {
        let most = Int.random(in: 1...2000, using: &random)
        let pick = Int.random(in: 0..<players.count * Self.kinds + 2, using: &random)
        switch pick {
        case 0: _ = answerProbe()
        case 1: _ = hostsHear()
        default: _ = move(players[(pick - 2) / Self.kinds], (pick - 2) % Self.kinds, most)
        }
    }

    /// In how many ways something can happen to a player.
    private static let kinds = 5

    /// Moves at most so many bytes one way; says whether anything moved.
    private func move(_ player: Player, _ kind: Int, _ most: Int) -> Bool {
        guard player.isConnected else { return false }
        return switch kind {
        case 0: toMaster(player, most)
        case 1: fromMaster(player, most)
        case 2: connectProxy(player)
        case 3: toProxy(player, most)
        default: fromProxy(player, most)
        }
    }

    private func toMaster(_ player: Player, _ most: Int) -> Bool {
        guard !master.paused.contains(player.masterPeer), let piece = player.toMaster.piece(most)
        else { return false }
        master.receive(piece, from: player.masterPeer)
        return true
    }

    private func fromMaster(_ player: Player, _ most: Int) -> Bool {
        player.fromMaster.writeBytes(master.take(player.masterPeer))
        if let piece = player.fromMaster.piece(most) {
            tell(player) { $0.receive(piece, over: .master, at: master.now, into: &$1) }
            return true
        }
        guard !master.connected.contains(player.masterPeer) else { return false }
        lose(player)
        return true
    }

    private func connectProxy(_ player: Player) -> Bool {
        guard let wanted = player.wanted else { return false }
        player.wanted = nil
        guard proxiesAreReachable, proxies[wanted.port] != nil,
            let peer = proxies[wanted.port]?.connect(from: player.address)
        else {
            tell(player) { $0.closed(.proxy, at: master.now, into: &$1) }
            return true
        }
        player.proxyPeer = (wanted.port, peer)
        tell(player) { $0.opened(.proxy, at: master.now, into: &$1) }
        return true
    }

    private func toProxy(_ player: Player, _ most: Int) -> Bool {
        guard let (port, peer) = player.proxyPeer, proxies[port]?.connected.contains(peer) == true,
            proxies[port]?.paused.contains(peer) == false, let piece = player.toProxy.piece(most)
        else { return false }
        proxies[port]?.receive(piece, from: peer)
        return true
    }

    private func fromProxy(_ player: Player, _ most: Int) -> Bool {
        guard let (port, peer) = player.proxyPeer else { return false }
        if let bytes = proxies[port]?.take(peer) { player.fromProxy.writeBytes(bytes) }
        if let piece = player.fromProxy.piece(most) {
            tell(player) { $0.receive(piece, over: .proxy, at: master.now, into: &$1) }
            return true
        }
        guard proxies[port]?.connected.contains(peer) != true else { return false }
        loseProxy(of: player)
        return true
    }

    private func answerProbe() -> Bool {
        let asked = master.probes.sorted { $0.key.slot < $1.key.slot }.first
        guard let (peer, endpoint) = asked else { return false }
        master.answerProbe(of: peer, isReachable: proxies[endpoint.port] != nil)
        return true
    }

    /// Hosts hear what their proxies tell.
    private func hostsHear() -> Bool {
        var moved = false
        for host in players where host.isConnected {
            guard let port = host.ownProxy, let proxy = proxies[port] else { continue }
            for event in proxy.events.dropFirst(eventsSeen[port, default: 0]) {
                moved = true
                guard case .playerLeft(_, let address)? = event as? P2PProxyEvent else { continue }
                tell(host) { $0.proxyLeft(address, into: &$1) }
            }
            eventsSeen[port] = proxy.events.count
            for delivery in proxy.deliveredHere.dropFirst(deliveriesSeen[port, default: 0]) {
                moved = true
                if let datagram = HostDatagram(delivery.bytes) {
                    hostTexts[port, default: []].append(String(buffer: datagram.data))
                }
            }
            deliveriesSeen[port] = proxy.deliveredHere.count
        }
        return moved
    }
}

extension ByteBuffer {
    /// Takes at most so many bytes from the front; `nil` if there are none.
    fileprivate mutating func piece(_ most: Int) -> ByteBuffer? {
        readableBytes > 0 ? readSlice(length: min(most, readableBytes)) : nil
    }
}
