import Hummingbird
import NIOCore
import RelayCore
import ServiceLifecycle

/// Health checks, metrics, the API and the dashboard over HTTP: section `admin` of the configuration.
struct AdminService: Service {
    private let listener: HTTPListener
    private let events: EventFeed

    /// `nil` without the section.
    init?(_ configuration: Configuration, gate: AdminGate, overview: Overview, context: RelayContext) {
        guard let section = configuration.admin else { return nil }
        events = overview.events
        listener = HTTPListener(
            name: "admin", endpoints: section.listen, settings: .init(),
            log: ListenerLog(context.logger, protocolName: "admin"), context: context,
            responder: HTTPListener.responder(Self.router(gate: gate, overview: overview))
        )
    }

    /// Binds the listeners.
    func start() async throws { try await listener.start() }

    func run() async throws {
        try? await gracefulShutdown()
        events.close()
        await listener.stop()
    }

    private static func router(gate: AdminGate, overview: Overview) -> Router<AdminContext> {
        let router = Router(context: AdminContext.self)
        DashboardRoutes.add(to: router)
        router.get("livez") { _, _ in "ok\n" }
        router.get("readyz") { _, _ in
            switch overview.phase.current {
            case .running: EditedResponse(status: .ok, response: "ready\n")
            case .draining: EditedResponse(status: .serviceUnavailable, response: "draining\n")
            case .stopping: EditedResponse(status: .serviceUnavailable, response: "stopping\n")
            }
        }
        router.get("api/v1/openapi.json") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/json; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(bytes: PackageResources.openapi_json)))
        }
        let guarded = router.group().add(middleware: gate)
        guarded.get("metrics") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: try await Exposition.text(of: overview)))
            )
        }
        let api = guarded.group("api/v1")
        ReadingRoutes(overview: overview).add(to: api)
        ControlRoutes(overview: overview).add(to: api)
        BanRoutes(overview: overview).add(to: api)
        if let dedicated = overview.dedicated { HostRoutes(service: dedicated).add(to: api) }
        return router
    }
}
