import NIOCore
import NIOPosix
import RelayCore

/// The UDP sockets of one engine, on one event loop: many datagrams are read at once, and what is sent is written at once.
///
/// Confined to its event loop; everything in it is called there but `bind`.
final class DatagramPort {
    /// What is done with datagrams.
    struct Receiver {
        var receive: (ByteBuffer, Endpoint) -> Void
        /// All that one wakeup of a socket brought has been received.
        var endTurn: () -> Void
    }

    /// Where an answer goes.
    private struct Route {
        var socket: any Channel
        var address: SocketAddress
    }

    /// Datagrams that are read at once, and the room for each: longer ones are none of this server's protocols.
    private static let datagramsPerRead = 16
    private static let longestDatagram = 8192
    /// Asked of the kernel, which may give less: a burst of a whole window must not overflow it.
    private static let receiveBuffer: SocketOptionValue = 4 << 20
    private static let maxRoutes = 65_536

    let eventLoop: any EventLoop
    private var sockets: [any Channel] = []
    private var unflushed: [ObjectIdentifier: any Channel] = [:]
    /// How addresses are reached. It is a cache: when it is full, it begins anew.
    private var routes: [Endpoint: Route] = [:]
    var receiver: Receiver?
    private(set) var datagramsDropped: UInt64 = 0

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// Opens a socket that belongs to a port.
    static func bind(
        _ address: SocketAddress, to port: NIOLoopBound<DatagramPort>, eventLoop: any EventLoop
    ) async throws -> any Channel {
        var bootstrap = DatagramBootstrap(group: eventLoop)
            .channelOption(.datagramVectorReadMessageCount, value: datagramsPerRead)
            .channelOption(
                .recvAllocator,
                value: FixedSizeRecvByteBufferAllocator(capacity: datagramsPerRead * longestDatagram)
            )
            .channelOption(.socketOption(.so_rcvbuf), value: receiveBuffer)
            .channelOption(.writeBufferWaterMark, value: .init(low: 256 << 10, high: 1 << 20))
            .channelOption(.maxMessagesPerRead, value: 4)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DatagramHandler(port: port.value))
                }
            }
        if case .v6 = address {
            let only6 = ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only)
            bootstrap = bootstrap.channelOption(only6, value: 1)
        }
        return try await bootstrap.bind(to: address).get()
    }

    fileprivate func add(_ socket: any Channel) {
        sockets.append(socket)
    }

    fileprivate func remove(_ socket: any Channel) {
        sockets.removeAll { $0 === socket }
        routes = [:]
    }

    @inline(__always)
    fileprivate func receive(_ datagram: ByteBuffer, from address: SocketAddress, on socket: any Channel) {
        guard let endpoint = address.endpoint else { return }
        if routes[endpoint]?.socket !== socket {
            if routes.count >= Self.maxRoutes { routes = [:] }
            routes[endpoint] = Route(socket: socket, address: address)
        }
        receiver?.receive(datagram, endpoint)
    }

    fileprivate func endTurn() {
        receiver?.endTurn()
    }

    /// Sends a datagram with the next `flush`, through the socket that heard of the endpoint last. Like the network, it
    /// may drop it.
    func send(_ datagram: ByteBuffer, to endpoint: Endpoint) {
        guard let route = routes[endpoint] ?? makeRoute(to: endpoint), route.socket.isWritable else {
            datagramsDropped &+= 1
            return
        }
        route.socket.write(AddressedEnvelope(remoteAddress: route.address, data: datagram), promise: nil)
        unflushed[ObjectIdentifier(route.socket)] = route.socket
    }

    func flush() {
        for socket in unflushed.values { socket.flush() }
        unflushed.removeAll(keepingCapacity: true)
    }

    /// A route to somebody who has not been heard.
    private func makeRoute(to endpoint: Endpoint) -> Route? {
        let isIPv4 = endpoint.address.ipv4 != nil
        let socket = sockets.first { socket in
            if case .v4 = socket.localAddress { isIPv4 } else { !isIPv4 }
        }
        guard let socket,
            let address = try? SocketAddress(ipAddress: "\(endpoint.address)", port: Int(endpoint.port))
        else { return nil }
        if routes.count >= Self.maxRoutes { routes = [:] }
        let route = Route(socket: socket, address: address)
        routes[endpoint] = route
        return route
    }
}

/// One socket of a port.
private final class DatagramHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let port: DatagramPort

    init(port: DatagramPort) {
        self.port = port
    }

    func channelActive(context: ChannelHandlerContext) {
        port.add(context.channel)
    }

    func channelInactive(context: ChannelHandlerContext) {
        port.remove(context.channel)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        port.receive(envelope.data, from: envelope.remoteAddress, on: context.channel)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        port.endTurn()
    }

    /// A datagram that could not be delivered comes back as an error of the socket: no reason to stop listening.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
