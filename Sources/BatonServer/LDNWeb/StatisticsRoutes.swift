import Hummingbird
import NIOCore

/// The paths of the master's statistics, as emulators, web sites and health checks ask for them.
struct StatisticsRoutes: Sendable {
    let desk: StatisticsDesk
    let door: CallerDoor

    func router() -> Router<CallerContext> {
        let router = Router(context: CallerContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: door)
        router.get("api") { _, _ in try await answer(\.totals) }
        router.get("api/ldn") { _, _ in try await answer(\.totals) }
        router.get("api/games") { _, _ in try await answer(\.games) }
        router.get("api/public_games") { _, _ in try await answer(\.publicGames) }
        return router
    }

    private func answer(_ document: any KeyPath<StatisticsDesk.Documents, ByteBuffer> & Sendable) async throws -> Response {
        let body = try await desk.documents()[keyPath: document]
        // Pages of other sites may read it: it is the same for everybody.
        return Response(
            status: .ok,
            headers: [
                .contentType: "application/json; charset=utf-8", .cacheControl: "no-store",
                .accessControlAllowOrigin: "*",
            ],
            body: .init(byteBuffer: body))
    }
}
