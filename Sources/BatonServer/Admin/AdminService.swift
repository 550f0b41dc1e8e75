import Hummingbird
import Logging
import NIOCore
import RelayCore
import ServiceLifecycle

/// One HTTP listener for health checks, metrics and the API: section `admin` of the configuration.
struct AdminService: Service {
    private let endpoint: Endpoint
    private let token: Secret?
    private let overview: Overview
    private let context: RelayContext

    init(_ endpoint: Endpoint, token: Secret?, overview: Overview, context: RelayContext) {
        self.endpoint = endpoint
        self.token = token
        self.overview = overview
        self.context = context
    }

    func run() async throws {
        let log = ListenerLog(context.logger, protocolName: "admin")
        let application = Application(
            router: router(),
            server: .http1(configuration: .init(idleTimeout: .seconds(30))),
            configuration: .init(
                address: .hostname("\(endpoint.address)", port: Int(endpoint.port)), serverName: "baton"),
            onServerRunning: { channel in
                let bound = channel.localAddress?.endpoint ?? endpoint
                try? await channel.eventLoop.submit {
                    try channel.pipeline.syncOperations.addHandler(AcceptFailureHandler(log: log), position: .first)
                }.get()
                log.listening(on: bound)
                context.onListening("admin", bound)
            },
            eventLoopGroupProvider: .shared(context.eventLoops),
            logger: Logger(label: "http") { _ in SwiftLogNoOpLogHandler() }
        )
        do {
            try await application.run()
        } catch let error as IOError {
            throw BatonError.binding(endpoint, for: "admin", error)
        }
    }

    private func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.get("livez") { _, _ in "ok\n" }
        router.get("readyz") { _, _ in
            switch overview.phase.current {
            case .running: EditedResponse(status: .ok, response: "ready\n")
            case .draining: EditedResponse(status: .serviceUnavailable, response: "draining\n")
            case .stopping: EditedResponse(status: .serviceUnavailable, response: "stopping\n")
            }
        }
        let guarded = router.group().add(middleware: BearerToken(token))
        guarded.get("metrics") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: try await Exposition.text(of: overview)))
            )
        }
        let api = guarded.group("api/v1")
        api.get("status") { _, _ in try await StatusResponse(overview) }
        api.get("rooms") { _, _ in try await RoomsResponse(overview) }
        if let dedicated = overview.dedicated {
            HostRoutes(service: dedicated).add(to: api, changing: api.group().add(middleware: WriteAccess(token)))
        }
        return router
    }
}
