public import NIOCore
import RelayCore

/// What is said in a network, and the line to a P2P host.
extension LDNClient {
    // MARK: Sockets

    /// Opens a socket in the game's network. It is the client's for as long as that lives, in whichever network.
    ///
    /// - Parameters:
    ///   - port: `nil` takes the lowest free one from 49152.
    ///   - hearsBroadcast: whether what is sent to 10.114.255.255 comes in too.
    public mutating func openSocket(
        port: UInt16? = nil, transport: TransportProtocol = .udp, hearsBroadcast: Bool = true
    ) throws(LDNClientFailure) -> VirtualSocket {
        guard let socket = sockets.open(port: port, transport: transport, hearsBroadcast: hearsBroadcast) else {
            throw .notNow
        }
        return socket
    }

    public mutating func closeSocket(_ socket: VirtualSocket) { sockets.close(socket) }

    /// Says something to a player, or to all by `VirtualAddress.broadcast`: they hear it too, and so does this client.
    public func send(
        _ data: ByteBuffer, from socket: VirtualSocket, to destination: VirtualEndpoint, into out: inout Effects
    ) throws(LDNClientFailure) {
        guard let membership, sockets.contains(socket) else { throw .wrongPlace }
        let line: LDNLine
        switch membership.route {
        case .master: line = .master
        case .proxy: line = .proxy
        case .ownProxy, .none: throw .wrongPlace
        }
        guard ProxyDataHeader.length + data.readableBytes <= Frame.maxPayload else { throw .tooLong }
        var header = ProxyDataHeader()
        header.info.sourceIPv4 = membership.address
        header.info.sourcePort = socket.port
        header.info.destinationIPv4 = destination.address
        header.info.destinationPort = destination.port
        header.info.transport = socket.transport
        header.dataLength = UInt32(data.readableBytes)
        out.append(.send(Packet.proxyData(header, data: data).encoded, over: line))
    }

    mutating func received(
        _ header: ProxyDataHeader, _ data: ByteBuffer, over line: LDNLine, into out: inout Effects
    ) {
        let receivers = sockets.receivers(of: header.info, broadcast: .broadcast)
        guard isRoute(line), !receivers.isEmpty else {
            ignoredPackets += 1
            return
        }
        let source = VirtualEndpoint(address: header.info.sourceIPv4, port: header.info.sourcePort)
        for socket in receivers { out.append(.emit(.datagram(socket, from: source, data))) }
    }

    private func isRoute(_ line: LDNLine) -> Bool {
        switch membership?.route ?? entry?.route {
        case .master: line == .master
        case .proxy: line == .proxy
        default: false
        }
    }

    // MARK: The line to a P2P host

    mutating func proxyOpened(at now: Instant, into out: inout Effects) {
        guard var line = proxy, line.phase == .connecting else { return out.append(.closeProxy) }
        line.phase = .authenticating
        line.deadline = now + configuration.proxyTimeout
        proxy = line
        out.append(.send(Packet.externalProxy(line.config).encoded, over: .proxy))
    }

    mutating func receiveFromProxy(_ bytes: ByteBuffer, at now: Instant, into out: inout Effects) {
        var rest = bytes
        do throws(FrameError) {
            while let frame = try proxy?.frames.next(from: &rest) {
                switch try? Packet(frame) {
                case .proxyConfig(let config)? where proxy?.phase == .authenticating:
                    proxy?.phase = .open(config.proxyIP)
                    proxy?.deadline = nil
                    completeEntry(into: &out)
                case .proxyData(let header, let data)?:
                    received(header, data, over: .proxy, into: &out)
                default:
                    ignoredPackets += 1
                }
            }
        } catch {
            out.append(.closeProxy)
            proxyFailed(into: &out)
        }
    }

    /// The line has ended. Who is on the way into a network is in nevertheless, unable to say anything.
    mutating func proxyFailed(into out: inout Effects) {
        guard let line = proxy else { return }
        proxy = nil
        if entry != nil {
            entry?.route = .none(line.endpoint)
            completeEntry(into: &out)
        } else if membership != nil {
            membership?.route = .none(line.endpoint)
            out.append(.emit(.proxyLost))
        }
    }

    mutating func closeProxy(into out: inout Effects) {
        guard proxy != nil else { return }
        proxy = nil
        out.append(.closeProxy)
    }
}
