import Hummingbird

/// Lets nobody change anything unless a token is configured: without one the caller may be any page of a browser on
/// this machine.
struct WriteAccess<Context: RequestContext>: RouterMiddleware {
    private let isOpen: Bool

    init(_ token: Secret?) {
        isOpen = token != nil
    }

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard isOpen else {
            throw HTTPError(.forbidden, message: "nothing can be changed over HTTP without admin.token")
        }
        return try await next(request, context)
    }
}
