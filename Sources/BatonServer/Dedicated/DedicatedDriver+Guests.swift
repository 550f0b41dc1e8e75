import Glibc
import NIOCore
import NIOPosix
import Netplay
import RelayCore
import RelayNIO

/// The doors of hosts, and those who come through them.
extension DedicatedDriver {
    func openDoor(of run: HostRun, port: UInt16?) {
        if let port {
            listen(for: run, on: port)
        } else {
            openTunnel(for: run)
        }
    }

    // MARK: A port

    /// Opens the port at every address that requests come to.
    private func listen(for run: HostRun, on port: UInt16) {
        let id = run.id
        let listener = HostListener(driver: NIOLoopBound(self, eventLoop: eventLoop), eventLoop: eventLoop, host: id)
        let (addresses, log) = (Set(world.section.listen.map(\.address)), world.log)
        _ = afterwards {
            await listener.open(port, at: addresses, log: log)
        } then: { driver, door in
            guard let run = driver.runs[id], !run.isStopping else { return door.close() }
            switch door {
            case .open(let channels):
                run.door = channels
                driver.input { $0.doorOpened(id, HostingInvitation(port: port), at: .now, into: &$1) }
            case .portTaken:
                driver.input { $0.portTaken(id, at: .now, into: &$1) }
            case .failed:
                driver.input { $0.failed(id, .noPort, at: .now, into: &$1) }
            }
        }
    }

    /// A connection came to a host's port.
    func receive(_ channel: any Channel, at id: PeerID) throws {
        guard let endpoint = channel.remoteAddress?.endpoint, let run = runs[id], !run.isStopping else {
            throw ChannelError.ioOnClosedChannel
        }
        do throws(Admission.Refusal) {
            try world.desk.admit(endpoint.address, at: .now)
        } catch {
            counters.refused.count(error.rawValue)
            world.log.refused(endpoint, error)
            throw ChannelError.ioOnClosedChannel
        }
        let desk = world.desk
        channel.closeFuture.whenComplete { _ in desk.release(endpoint.address, at: .now) }
        try add(channel, from: endpoint, to: run)
    }

    // MARK: A tunnel

