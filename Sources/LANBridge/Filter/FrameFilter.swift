public import RelayCore

/// The only switch of a room: says of each frame who gets it, or why nobody does. The rules, their order and the words
/// for them are in the page about this protocol, "What passes".
///
/// It reads a frame as the machine that would receive it. It allocates nothing for a frame, and costs a table look-up or two.
public struct FrameFilter: Sendable {
    /// One client of the room.
    private struct Client: Sendable {
        var mac: MACAddress
        var allowance: FrameAllowance
    }

    /// The longest frame, Ethernet header included.
    public var maxFrame: Int
    /// Whether clients see the LAN only, and not each other.
    public var isIsolated = false
    public var clientLimits = FrameLimits() {
        didSet { gatewayLimits = clientLimits.times(10) }
    }
    private var gatewayLimits = FrameLimits().times(10)
    private var gatewayAllowance: FrameAllowance
    private var clients: [Client?] = []
    private var ports: [MACAddress: ClientPort] = [:]
    private var lan = RecentTable<MACAddress>(capacity: 4096, lifetime: nil)
    private var book = AddressBook()

    /// An empty room for IP packets up to `mtu` bytes.
    public init(mtu: Int, at now: Instant) {
        maxFrame = mtu + LinkRules.headerLength
        gatewayAllowance = FrameAllowance(at: now)
    }

    // MARK: Who is there

    /// Adds a client; `nil` if the address is no station's or another client has it.
    public mutating func addClient(_ mac: MACAddress, at now: Instant) -> ClientPort? {
        guard mac.isStation, ports[mac] == nil else { return nil }
        let port = ClientPort(index: clients.firstIndex { $0 == nil } ?? clients.count)
        if port.index == clients.count { clients.append(nil) }
        clients[port.index] = Client(mac: mac, allowance: FrameAllowance(at: now))
        ports[mac] = port
        lan.remove(mac)
        book.add(port)
        return port
    }

    public mutating func removeClient(_ port: ClientPort) {
        guard clients.indices.contains(port.index), let client = clients[port.index] else { return }
        ports.removeValue(forKey: client.mac)
        clients[port.index] = nil
        book.remove(port)
    }

    /// Another gateway serves the room, or none: what was learnt of the LAN's cards is forgotten.
    public mutating func changeGateway(at now: Instant) {
        lan = RecentTable(capacity: 4096, lifetime: nil)
        gatewayAllowance = FrameAllowance(at: now)
    }

    public func port(of mac: MACAddress) -> ClientPort? { ports[mac] }

    /// A client's IPv4 address, as far as it is known.
    public func ipv4(of port: ClientPort) -> IPAddress? { book.ipv4(of: port).map { IPAddress(ipv4: $0) } }

    /// How many addresses of all kinds are remembered: bounded, whatever is sent.
    public var rememberedAddresses: Int { lan.count + book.count }

    // MARK: What is known beforehand

    /// A machine of the LAN has this address.
    public mutating func noteLAN(_ mac: MACAddress, at now: Instant) {
        if ports[mac] == nil { lan.touch(mac, at: now) }
    }

    /// No client may have this address, ever.
    public mutating func protect(_ address: IPAddress) {
        book.pin(address)
    }

    /// A client has this address.
    public mutating func bind(_ address: IPAddress, to port: ClientPort, at now: Instant) {
        if let ipv4 = address.ipv4 {
            book.use(ipv4: ipv4, by: port, at: now)
        } else {
            book.use(ipv6: address, by: port, at: now)
        }
    }

    // MARK: Frames

    /// Judges a frame that a client sent, learns from it, and takes what it costs.
    public mutating func judge(_ frame: RawSpan, from port: ClientPort, at now: Instant) -> FrameVerdict {
        if let reason = LinkRules.checkShape(frame, maxFrame: maxFrame) { return .drop(reason) }
        guard clients.indices.contains(port.index), let mac = clients[port.index]?.mac, frame.mac(at: 6) == mac else {
            return .drop(.macSpoof)
        }
        if let reason = LinkRules.checkContent(frame, isFromClient: true) { return .drop(reason) }
        let type = frame.uint16(at: 12)
        let reason: DropReason? =
            switch type {
            case 0x0800: IPv4Rules.check(frame, from: port, &book, at: now)
            case 0x86DD: IPv6Rules.check(frame, from: port, &book, at: now)
            case 0x0806: ARPRules.check(frame, from: port, &book, at: now)
            default: nil
            }
        if let reason { return .drop(reason) }
        let (targets, limit) = route(frame, isARP: type == 0x0806)
        let isBetweenClients = if case .client = targets { true } else { false }
        if isIsolated, isBetweenClients { return .drop(.isolated) }
        let excess = clients[port.index]?.allowance.take(
            limit, byteCount: frame.byteCount, at: now, clientLimits)
        if let excess { return .drop(excess) }
        return .forward(isIsolated ? .gateway : targets, limit)
    }

    /// Judges a frame that the gateway sent, learns from it, and takes what it costs.
    public mutating func judgeFromGateway(_ frame: RawSpan, at now: Instant) -> FrameVerdict {
        if let reason = LinkRules.checkShape(frame, maxFrame: maxFrame) { return .drop(reason) }
        let source = frame.mac(at: 6)
        if ports[source] != nil { return .drop(.macLoop) }
        if let reason = LinkRules.checkContent(frame, isFromClient: false) { return .drop(reason) }
        lan.touch(source, at: now)
        let destination = frame.mac(at: 0)
        let type = frame.uint16(at: 12)
        LANLearning.learn(from: frame, into: &book, at: now) { ports[$0] }
        var targets = FrameTargets.others
        if !destination.isGroup {
            guard let port = ports[destination] else { return .drop(.unknownUnicast) }
            targets = .client(port)
        }
        let limit = limitClass(of: destination, isARP: type == 0x0806, isUnknown: false)
        let excess = gatewayAllowance.take(limit, byteCount: frame.byteCount, at: now, gatewayLimits)
        return excess.map(FrameVerdict.drop) ?? .forward(targets, limit)
    }

    /// Rows 1 to 3 and 5 to 10 for a frame on its way between a gateway and its LAN.
    public static func linkReason(against frame: RawSpan, maxFrame: Int) -> DropReason? {
        LinkRules.checkShape(frame, maxFrame: maxFrame) ?? LinkRules.checkContent(frame, isFromClient: false)
    }

    @inline(__always)
    private func route(_ frame: borrowing RawSpan, isARP: Bool) -> (FrameTargets, LimitClass) {
        let destination = frame.mac(at: 0)
        if destination.isGroup {
            return (.others, limitClass(of: destination, isARP: isARP, isUnknown: false))
        }
        if let port = ports[destination] { return (.client(port), isARP ? .arp : .none) }
        // Every frame for the LAN goes to the gateway; the class says whether the address was heard of.
        let isUnknown = !isARP && !lan.contains(destination, at: .zero)
        return (.gateway, limitClass(of: destination, isARP: isARP, isUnknown: isUnknown))
    }

    @inline(__always)
    private func limitClass(of destination: MACAddress, isARP: Bool, isUnknown: Bool) -> LimitClass {
        if isARP { return .arp }
        if destination == .broadcast { return .broadcast }
        if destination.isGroup { return .multicast }
        return isUnknown ? .unknownUnicast : .none
    }
}
