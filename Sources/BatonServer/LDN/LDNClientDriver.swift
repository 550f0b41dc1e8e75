import LDN
import NIOCore
import NIOPosix
import RelayCore
import RelayNIO

/// Runs one client on one event loop: hands it what happens on its connections, does what it wants done, keeps one timer
/// and those who wait for answers. Confined to its event loop.
final class LDNClientDriver {
    /// Who waits for what; the first of each kind.
    struct Waiting {
        var ready: EventLoopPromise<InitializeMessage>?
        var scan: EventLoopPromise<[NetworkInfo]>?
        var entry: EventLoopPromise<Membership>?
        var reject: EventLoopPromise<Bool>?
        var ping: EventLoopPromise<Void>?
    }

    private let eventLoop: any EventLoop
    private let onEvent: (LDNClientEvent) -> Void
    private var client: LDNClient
    private var master: (any Channel)?
    private var proxy: (any Channel)?
    /// Counts connections to P2P hosts, so that word of an old one is not taken for the present one's.
    private var proxyAttempt = 0
    private var waiting = Waiting()
    private var timer: Scheduled<Void>?
    private var identity: InitializeMessage?
    private var failure: LDNClientFailure?
    private let over: EventLoopPromise<Void>

    init(_ client: LDNClient, eventLoop: any EventLoop, onEvent: @escaping (LDNClientEvent) -> Void) {
        self.client = client
        self.eventLoop = eventLoop
        self.onEvent = onEvent
        over = eventLoop.makePromise()
    }

    deinit { over.succeed() }

    var ended: EventLoopFuture<Void> { over.futureResult }

    /// Whether little enough waits to be sent.
    var canSend: Bool { master?.isWritable != false && proxy?.isWritable != false }

    // MARK: Requests

    func awaitReady(_ promise: EventLoopPromise<InitializeMessage>) {
        if let identity { return promise.succeed(identity) }
        if let failure { return promise.fail(failure) }
        guard waiting.ready == nil else { return promise.fail(LDNClientFailure.notNow) }
        waiting.ready = promise
    }

    /// Asks for something that is answered by an event.
    func ask<Answer>(
        _ promise: EventLoopPromise<Answer>, _ place: WritableKeyPath<Waiting, EventLoopPromise<Answer>?>,
        _ input: (inout LDNClient, inout LDNClient.Effects) throws(LDNClientFailure) -> Void
    ) {
        if let failure { return promise.fail(failure) }
        guard waiting[keyPath: place] == nil else { return promise.fail(LDNClientFailure.notNow) }
        waiting[keyPath: place] = promise
        do throws(LDNClientFailure) {
            try perform(input)
        } catch {
            waiting[keyPath: place] = nil
            promise.fail(error)
        }
    }

    func perform<Failure: Error, Result>(
        _ input: (inout LDNClient, inout LDNClient.Effects) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var effects: LDNClient.Effects = []
        defer {
            for effect in effects { perform(effect) }
            armTimer()
        }
        return try input(&client, &effects)
    }

    // MARK: Effects

    private func perform(_ effect: LDNClientEffect) {
        switch effect {
        case .send(let bytes, over: .master): master?.writeAndFlush(bytes, promise: nil)
        case .send(let bytes, over: .proxy): proxy?.writeAndFlush(bytes, promise: nil)
        case .connectProxy(let endpoint): connectProxy(endpoint)
        case .closeProxy:
            proxyAttempt += 1
            proxy?.close(promise: nil)
            proxy = nil
        case .close:
            master?.close(promise: nil)
            if master == nil { over.succeed() }
        case .emit(let event):
            answer(event)
            onEvent(event)
        }
    }

