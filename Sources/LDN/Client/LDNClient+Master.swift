import NIOCore
import RelayCore

/// What the master says.
extension LDNClient {
    /// The most networks taken from the answer to a scan.
    private static let maxFound = 10_000

    mutating func receive(_ bytes: ByteBuffer, at now: Instant, into out: inout Effects) {
        var rest = bytes
        do throws(FrameError) {
            while phase != .ended, let frame = try frames.next(from: &rest) {
                guard let packet = try? Packet(frame) else {
                    ignoredPackets += 1
                    continue
                }
                handle(packet, at: now, into: &out)
            }
        } catch {
            end(.badStream, into: &out)
        }
    }

    private mutating func handle(_ packet: Packet, at now: Instant, into out: inout Effects) {
        switch packet {
        case .initialize(let identity): initialized(identity, into: &out)
        case .ping(let message): pinged(message, into: &out)
        case .scanReply(let network):
            if found?.networks.count ?? .max < Self.maxFound { found?.networks.append(network) }
        case .scanReplyEnd: scanEnded(into: &out)
        case .proxyConfig(let config): entry?.address = config.proxyIP
        case .externalProxy(let config): introduced(config, at: now, into: &out)
        case .externalProxyToken(let token): out.append(.emit(.proxyToken(token)))
        case .externalProxyState(let state): out.append(.emit(.proxyState(state)))
        case .connected(let network): connected(network, into: &out)
        case .syncNetwork(let network): synced(network, into: &out)
        case .reject: isRejected = true
        case .rejectReply: rejectAnswered(into: &out)
        case .disconnect: disconnected(into: &out)
        case .networkError(let message): failed(message.error, into: &out)
        case .proxyData(let header, let data): received(header, data, over: .master, into: &out)
        default: ignoredPackets += 1
        }
    }

    private mutating func initialized(_ identity: InitializeMessage, into out: inout Effects) {
        guard case .handshaking = phase else {
            ignoredPackets += 1
            return
        }
        phase = .ready(identity)
        out.append(.emit(.ready(identity)))
    }

    private mutating func pinged(_ message: PingMessage, into out: inout Effects) {
        if message.requester == 0 {
            send(.ping(message), into: &out)
        } else if message.id == pinging?.id {
            pinging = nil
            out.append(.emit(.pong))
        } else {
            ignoredPackets += 1
        }
    }

    private mutating func scanEnded(into out: inout Effects) {
        guard let found else {
            ignoredPackets += 1
            return
        }
        self.found = nil
        out.append(.emit(.scanned(found.networks)))
    }

    /// The network's host relays.
    private mutating func introduced(_ config: ExternalProxyConfig, at now: Instant, into out: inout Effects) {
        guard entry != nil else {
            ignoredPackets += 1
            return
        }
        if entry?.ownProxy?.isInProcess == true {
            entry?.route = .ownProxy
            return
        }
        guard let line = ProxyLine(config, deadline: now + configuration.proxyTimeout) else {
            ignoredPackets += 1
            return
        }
        proxy = line
        entry?.route = .proxy(line.endpoint)
        out.append(.connectProxy(line.endpoint))
    }

    private mutating func connected(_ network: NetworkInfo, into out: inout Effects) {
        guard entry != nil else {
            ignoredPackets += 1
            return
        }
        entry?.network = network
        entry?.deadline = nil
        completeEntry(into: &out)
    }

    /// A client is in when the master has said so and, in a P2P network, the host has or could not.
    mutating func completeEntry(into out: inout Effects) {
        guard let entry, let network = entry.network else { return }
        let own: VirtualAddress?
        switch entry.route {
        case .master: own = entry.address
        case .ownProxy: own = network.ldn.nodes.first?.ipv4Address
        case .none: own = .any
        case .proxy:
            guard case .open(let address)? = proxy?.phase else { return }
            own = address
        }
        self.entry = nil
        let membership = Membership(
            network: network, address: own ?? .any, route: entry.route, isHost: entry.isHost)
        self.membership = membership
        out.append(.emit(.entered(membership)))
    }

    private mutating func synced(_ network: NetworkInfo, into out: inout Effects) {
        // It may come while the host's proxy is being reached.
        if entry?.network != nil { entry?.network = network }
        guard membership != nil else { return }
        membership?.network = network
        out.append(.emit(.networkChanged(network)))
    }

    private mutating func rejectAnswered(into out: inout Effects) {
        guard let rejecting else {
            ignoredPackets += 1
            return
        }
        self.rejecting = nil
        out.append(.emit(.rejectAnswered(!rejecting.isRefused)))
    }

    private mutating func disconnected(into out: inout Effects) {
        let wasRejected = isRejected
        isRejected = false
        if entry != nil {
            entry = nil
            closeProxy(into: &out)
            out.append(.emit(.notEntered(.disconnected)))
        } else if membership != nil {
            membership = nil
            closeProxy(into: &out)
            out.append(.emit(.leftOut(wasRejected: wasRejected)))
        }
    }

    private mutating func failed(_ error: NetworkError, into out: inout Effects) {
        if error == .rejectFailed, rejecting != nil {
            rejecting?.isRefused = true
        } else if error == .portUnreachable {
            out.append(.emit(.proxyPortUnreachable))
        } else if entry?.network == nil, entry != nil {
            entry = nil
            closeProxy(into: &out)
            out.append(.emit(.notEntered(.refused(error))))
        } else {
            ignoredPackets += 1
        }
    }
}
