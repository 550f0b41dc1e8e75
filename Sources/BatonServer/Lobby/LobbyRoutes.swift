import Hummingbird
import NIOCore
import Netplay
import RelayCore

/// The paths of the lobby. Each is served with a final `/` as well.
struct LobbyRoutes: Sendable {
    /// The longest body of a request, in bytes.
    static let maxBody = 64 << 10

    let desk: LobbyDesk
    let door: CallerDoor
    let reachability: ReachabilityDesk
    let page: RoomPageCache

    func router() -> Router<CallerContext> {
        let router = Router(context: CallerContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: door)
        router.post("add") { request, context in await add(request, from: context.caller) }
        router.get("list") { _, _ in json(desk.list()) }
        router.get("tunnel") { request, _ in tunnel(request) }
        router.get("api/v1/reachability") { request, context in try await reachability(request, context) }
        router.get("style.css") { _, _ in RoomPage.style }
        router.get("/") { _, _ in page.response(of: desk) }
        router.get(":id") { _, context in room(context.parameters.get("id") ?? "") }
        return router
    }

    // MARK: What RetroArch asks

    private func add(_ request: Request, from caller: IPAddress) async -> Response {
        guard request.contentLength ?? 0 <= Self.maxBody, let body = try? await request.body.collect(upTo: Self.maxBody)
        else { return Response(status: .contentTooLarge) }
        do throws(LobbyRefusal) {
            guard let form = try? FormFields(body.readableBytesView) else {
                desk.refused(.badForm, caller)
                return Response(status: .badRequest)
            }
            desk.count(received: body.readableBytes)
            return text(LobbyText.added(try await desk.announce(form, from: caller)))
        } catch {
            return Response(status: error.status)
        }
    }

    private func room(_ text: String) -> Response {
        guard let id = Int32(text) else { return Response(status: .badRequest) }
        return desk.json(of: id).map(json) ?? Response(status: .notFound)
    }

    private func tunnel(_ request: Request) -> Response {
        guard let name = request.query?["name"], !name.isEmpty else { return Response(status: .badRequest) }
        guard let relay = desk.relay(named: name) else { return Response(status: .notFound) }
        return text(LobbyText.tunnel(relay))
    }

    private func text(_ body: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/plain; charset=utf-8", .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(string: body)))
    }

    private func json(_ body: ByteBuffer) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json; charset=utf-8", .cacheControl: "no-store"],
            body: .init(byteBuffer: body))
    }

    // MARK: What players ask

    private func reachability(_ request: Request, _ context: CallerContext) async throws -> Response {
        let query = request.query
        let question: ReachabilityQuestion
        switch (query?["port"], query?["session"]) {
        case (let port?, nil):
            guard let port = UInt16(port), port > 0 else { return try bad("The port must be a number up to 65535.") }
            question = .port(port)
        case (nil, let id?):
            guard let session = TunnelID(id) else {
                return try bad("The session must be the 16 characters of its id, with + written as %2B.")
            }
            guard let relay = desk.relay(named: query?["relay"] ?? "") else {
                return try bad("The relay must be one that this lobby names.")
            }
            question = .session(session, relay)
        default:
            return try bad("Say which port, as in ?port=55435, or which session and relay.")
        }
        let verdict = await question.verdict(for: context.caller, by: reachability)
        desk.count("reachability_\(verdict.word.rawValue)")
        return try ReachabilityAnswer(verdict, address: context.caller, question).response()
    }

    private func bad(_ message: String) throws -> Response {
        try ReachabilityAnswer(result: "bad_request", message: message).response()
    }
}

extension Request {
    fileprivate var contentLength: Int? { headers[.contentLength].flatMap { Int($0) } }

    fileprivate var query: FormFields? { try? FormFields((uri.query ?? "").utf8) }
}

extension LobbyRefusal {
    /// RetroArch reads nothing but the status of a refusal.
    var status: HTTPResponse.Status {
        switch self {
        case .badForm, .badField, .blacklistedText: .badRequest
        case .blacklistedAddress, .bannedName: .forbidden
        case .tooSoon, .tooFast, .addressFull: .tooManyRequests
        case .lobbyFull, .draining: .serviceUnavailable
        case .storageFailed: .internalServerError
        }
    }
}
