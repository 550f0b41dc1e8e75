import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SOE
import SOEGateway

/// A game's server behind a gateway: it takes its TCP connections and remembers what they say.
final class GameBackend: Sendable {
    private struct State {
        var links: [any Channel] = []
        var linksEver = 0
        /// What the last connection has said.
        var frames: [BackendFrame] = []
        var isReading = true
    }

    private let state = NIOLockedValueBox(State())
    private let listener: NIOLockedValueBox<(any Channel)?>
    let port: Int
    /// Whether it says hello to whoever connects.
    private let greets: Bool

    private init(listener: any Channel, greets: Bool) {
        self.listener = NIOLockedValueBox(listener)
        port = listener.localAddress?.port ?? 0
        self.greets = greets
    }

    /// Listens on loopback.
    ///
    /// - Parameter port: 0 for any free one; another to come back where one was.
    static func start(port: Int = 0, greets: Bool = true) async throws -> GameBackend {
        let box = NIOLockedValueBox<GameBackend?>(nil)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // Little waits in the system when it does not read.
            .serverChannelOption(.socketOption(.so_rcvbuf), value: 64 << 10)
            .serverChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let backend = box.withLockedValue({ $0 }) else { return }
                    try channel.pipeline.syncOperations.addHandler(Handler(backend))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        let backend = GameBackend(listener: listener, greets: greets)
        box.withLockedValue { $0 = backend }
        try await listener.setOption(.autoRead, value: true).get()
        return backend
    }

    /// Ends its connections, and no more are taken.
    func stop() async throws {
        let listener = listener.withLockedValue { listener in
            defer { listener = nil }
            return listener
        }
        try await listener?.close()
        try await dropLinks()
    }

    /// Ends its connections; others may follow.
    func dropLinks() async throws {
        let links = state.withLockedValue { state in
            defer { state.links = [] }
            return state.links
        }
        for link in links { try? await link.close() }
    }

    /// What the connection that is there has said, in order.
    var frames: [BackendFrame] { state.withLockedValue { $0.frames } }

    var linkCount: Int { state.withLockedValue { $0.links.count } }

    /// How many connections there have been.
    var linksEver: Int { state.withLockedValue { $0.linksEver } }

    func say(_ frames: BackendFrame...) {
        say(bytes: frames.reduce(into: ByteBuffer()) { $1.encode(into: &$0) })
    }

    func say(bytes: ByteBuffer) {
        state.withLockedValue { $0.links.last }?.writeAndFlush(bytes, promise: nil)
    }

    /// Whether it reads what it is sent.
    func setReading(_ isReading: Bool) async throws {
        let links = state.withLockedValue { state in
            state.isReading = isReading
            return state.links
        }
        for link in links { try await link.setOption(.autoRead, value: isReading).get() }
    }

    private func opened(_ channel: any Channel) {
        state.withLockedValue { state in
            state.links.append(channel)
            state.linksEver += 1
            state.frames = []
        }
        if greets { say(.hello(version: BackendFrame.version)) }
    }

    private func heard(_ frame: BackendFrame, on channel: any Channel) {
        state.withLockedValue { state in
            if state.links.last === channel { state.frames.append(frame) }
        }
    }

    private func closed(_ channel: any Channel) {
        state.withLockedValue { $0.links.removeAll { $0 === channel } }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let backend: GameBackend
        private var reader = BackendFrameReader()

        init(_ backend: GameBackend) {
            self.backend = backend
        }

        func channelActive(context: ChannelHandlerContext) {
            backend.opened(context.channel)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            reader.append(unwrapInboundIn(data))
            do {
                while let frame = try reader.next() { backend.heard(frame, on: context.channel) }
            } catch {
                context.close(promise: nil)
            }
        }

        func channelInactive(context: ChannelHandlerContext) {
            backend.closed(context.channel)
        }
    }
}

extension GameBackend {
    /// The sessions it was told of, in the order in which they came.
    var opened: [(number: SessionNumber, session: OpenedSession)] {
        frames.compactMap { if case .opened(let number, let session) = $0 { (number, session) } else { nil } }
    }

    var closed: [(number: SessionNumber, session: ClosedSession)] {
        frames.compactMap { if case .closed(let number, let session) = $0 { (number, session) } else { nil } }
    }

    /// What a session's client has said on a channel.
    func messages(of number: SessionNumber, on channel: SOEChannel = .reliable0) -> [ByteBuffer] {
        frames.compactMap { frame in
            guard case .data(number, channel, let message) = frame else { return nil }
            return message
        }
    }
}
