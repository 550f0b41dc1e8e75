import NIOCore
import NIOPosix
import RelayCore

/// A TCP client on loopback whose reads wait for what they ask for.
final class TestClient: Sendable {
    let channel: any Channel
    private let inbox: NIOLoopBound<Inbox>

    private init(_ channel: any Channel, _ inbox: NIOLoopBound<Inbox>) {
        self.channel = channel
        self.inbox = inbox
    }

    static func connect(to endpoint: Endpoint, from address: String? = nil) async throws -> TestClient {
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Inbox()) }
            }
        if let address { bootstrap = bootstrap.bind(to: try SocketAddress(ipAddress: address, port: 0)) }
        let channel = try await bootstrap.connect(
            to: SocketAddress(ipAddress: "\(endpoint.address)", port: Int(endpoint.port))
        ).get()
        let inbox = try await channel.eventLoop.submit {
            NIOLoopBound(try channel.pipeline.syncOperations.handler(type: Inbox.self), eventLoop: channel.eventLoop)
        }.get()
        return TestClient(channel, inbox)
    }

    func send(_ bytes: some Sequence<UInt8> & Sendable) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
    }

    /// Sends without waiting for it to leave.
    func post(_ bytes: ByteBuffer) {
        channel.writeAndFlush(bytes, promise: nil)
    }

    /// The next `count` bytes; throws if the stream ends before.
    func read(_ count: Int) async throws -> [UInt8] {
        try await wait { $0.read(count) }
    }

    /// Everything up to the end of the stream.
    func readToEnd() async throws -> [UInt8] {
        try await wait { $0.readToEnd() }
    }

    /// Stops or goes on reading from the socket.
    func setReading(_ isReading: Bool) async throws {
        try await channel.setOption(.autoRead, value: isReading).get()
        if isReading { channel.read() }
    }

    /// Ends the sending direction.
    func end() async throws {
        try await channel.close(mode: .output)
    }

    func close() async throws {
        try await channel.close()
    }

    /// Waits for what is asked of the inbox; a test that has run out of time waits no longer.
    private func wait(for question: @escaping @Sendable (Inbox) -> EventLoopFuture<ByteBuffer>) async throws -> [UInt8]
    {
        let (inbox, channel) = (inbox, channel)
        let bytes = try await withTaskCancellationHandler {
            try await channel.eventLoop.flatSubmit { question(inbox.value) }.get()
        } onCancel: {
            channel.close(promise: nil)
        }
        return Array(bytes.readableBytesView)
    }
}

/// Keeps what arrives until somebody asks.
private final class Inbox: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    struct StreamEnded: Error {
        var before: Int
    }

    private var bytes = ByteBuffer()
    private var hasEnded = false
    private var failure: (any Error)?
    private var waiting: (count: Int?, promise: EventLoopPromise<ByteBuffer>)?
    private var eventLoop: (any EventLoop)?

    func handlerAdded(context: ChannelHandlerContext) {
        eventLoop = context.eventLoop
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes.writeImmutableBuffer(unwrapInboundIn(data))
        answer()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { end() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = error
        context.close(promise: nil)
    }

    func read(_ count: Int) -> EventLoopFuture<ByteBuffer> { wait(for: count) }

    func readToEnd() -> EventLoopFuture<ByteBuffer> { wait(for: nil) }

    private func wait(for count: Int?) -> EventLoopFuture<ByteBuffer> {
        guard let eventLoop else { preconditionFailure("read before the handler was added") }
        let promise = eventLoop.makePromise(of: ByteBuffer.self)
        waiting = (count, promise)
        answer()
        return promise.futureResult
    }

    private func end() {
        hasEnded = true
        answer()
    }

    private func answer() {
        guard let (count, promise) = waiting else { return }
        if let count, let enough = bytes.readSlice(length: count) {
            waiting = nil
            promise.succeed(ByteBuffer(bytes: enough.readableBytesView))
        } else if hasEnded {
            waiting = nil
            if let failure {
                promise.fail(failure)
            } else if count == nil {
                promise.succeed(bytes)
                bytes.clear()
            } else {
                promise.fail(StreamEnded(before: bytes.readableBytes))
            }
        }
        bytes.discardReadBytes()
    }
}
