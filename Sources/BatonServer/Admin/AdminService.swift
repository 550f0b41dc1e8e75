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
        DashboardRoutes.add(to: router)
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
        api.get("history") { request, _ in
            HistoryResponse(overview.history, since: request.uri.queryParameters.get("since", as: Int64.self) ?? 0)
        }
        api.get("rooms") { _, _ in try await RoomsResponse(overview) }
        let changing = api.group().add(middleware: WriteAccess(token))
        changing.delete("peers/:protocol/:peer") { _, context in
            try await kick(
                context.parameters.require("peer"), of: context.parameters.require("protocol"), in: overview.relays)
            return HTTPResponse.Status.noContent
        }
        if let dedicated = overview.dedicated {
            HostRoutes(service: dedicated).add(to: api, changing: changing)
        }
        return router
    }

    private static func kick(_ name: String, of protocolName: String, in relays: [any Relay]) async throws {
        guard let relay = relays.first(where: { $0.name == protocolName }) else {
            throw HTTPError(.notFound, message: "no such protocol is served")
        }
        guard let peer = PeerID(name), try await relay.kick(peer) else {
            throw HTTPError(.notFound, message: "no such peer is connected")
        }
    }
}
