public import NIOCore
public import RelayCore

/// Strangers and their datagrams.
extension DedicatedEngine {
    /// A datagram came.
    ///
    /// - Parameters:
    ///   - isBanned: whether its sender may not be here at all.
    ///   - socket: which of the caller's sockets it came to.
    public mutating func receive(
        _ datagram: ByteBuffer, from endpoint: Endpoint, isBanned: Bool = false, socket: Int = 0, at now: Instant,
        into out: inout [DedicatedEffect]
    ) {
        let asker = Asker(endpoint: endpoint, socket: socket, requestLength: datagram.readableBytes)
        do throws(HostingRefusal) {
            try check(endpoint, isBanned: isBanned, at: now)
            let request = try Self.request(in: datagram)
            let key = Key(address: endpoint.address, request: request)
            if let known = requested[key] { return repeated(known, by: asker, into: &out) }
            do throws(HostingRefusal) {
                try checkRoom(for: endpoint.address)
            } catch {
                out.append(.answer(HostingAnswer(nil).encoded(forRequestOf: asker.requestLength), to: asker))
                throw error
            }
            requested[key] = add(request, owner: endpoint, asker: asker, at: now, into: &out)
        } catch {
            out.append(.refuse(error, from: endpoint))
        }
    }

    /// Makes a host of which nothing exists yet.
    mutating func add(
        _ request: HostingRequest, owner: Endpoint?, asker: Asker?, at now: Instant, into out: inout [DedicatedEffect]
    ) -> PeerID {
        let taken = Set(hosts.all.map(\.value.seat))
        let id = ids.insert { _ in }
        hosts[id] = DedicatedHost(
            request: request, owner: owner, seat: (1...).first { !taken.contains($0) } ?? 0, createdAt: now,
            asker: asker, startBy: now + configuration.startTimeout)
        reschedule(id)
        out.append(.emit(.requested(id, request, by: owner)))
        out.append(.find(id, request))
        return id
    }

    /// Tells whoever waits for a host what has become of it.
    mutating func answer(_ id: PeerID, _ invitation: HostingInvitation?, into out: inout [DedicatedEffect]) {
        guard let asker = hosts[id]?.asker else { return }
        hosts.update(id) { $0.asker = nil }
        out.append(.answer(HostingAnswer(invitation).encoded(forRequestOf: asker.requestLength), to: asker))
    }

    /// A request that already has its host: answered at once if it is open, else when it is.
    private mutating func repeated(_ id: PeerID, by asker: Asker, into out: inout [DedicatedEffect]) {
        hosts.update(id) { $0.asker = asker }
        if let host = hosts[id], host.phase == .open { answer(id, host.invitation, into: &out) }
    }

    /// What gets no answer if it is wrong.
    private mutating func check(_ endpoint: Endpoint, isBanned: Bool, at now: Instant) throws(HostingRefusal) {
        if isBanned { throw .banned }
        if endpoint.port < Self.lowestSourcePort { throw .servicePort }
        if !limiter.take(endpoint.address, at: now) { throw .tooFast }
    }

    private static func request(in datagram: ByteBuffer) throws(HostingRefusal) -> HostingRequest {
        do {
            return try HostingRequest.decode(datagram)
        } catch {
            throw .malformed
        }
    }

    private func checkRoom(for address: IPAddress) throws(HostingRefusal) {
        if isDraining { throw .draining }
        let subscriber = RequestLimiter.subscriber(of: address)
        let own = hosts.all.filter { $0.value.owner.map { RequestLimiter.subscriber(of: $0.address) } == subscriber }
        guard own.count < configuration.maxHostsPerAddress else { throw .addressFull }
        guard hosts.count < configuration.maxHosts else { throw .hostsFull }
    }
}
