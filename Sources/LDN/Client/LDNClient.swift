public import NIOCore
public import RelayCore

/// A client of a master, and of P2P hosts: bytes and time in, effects out.
///
/// It shakes hands, scans, opens or joins a network and exchanges datagrams there, through the master or through the
/// host's proxy, whichever the master says. Each request has an outcome, an event, in bounded time; there is one request
/// of a kind at a time. Whoever drives it does all effects in order, and calls `advance` when `nextDeadline` has come.
public struct LDNClient: Sendable {
    public typealias Effects = [LDNClientEffect]

    let configuration: LDNClientConfiguration
    var frames = FrameReader()
    var phase = Phase.connecting
    var found: (networks: [NetworkInfo], deadline: Instant)?
    var entry: Entry?
    var proxy: ProxyLine?
    var rejecting: (isRefused: Bool, deadline: Instant)?
    var sockets = VirtualSockets()
    /// The master said that a host put this client out, and says `Disconnect` next.
    var isRejected = false
    var pinging: (id: UInt8, deadline: Instant)?
    private var pings: UInt8 = 0

    /// The network this client is in.
    public internal(set) var membership: Membership?
    /// Packets that were passed over: of no use to a client, too short, or for no socket of it.
    public internal(set) var ignoredPackets = 0

    enum Phase: Sendable, Equatable {
        case connecting
        case handshaking(deadline: Instant)
        case ready(InitializeMessage)
        case ended
    }

    /// A network that is being opened or joined.
    struct Entry: Sendable {
        var ownProxy: NetworkPlan.OwnProxy?
        var isHost: Bool
        /// Until when the master must have said `Connected`; `nil` once it has.
        var deadline: Instant?
        /// By `ProxyConfig` of the master.
        var address: VirtualAddress?
        var route = Membership.Route.master
        var network: NetworkInfo?
    }

    public init(configuration: LDNClientConfiguration = .init()) {
        self.configuration = configuration
    }

    // MARK: The lines

    /// A line was connected: the one to the master, first of all, or the one that was asked for.
    public mutating func opened(_ line: LDNLine, at now: Instant, into out: inout Effects) {
        switch line {
        case .master:
            guard phase == .connecting else { return }
            phase = .handshaking(deadline: now + configuration.handshakeTimeout)
            var hello = Packet.passphrase(configuration.passphrase.message).encoded
            Packet.initialize(configuration.identity).encode(into: &hello)
            out.append(.send(hello, over: .master))
        case .proxy:
            proxyOpened(at: now, into: &out)
        }
    }

    public mutating func receive(
        _ bytes: ByteBuffer, over line: LDNLine, at now: Instant, into out: inout Effects
    ) {
        switch line {
        case .master: receive(bytes, at: now, into: &out)
        case .proxy: receiveFromProxy(bytes, at: now, into: &out)
        }
    }

    /// A line has ended, or could not be connected.
    public mutating func closed(_ line: LDNLine, at now: Instant, into out: inout Effects) {
        switch line {
        case .master: end(.connectionEnded, into: &out)
        case .proxy: proxyFailed(into: &out)
        }
    }

    // MARK: Time

    public var nextDeadline: Instant? {
        var all = [found?.deadline, entry?.deadline, proxy?.deadline, rejecting?.deadline, pinging?.deadline]
        if case .handshaking(let deadline) = phase { all.append(deadline) }
        return all.compactMap(\.self).min()
    }

    public mutating func advance(to now: Instant, into out: inout Effects) {
        if case .handshaking(let deadline) = phase, deadline <= now { return end(.timeout, into: &out) }
        if let found, found.deadline <= now {
            self.found = nil
            out.append(.emit(.scanFailed))
        }
        if let rejecting, rejecting.deadline <= now {
            self.rejecting = nil
            out.append(.emit(.rejectAnswered(false)))
        }
        if let pinging, pinging.deadline <= now {
            self.pinging = nil
            out.append(.emit(.pingFailed))
        }
        if let deadline = entry?.deadline, deadline <= now {
            entry = nil
            closeProxy(into: &out)
            // The master may still think that it did it.
            send(.disconnect(DisconnectMessage()), into: &out)
            out.append(.emit(.notEntered(.timeout)))
        }
        if let deadline = proxy?.deadline, deadline <= now {
            out.append(.closeProxy)
            proxyFailed(into: &out)
        }
    }

    // MARK: Requests

    /// Asks for networks; the answer is `scanned` or `scanFailed`.
    public mutating func scan(
        _ filter: ScanFilter, at now: Instant, into out: inout Effects
    ) throws(LDNClientFailure) {
        guard case .ready = phase, found == nil else { throw .notNow }
        found = ([], now + configuration.scanTimeout)
        send(.scan(filter), into: &out)
    }

    /// Opens a network; the answer is `entered` or `notEntered`.
    public mutating func create(
        _ plan: NetworkPlan, at now: Instant, into out: inout Effects
    ) throws(LDNClientFailure) {
        try beginEntry(Entry(ownProxy: plan.proxy, isHost: true), at: now)
        let data = ByteBuffer(bytes: plan.advertiseData)
        send(.createAccessPoint(plan.request(by: user), advertiseData: data), into: &out)
    }