    private func openTunnel(for run: HostRun) {
        guard let relay = world.section.relay else { preconditionFailure("a tunnel without a server") }
        let (id, driver) = (run.id, NIOLoopBound(self, eventLoop: eventLoop))
        ClientBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.syncOptions?.setOption(.tcpOption(.tcp_nodelay), value: 1)
                    try channel.syncOptions?.setOption(.socketOption(.so_keepalive), value: 1)
                    try channel.pipeline.syncOperations.addHandler(TunnelControl(driver: driver.value, host: id))
                }
            }
            .connect(host: relay.host, port: Int(relay.port))
            .whenComplete { result in
                switch result {
                case .success(let channel): driver.value.keepTunnel(channel, of: id)
                case .failure: driver.value.tunnelLost(id, hadSession: false)
                }
            }
    }

    private func keepTunnel(_ channel: any Channel, of id: PeerID) {
        guard let run = runs[id], !run.isStopping else { return channel.close(promise: nil) }
        run.door.append(channel)
    }

    func tunnelOpened(_ id: PeerID, session: TunnelID) {
        guard let relay = world.section.relay else { return }
        input { $0.doorOpened(id, HostingInvitation(port: relay.port, session: session), at: .now, into: &$1) }
    }

    func tunnelLost(_ id: PeerID, hadSession: Bool) {
        input { engine, effects in
            if hadSession {
                engine.doorLost(id, at: .now, into: &effects)
            } else {
                engine.failed(id, .noTunnel, at: .now, into: &effects)
            }
        }
    }

    /// A guest waits at the tunnel server: this is its connection.
    func openLink(for guest: TunnelID, at address: IPAddress, to id: PeerID) {
        guard let relay = world.section.relay, runs[id]?.isStopping == false else { return }
        let endpoint = Endpoint(address: address, port: 0)
        if world.desk.isBanned(address, at: .now) {
            counters.refused.count(Admission.Refusal.banned.rawValue)
            return world.log.refused(endpoint, .banned)
        }
        let driver = NIOLoopBound(self, eventLoop: eventLoop)
        ClientBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let run = driver.value.runs[id] else { throw ChannelError.ioOnClosedChannel }
                    try driver.value.add(channel, from: endpoint, to: run)
                }
            }
            .connect(host: relay.host, port: Int(relay.port))
            .whenSuccess { channel in channel.writeAndFlush(TunnelOpening.link(guest).encoded, promise: nil) }
    }

    // MARK: Connections

    private func add(_ channel: any Channel, from endpoint: Endpoint, to run: HostRun) throws {
        guard run.visits.count < HostRun.maxVisits else {
            counters.refused.count(CloseReason.hostCrowded.word)
            world.log.refused(endpoint, .hostCrowded)
            throw ChannelError.ioOnClosedChannel
        }
        try Pipe.prepare(channel)
        try channel.setUserTimeout()
        let visitor = run.visits.insert { HostRun.Visit($0, channel: channel, endpoint: endpoint, since: .now) }
        let gate = GuestGate(driver: self, host: run.id, visitor: visitor)
        try channel.pipeline.syncOperations.addHandler(gate, position: .first)
        counters.connectionsOpened += 1
        let bound = NIOLoopBound((driver: self, run: run), eventLoop: eventLoop)
        channel.closeFuture.whenComplete { _ in bound.value.driver.ended(visitor, of: bound.value.run) }
    }

    /// The gate knows what a connection is: now it is joined to the program.
    func admit(_ visitor: PeerID, as kind: GuestGate.Visitor, to id: PeerID) {
        guard let run = runs[id], let visit = run.visits[visitor] else { return }
        visit.kind = kind
        guard let port = run.localPort, !run.isStopping else { return part(from: visitor, of: id, .noHost) }
        if kind == .guest { input { $0.guestJoined(id, from: visit.endpoint, at: .now, into: &$1) } }
        let bound = NIOLoopBound((driver: self, visit: visit), eventLoop: eventLoop)
        ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(5))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try Pipe.prepare(channel) }
            }
            .connect(host: "127.0.0.1", port: Int(port))
            .whenComplete { result in
                switch result {
                case .success(let program):
                    _ = Pipe.connect(bound.value.visit.channel, to: program)
                case .failure:
                    bound.value.driver.part(from: visitor, of: id, .noHost)
                }
            }
    }

    func part(from visitor: PeerID, of id: PeerID, _ reason: CloseReason) {
        guard let visit = runs[id]?.visits[visitor] else { return }
        visit.reason = visit.reason ?? reason
        visit.channel.close(promise: nil)
    }

    private func ended(_ visitor: PeerID, of run: HostRun) {
        guard let visit = run.visits.remove(visitor) else { return }
        let reason = visit.reason ?? .peerClosed
        counters.closed.count(reason.word)
        world.log.closed(visitor, visit.endpoint, reason)
        if visit.kind == .guest { input { $0.guestLeft(run.id, at: .now, into: &$1) } }
    }
}

extension Channel {
    /// A guest whose machine is gone is noticed by what stays unacknowledged.
    fileprivate func setUserTimeout() throws {
        try syncOptions?.setOption(.tcpOption(.init(rawValue: TCP_USER_TIMEOUT)), value: 60_000)
        try syncOptions?.setOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: 30)
        try syncOptions?.setOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: 10)
    }
}

extension CloseReason {
    static let openingTimeout = CloseReason("opening_timeout", "the connection did not say in time what it is")
    static let noNetplay = CloseReason("no_netplay", "the connection does not begin with a netplay header")
    static let noHost = CloseReason("no_host", "the host's program takes no connection")
    static let hostCrowded = CloseReason("host_crowded", "the host has the most connections allowed")
}
