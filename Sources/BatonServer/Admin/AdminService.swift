import Hummingbird
import NIOCore
import RelayCore
import ServiceLifecycle

/// Health checks, metrics and the API over HTTP: section `admin` of the configuration.
struct AdminService: Service {
    private let listener: HTTPListener

    /// `nil` without the section.
    init?(_ configuration: Configuration, overview: Overview, context: RelayContext) {
        guard let section = configuration.admin else { return nil }
        listener = HTTPListener(
            name: "admin", endpoints: section.listen, settings: .init(),
            log: ListenerLog(context.logger, protocolName: "admin"), context: context,
            responder: HTTPListener.responder(Self.router(token: section.token, overview: overview))
        )
    }

    func run() async throws {
        try await listener.start()
        try? await gracefulShutdown()
        await listener.stop()
    }

    private static func router(token: Secret?, overview: Overview) -> Router<BasicRequestContext> {
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
