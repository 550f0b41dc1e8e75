import NIOConcurrencyHelpers
package import NIOCore
import NIOPosix
package import RelayCore

/// Who hears what comes to a port, on its event loop.
package protocol DatagramReceiver: AnyObject {
    func receive(_ datagram: ByteBuffer, from endpoint: Endpoint, on port: DatagramPort)
    /// All that one wakeup of the socket brought has been received.
    func endTurn(of port: DatagramPort)
    /// The socket is closed, by `close` or, with an error, by the system.
    func closed(_ port: DatagramPort, error: (any Error)?)
}

/// A UDP socket on an event loop: many datagrams are read at once, and what is sent leaves at once, many with one system
/// call and none through NIO's own queues, which would cost an allocation each. What the system does not take is dropped,
/// as the network does.
///
/// Confined to its event loop; everything in it is called there but `open`.
package final class DatagramPort {
    package let eventLoop: any EventLoop
    /// Where the socket is bound.
    package let endpoint: Endpoint
    package let channel: any Channel
    private let socket: DatagramSocket
    /// Who hears what comes; nobody when the socket is closed.
    package private(set) var receiver: (any DatagramReceiver)?
    private var error: (any Error)?

    /// How many datagrams are read at once, and the room for each: that of the longest there is, for the kernel may hand
    /// out a peer's burst in one piece.
    private static let datagramsAtOnce = 16
    private static let slot = 65_536

    private init(socket: DatagramSocket, channel: any Channel) {
        self.socket = socket
        self.channel = channel
        eventLoop = channel.eventLoop
        endpoint = socket.endpoint
    }

    /// Opens a socket on an event loop.
    ///
    /// - Parameters:
    ///   - endpoint: port 0 takes any free one.
    ///   - sharesPort: whether other sockets, opened likewise, may have the same port.
    ///   - receiver: makes, or finds, who is to hear what comes.
    /// - Throws: `SocketFailure`.
    package static func open(
        _ endpoint: Endpoint, sharesPort: Bool = false, on eventLoop: any EventLoop,
        receiver: @escaping @Sendable (DatagramPort) -> any DatagramReceiver
    ) async throws -> NIOLoopBound<DatagramPort> {
        let descriptor = try DatagramSocket.bind(endpoint, sharesPort: sharesPort)
        let made = NIOLockedValueBox<NIOLoopBound<DatagramPort>?>(nil)
        _ = try await DatagramBootstrap(group: eventLoop)
            .channelOption(.datagramVectorReadMessageCount, value: datagramsAtOnce)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: datagramsAtOnce * slot))
            .channelOption(.datagramReceiveOffload, value: System.supportsUDPReceiveOffload)
            .channelOption(.datagramReceiveSegmentSize, value: System.supportsUDPReceiveOffload)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    // The channel closes its descriptor; nothing may be sent on the number then.
                    let port = DatagramPort(socket: try DatagramSocket(sharing: descriptor), channel: channel)
                    port.receiver = receiver(port)
                    try channel.pipeline.syncOperations.addHandler(DatagramHandler(port))
                    made.withLockedValue { $0 = NIOLoopBound(port, eventLoop: eventLoop) }
                }
            }
            .withBoundSocket(descriptor)
            .get()
        guard let port = made.withLockedValue({ $0 }) else { throw ChannelError.inappropriateOperationForState }
        return port
    }

    /// How many datagrams the system has not taken.
    package var dropped: UInt64 { socket.dropped }

    /// Sends the datagrams of an outbox, or of several sockets' those that are for this one.
    package func send(_ outbox: DatagramOutbox, where isMine: ((Endpoint) -> Bool)? = nil) {
        socket.send(outbox, where: isMine)
    }

    /// Divides peers among sockets that share this one's port. `false` if the kernel cannot.
    package func sharePort(among sockets: Int) -> Bool { socket.sharePort(among: sockets) }

    /// Closes the socket; `closed` follows.
    package func close() {
        channel.close(promise: nil)
    }

    // MARK: What happens on the channel

    fileprivate func received(_ envelope: AddressedEnvelope<ByteBuffer>) {
        // Nobody can be answered at port 0.
        guard let receiver, let endpoint = envelope.remoteAddress.endpoint, endpoint.port != 0 else { return }
        guard let size = envelope.metadata?.segmentSize, size > 0, size < envelope.data.readableBytes else {
            return receiver.receive(envelope.data, from: endpoint, on: self)
        }
        // Several datagrams in one piece, all of one length but the last.
        var rest = envelope.data
        while rest.readableBytes > 0, let datagram = rest.readSlice(length: min(size, rest.readableBytes)) {
            receiver.receive(datagram, from: endpoint, on: self)
        }
    }

    fileprivate func endTurn() {
        receiver?.endTurn(of: self)
    }

    /// Some errors are only about one datagram; if the socket is lost, its end says so.
    fileprivate func note(_ error: any Error) {
        self.error = error
    }

    fileprivate func closed() {
        // Each holds the other.
        let receiver = receiver
        self.receiver = nil
        receiver?.closed(self, error: error)
    }
}

/// Hands a channel's datagrams to the port.
private final class DatagramHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let port: DatagramPort

    init(_ port: DatagramPort) {
        self.port = port
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        port.received(unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        port.endTurn()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        port.note(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        port.closed()
    }
}
