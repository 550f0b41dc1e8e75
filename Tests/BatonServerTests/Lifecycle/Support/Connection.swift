import NIOCore
import NIOPosix

extension LifecycleTests {
    /// A client's end of a TCP connection.
    ///
    /// Unless told otherwise it closes when the server ends the stream, as most clients do.
    struct Connection: Sendable {
        let channel: any Channel
        private let inbox: NIOLoopBound<Inbox>

        static func open(
            to address: SocketAddress, from source: String? = nil, isReading: Bool = true, closesAtEnd: Bool = true
        ) async throws -> Connection {
            let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
            let inbox = try await eventLoop.submit {
                NIOLoopBound(Inbox(eventLoop: eventLoop), eventLoop: eventLoop)
            }.get()
            var bootstrap = ClientBootstrap(group: eventLoop)
                .connectTimeout(.seconds(30))
                .channelOption(.autoRead, value: isReading)
                .channelOption(.allowRemoteHalfClosure, value: !closesAtEnd)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(inbox.value)
                    }
                }
            if let source { bootstrap = bootstrap.bind(to: try SocketAddress(ipAddress: source, port: 0)) }
            return Connection(channel: try await bootstrap.connect(to: address).get(), inbox: inbox)
        }

        func write(_ bytes: some Sequence<UInt8>) {
            channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
        }

        /// Exactly so many bytes.
        func read(_ count: Int) async throws -> [UInt8] {
            Array(try await take(count).readableBytesView)
        }

        /// Exactly so many bytes, as they came.
        func take(_ count: Int, within limit: Duration = .seconds(30)) async throws -> ByteBuffer {
            try await inbox.take(.bytes(count), within: limit)
        }

        /// Everything until the server ends the stream.
        func readToEnd(within limit: Duration = .seconds(30)) async throws -> ByteBuffer {
            try await inbox.take(.end, within: limit)
        }

        func resumeReading() async throws {
            try await channel.setOption(.autoRead, value: true).get()
        }

        /// Closes at once; what was not written yet is lost.
        func close() async throws {
            try? await channel.close().get()
        }
    }

    /// The stream ended before what was waited for came.
    struct EndedEarly: Error, CustomStringConvertible {
        var received: ByteBuffer
        var description: String {
            "the stream ended after \(received.readableBytes) bytes: \(received.readableBytesView.prefix(64))"
        }
    }
}

/// Keeps what arrives until somebody takes it.
private final class Inbox: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    enum Wish {
        case bytes(Int)
        case end
    }

    private let eventLoop: any EventLoop
    private var received = ByteBuffer()
    private var hasEnded = false
    private var waiting: (wish: Wish, promise: EventLoopPromise<ByteBuffer>)?

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received.writeImmutableBuffer(unwrapInboundIn(data))
        settle()
    }

    func channelInactive(context: ChannelHandlerContext) {
        hasEnded = true
        settle()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return }
        hasEnded = true
        settle()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func take(_ wish: Wish, within limit: Duration) -> EventLoopFuture<ByteBuffer> {
        let promise = eventLoop.makePromise(of: ByteBuffer.self)
        precondition(waiting == nil, "two read from one connection")
        waiting = (wish, promise)
        let inbox = NIOLoopBound(self, eventLoop: eventLoop)
        let timeout = eventLoop.scheduleTask(in: TimeAmount(limit)) { inbox.value.giveUp() }
        promise.futureResult.whenComplete { _ in timeout.cancel() }
        settle()
        return promise.futureResult
    }

    private func giveUp() {
        guard let (wish, promise) = waiting else { return }
        waiting = nil
        let what = "reading \(wish), with \(received.readableBytes) bytes there"
        promise.fail(LifecycleTests.TooLate(what: what))
    }

    private func settle() {
        guard let (wish, promise) = waiting else { return }
        switch wish {
        case .bytes(let count):
            if let bytes = received.readSlice(length: count) {
                waiting = nil
                promise.succeed(bytes)
            } else if hasEnded {
                waiting = nil
                promise.fail(LifecycleTests.EndedEarly(received: received))
            }
        case .end:
            guard hasEnded else { return }
            waiting = nil
            promise.succeed(received)
            received = ByteBuffer()
        }
    }
}

extension NIOLoopBound<Inbox> {
    fileprivate func take(_ wish: Inbox.Wish, within limit: Duration) async throws -> ByteBuffer {
        try await eventLoop.flatSubmit { self.value.take(wish, within: limit) }.get()
    }
}
