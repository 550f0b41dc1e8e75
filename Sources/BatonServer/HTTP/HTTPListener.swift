import Glibc
import Hummingbird
import HummingbirdCore
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import RelayCore
import RelayNIO

/// The listeners of a service that speaks HTTP/1.1, and their connections.
///
/// Hummingbird reads requests and writes answers; sockets are ours, so that they are bound, bounded, timed and stopped as
/// those of the other protocols are.
final class HTTPListener: Sendable {
    typealias Responder = @Sendable (Request, any Channel) async -> Response

    struct Settings: Sendable {
        var deadlines = RequestDeadlines.Limits()
        /// Whether who connects must pass the desk. Who does not need to has no limit.
        var passesDesk: @Sendable (IPAddress) -> Bool = { _ in false }
        /// Whether the router is asked to let the world in.
        var asksRouter = false
        /// Told of every connection before it is served: admitted, or turned away for a reason.
        var onConnection: @Sendable (Admission.Refusal?) -> Void = { _ in }
    }

    private let name: String
    private let endpoints: [Endpoint]
    private let settings: Settings
    private let context: RelayContext
    private let log: ListenerLog
    private let http: HTTP1Channel
    private let listeners = ListeningChannels()
    private let connections = NIOLockedValueBox<[ObjectIdentifier: any Channel]>([:])

    /// Requests have small heads.
    private static let decoder = HTTP1Channel.Configuration.DecoderConfiguration(
        maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 32 << 10, maxHeaderFieldCount: 100)

    /// How long a stop waits for answers that are on their way.
    private static let farewell = Duration.milliseconds(500)

    init(
        name: String, endpoints: [Endpoint], settings: Settings, log: ListenerLog, context: RelayContext,
        responder: @escaping Responder
    ) {
        self.name = name
        self.endpoints = endpoints
        self.settings = settings
        self.log = log
        self.context = context
        http = HTTP1Channel(
            responder: { request, writer, channel in
                var response = await responder(request, channel)
                response.headers[.date] = Timestamp.now().httpDate
                response.headers[.server] = "baton"
                try await writer.write(response: response.head, body: response.body)
            },
            configuration: .init(httpDecoderConfiguration: Self.decoder)
        )
    }

    /// Where is listened, with the ports in use.
    var addresses: [String] { listeners.addresses }

    var connectionCount: Int { connections.withLockedValue { $0.count } }

    func start() async throws {
        let portMapping = settings.asksRouter ? context.portMapping : nil
        let onListening: @Sendable (String, Endpoint) -> Void = { [context] name, bound in
            context.onListening(name, bound)
            portMapping?.listening(name, .tcp, bound)
        }
        try await listeners.open(endpoints, for: name, log: log, onListening: onListening) { address in
            try await bind(address)
        }
    }

    /// Takes no more connections, lets requests be answered that are being answered, and ends.
    func stop() async {
        await listeners.close()
        for channel in open { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
        let deadline = ContinuousClock.now + Self.farewell
        while connectionCount > 0, ContinuousClock.now < deadline {
            try? await Task.sleep(for: .milliseconds(20))
        }
        for channel in open { try? await channel.close() }
    }

    private var open: [any Channel] { connections.withLockedValue { Array($0.values) } }

    private func bind(_ address: SocketAddress) async throws -> any Channel {
        let log = log
        var bootstrap = ServerBootstrap(group: context.eventLoops)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .serverChannelOption(
                .tcpOption(.init(rawValue: TCP_USER_TIMEOUT)),
                value: SocketOptionValue(clamping: settings.deadlines.write.wholeNanoseconds / 1_000_000)
            )
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptFailureHandler(log: log))
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { [self] channel in serve(channel) }
        if case .v6 = address {
            let only6 = ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only)
            bootstrap = bootstrap.serverChannelOption(only6, value: 1)
        }
        return try await bootstrap.bind(to: address).get()
    }

    /// Admits a connection and lets a task of its own answer its requests. The connection ends if this fails.
    private func serve(_ channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            guard let endpoint = channel.remoteAddress?.endpoint else { throw ChannelError.ioOnClosedChannel }
            try admit(channel, from: endpoint)
            register(channel)
        }.flatMap { [http] in
            http.setup(channel: channel, logger: Self.silent)
        }.map { [http, settings] requests in
            do {
                let pipeline = channel.pipeline.syncOperations
                let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
                try pipeline.addHandler(RequestDeadlines(limits: settings.deadlines), position: .after(decoder))
            } catch {
                channel.close(promise: nil)
            }
            Task { await http.handle(value: requests, logger: Self.silent) }
        }
    }

    private func admit(_ channel: any Channel, from endpoint: Endpoint) throws {
        guard settings.passesDesk(endpoint.address) else { return }
        do throws(Admission.Refusal) {
            // Who is banned is told so, in answer to his request.
            try context.desk.admit(endpoint.address, evenIfBanned: true, at: .now)
        } catch {
            log.refused(endpoint, error)
            settings.onConnection(error)
            throw error
        }
        settings.onConnection(nil)
        channel.closeFuture.whenComplete { [desk = context.desk] _ in desk.release(endpoint.address, at: .now) }
    }

    private func register(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        connections.withLockedValue { $0[id] = channel }
        channel.closeFuture.whenComplete { [connections] _ in connections.withLockedValue { $0[id] = nil } }
    }

    /// For Hummingbird, which would log what strangers send.
    private static let silent = Logger(label: "http") { _ in SwiftLogNoOpLogHandler() }
}

extension HTTPListener {
    /// Answers by a router's routes.
    static func responder<Context: RequestContext>(_ router: Router<Context>) -> Responder
    where Context.Source == ApplicationRequestContextSource {
        let responder = router.buildResponder()
        return { request, channel in
            let context = Context(source: ApplicationRequestContextSource(channel: channel, logger: silent))
            do {
                return try await responder.respond(to: request, context: context)
            } catch {
                return Response(status: .internalServerError)
            }
        }
    }
}