    /// Joins a network that a scan has found; the answer is `entered` or `notEntered`.
    public mutating func join(
        _ network: NetworkInfo, at now: Instant, into out: inout Effects
    ) throws(LDNClientFailure) {
        try beginEntry(Entry(isHost: false), at: now)
        var request = ConnectRequest()
        request.userConfig = user
        request.localCommunicationVersion = UInt32(network.ldn.nodes.first?.localCommunicationVersion ?? 0)
        request.networkInfo = network
        send(.connect(request), into: &out)
    }

    /// Leaves the network. There is no answer: it is done.
    public mutating func leave(into out: inout Effects) throws(LDNClientFailure) {
        guard membership != nil else { throw .wrongPlace }
        membership = nil
        closeProxy(into: &out)
        send(.disconnect(DisconnectMessage()), into: &out)
    }

    /// For hosts: puts a player out; the answer is `rejectAnswered`.
    public mutating func reject(
        nodeID: UInt32, at now: Instant, into out: inout Effects
    ) throws(LDNClientFailure) {
        guard rejecting == nil else { throw .notNow }
        guard membership?.isHost == true else { throw .wrongPlace }
        rejecting = (false, now + configuration.rejectTimeout)
        var request = RejectRequest()
        request.nodeID = nodeID
        request.disconnectReason = .rejected
        send(.reject(request), into: &out)
    }

    /// For hosts: whom to let in from now on. All players hear of it.
    public mutating func setAcceptPolicy(_ policy: AcceptPolicy, into out: inout Effects) throws(LDNClientFailure) {
        guard membership?.isHost == true else { throw .wrongPlace }
        var request = SetAcceptPolicyRequest()
        request.stationAcceptPolicy = policy
        send(.setAcceptPolicy(request), into: &out)
    }

    /// For hosts: what the game says of its network. All players hear of it.
    public mutating func advertise(_ data: ByteBuffer, into out: inout Effects) throws(LDNClientFailure) {
        guard membership?.isHost == true else { throw .wrongPlace }
        guard data.readableBytes <= LdnNetworkInfo.maxAdvertiseData else { throw .tooLong }
        send(.setAdvertiseData(data), into: &out)
    }

    /// For hosts: a player has gone from the P2P proxy.
    public mutating func proxyLeft(_ address: VirtualAddress, into out: inout Effects) {
        guard membership?.isHost == true else { return }
        var state = ExternalProxyConnectionState()
        state.ipAddress = address
        send(.externalProxyState(state), into: &out)
    }

    /// Asks the master whether it lives; the answer is `pong` or `pingFailed`. The reference master answers no pings.
    public mutating func ping(at now: Instant, into out: inout Effects) throws(LDNClientFailure) {
        guard case .ready = phase, pinging == nil else { throw .notNow }
        pinging = (pings, now + configuration.pingTimeout)
        var message = PingMessage()
        message.requester = 1
        message.id = pings
        pings &+= 1
        send(.ping(message), into: &out)
    }

    /// Ends both lines.
    public mutating func close(into out: inout Effects) {
        end(.closedHere, into: &out)
    }

    // MARK: Within

    func send(_ packet: Packet, into out: inout Effects) {
        out.append(.send(packet.encoded, over: .master))
    }

    mutating func end(_ failure: LDNClientFailure, into out: inout Effects) {
        guard phase != .ended else { return }
        phase = .ended
        found = nil
        entry = nil
        rejecting = nil
        pinging = nil
        membership = nil
        closeProxy(into: &out)
        out.append(.close)
        out.append(.emit(.closed(failure)))
    }

    private mutating func beginEntry(_ entry: Entry, at now: Instant) throws(LDNClientFailure) {
        guard case .ready = phase, self.entry == nil else { throw .notNow }
        guard membership == nil else { throw .wrongPlace }
        var entry = entry
        entry.deadline = now + configuration.entryTimeout
        self.entry = entry
        isRejected = false
    }

    private var user: UserConfig {
        var user = UserConfig()
        user.userName = ByteBuffer(bytes: configuration.userName.utf8.prefix(32))
        return user
    }
}

extension NetworkPlan {
    fileprivate func request(by user: UserConfig) -> CreateAccessPointRequest {
        var request = CreateAccessPointRequest()
        request.userConfig = user
        request.networkConfig.intentID = intentID
        request.networkConfig.nodeCountMax = places
        request.networkConfig.localCommunicationVersion = localCommunicationVersion
        request.ryuNetworkConfig.gameVersion = ByteBuffer(bytes: gameVersion.utf8.prefix(15))
        if let proxy {
            request.ryuNetworkConfig.privateIP = PhysicalAddress(proxy.internalEndpoint.address)
            request.ryuNetworkConfig.addressFamily = proxy.internalEndpoint.address.family
            request.ryuNetworkConfig.internalProxyPort = proxy.internalEndpoint.port
            request.ryuNetworkConfig.externalProxyPort = proxy.externalPort
        }
        return request
    }
}