    private func answer(_ event: LDNClientEvent) {
        switch event {
        case .ready(let identity):
            self.identity = identity
            take(\.ready)?.succeed(identity)
        case .scanned(let networks): take(\.scan)?.succeed(networks)
        case .scanFailed: take(\.scan)?.fail(LDNClientFailure.timeout)
        case .entered(let membership): take(\.entry)?.succeed(membership)
        case .notEntered(let failure): take(\.entry)?.fail(failure)
        case .rejectAnswered(let isDone): take(\.reject)?.succeed(isDone)
        case .pong: take(\.ping)?.succeed()
        case .pingFailed: take(\.ping)?.fail(LDNClientFailure.timeout)
        case .closed(let failure):
            self.failure = failure
            take(\.ready)?.fail(failure)
            take(\.scan)?.fail(failure)
            take(\.entry)?.fail(failure)
            take(\.reject)?.fail(failure)
            take(\.ping)?.fail(failure)
        case .networkChanged, .leftOut, .datagram, .proxyToken, .proxyState, .proxyPortUnreachable, .proxyLost: break
        }
    }

    private func take<Promise>(_ place: WritableKeyPath<Waiting, Promise?>) -> Promise? {
        defer { waiting[keyPath: place] = nil }
        return waiting[keyPath: place]
    }

    private func armTimer() {
        timer?.cancel()
        timer = client.nextDeadline.map { next in
            let driver = NIOLoopBound(self, eventLoop: eventLoop)
            return eventLoop.scheduleTask(deadline: next.deadline) {
                driver.value.perform { client, out in client.advance(to: .now, into: &out) }
            }
        }
    }

    // MARK: Connections

    /// Bytes waiting to be sent at which more is refused, and taken again.
    private static var waterMark: ChannelOptions.Types.WriteBufferWaterMark { .init(low: 256 << 10, high: 1 << 20) }

    static func bootstrap(
        _ line: LDNLine, driver: NIOLoopBound<LDNClientDriver>, attempt: Int = 0, timeout: TimeAmount
    ) -> ClientBootstrap {
        ClientBootstrap(group: driver.eventLoop)
            .connectTimeout(timeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.writeBufferWaterMark, value: waterMark)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        LDNLineHandler(line, attempt: attempt, driver: driver.value))
                }
            }
    }

    private func connectProxy(_ endpoint: Endpoint) {
        proxyAttempt += 1
        let attempt = proxyAttempt
        let driver = NIOLoopBound(self, eventLoop: eventLoop)
        // The client's own deadline comes first.
        let bootstrap = Self.bootstrap(.proxy, driver: driver, attempt: attempt, timeout: .seconds(60))
        guard let address = try? SocketAddress(ipAddress: "\(endpoint.address)", port: Int(endpoint.port)) else {
            return eventLoop.execute { driver.value.lineClosed(.proxy, attempt) }
        }
        bootstrap.connect(to: address).whenFailure { _ in driver.value.lineClosed(.proxy, attempt) }
    }

    fileprivate func lineOpened(_ line: LDNLine, _ attempt: Int, _ channel: any Channel) {
        switch line {
        case .master: master = channel
        case .proxy:
            guard attempt == proxyAttempt else { return channel.close(promise: nil) }
            proxy = channel
        }
        perform { client, out in client.opened(line, at: .now, into: &out) }
    }

    fileprivate func lineRead(_ line: LDNLine, _ attempt: Int, _ bytes: ByteBuffer) {
        guard line == .master || attempt == proxyAttempt else { return }
        perform { client, out in client.receive(bytes, over: line, at: .now, into: &out) }
    }

    fileprivate func lineClosed(_ line: LDNLine, _ attempt: Int) {
        switch line {
        case .master:
            master = nil
            perform { client, out in client.closed(.master, at: .now, into: &out) }
            timer?.cancel()
            over.succeed()
        case .proxy:
            guard attempt == proxyAttempt else { return }
            proxyAttempt += 1
            proxy = nil
            perform { client, out in client.closed(.proxy, at: .now, into: &out) }
        }
    }
}

/// One of a client's connections.
private final class LDNLineHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let line: LDNLine
    private let attempt: Int
    private let driver: LDNClientDriver

    init(_ line: LDNLine, attempt: Int, driver: LDNClientDriver) {
        self.line = line
        self.attempt = attempt
        self.driver = driver
    }

    func channelActive(context: ChannelHandlerContext) { driver.lineOpened(line, attempt, context.channel) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        driver.lineRead(line, attempt, unwrapInboundIn(data))
    }

    func channelInactive(context: ChannelHandlerContext) { driver.lineClosed(line, attempt) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
