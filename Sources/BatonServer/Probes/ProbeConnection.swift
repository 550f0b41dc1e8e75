import NIOCore
import NIOPosix
import RelayCore

/// A TCP connection of a probe, or a UDP socket that hears of one endpoint alone. It reads only when it is asked to, so a server that talks on costs nothing.
struct ProbeConnection {
    fileprivate enum Happening: Sendable {
        case bytes(ByteBuffer)
        case end
        /// Time is up for the reading of this number.
        case alarm(Int)
    }

    private let channel: any Channel
    private var happenings: AsyncStream<Happening>.Iterator
    private let happening: AsyncStream<Happening>.Continuation
    private var readings = 0

    static func open(_ endpoint: Endpoint, within limit: Duration) async throws(ProbeFailure) -> ProbeConnection {
        let (stream, continuation) = AsyncStream.makeStream(of: Happening.self)
        do {
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(TimeAmount(limit))
                .channelOption(.autoRead, value: false)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(HappeningHandler(continuation))
                    }
                }
                .connect(to: try SocketAddress(ipAddress: "\(endpoint.address)", port: Int(endpoint.port))).get()
            return ProbeConnection(channel, stream.makeAsyncIterator(), continuation)
        } catch {
            throw ProbeFailure(.unreachable, "no connection: \(ConnectFailure.words(for: error))")
        }
    }

    /// A UDP socket: each reading is a datagram.
    static func openDatagrams(to endpoint: Endpoint) async throws(ProbeFailure) -> ProbeConnection {
        let (stream, continuation) = AsyncStream.makeStream(of: Happening.self)
        do {
            let remote = try SocketAddress(ipAddress: "\(endpoint.address)", port: Int(endpoint.port))
            let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelOption(.autoRead, value: false)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandlers(
                            EnvelopeHandler(remote: remote), HappeningHandler(continuation))
                    }
                }
                .connect(to: remote).get()
            return ProbeConnection(channel, stream.makeAsyncIterator(), continuation)
        } catch {
            throw ProbeFailure(.unreachable, "no way there: \(ConnectFailure.words(for: error))")
        }
    }

    private init(
        _ channel: any Channel, _ happenings: AsyncStream<Happening>.Iterator,
        _ happening: AsyncStream<Happening>.Continuation
    ) {
        self.channel = channel
        self.happenings = happenings
        self.happening = happening
    }

    func write(_ bytes: ByteBuffer) {
        channel.writeAndFlush(bytes, promise: nil)
    }

    /// What the server says next.
    ///
    /// - Throws: `.silent` if nothing comes until the deadline, `.hungUp` if nothing more will.
    mutating func read(until deadline: NIODeadline) async throws(ProbeFailure) -> ByteBuffer {
        readings += 1
        let alarm = channel.eventLoop.scheduleTask(deadline: deadline) { [readings, happening] in
            happening.yield(.alarm(readings))
        }
        defer { alarm.cancel() }
        channel.read()
        while let next = await happenings.next() {
            switch next {
            case .bytes(let bytes): return bytes
            case .end: throw ProbeFailure(.hungUp, "the server ends the connection")
            case .alarm(readings): throw ProbeFailure(.silent, "the connection is taken, but no answer comes")
            case .alarm: continue
            }
        }
        // The task was cancelled, or the end has been read already.
        throw ProbeFailure(.hungUp, "the server ends the connection")
    }

    func close() async {
        try? await channel.close()
    }
}

/// Takes the bytes out of datagrams, and puts them into some.
private final class EnvelopeHandler: ChannelDuplexHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let remote: SocketAddress

    init(remote: SocketAddress) {
        self.remote = remote
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.fireChannelRead(wrapInboundOut(unwrapInboundIn(data).data))
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let envelope = AddressedEnvelope(remoteAddress: remote, data: unwrapOutboundIn(data))
        context.write(wrapOutboundOut(envelope), promise: promise)
    }
}

private final class HappeningHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let happening: AsyncStream<ProbeConnection.Happening>.Continuation

    init(_ happening: AsyncStream<ProbeConnection.Happening>.Continuation) {
        self.happening = happening
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        happening.yield(.bytes(unwrapInboundIn(data)))
    }

    func channelInactive(context: ChannelHandlerContext) {
        happening.yield(.end)
        happening.finish()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
