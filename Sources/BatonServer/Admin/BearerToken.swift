import Hummingbird

/// Lets through who presents the configured token, or everybody if none is configured.
struct BearerToken<Context: RequestContext>: RouterMiddleware {
    private let expected: [UInt8]?

    init(_ token: Secret?) {
        expected = token.map { Array($0.text.utf8) }
    }

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard let expected else { return try await next(request, context) }
        let presented = request.headers[.authorization] ?? ""
        let scheme = "bearer "
        guard presented.lowercased().hasPrefix(scheme),
            Self.equal(Array(presented.utf8.dropFirst(scheme.utf8.count)), expected)
        else {
            return Response(status: .unauthorized, headers: [.wwwAuthenticate: "Bearer realm=\"baton\""])
        }
        return try await next(request, context)
    }

    /// Compares in a time that tells nothing of how much of a guess was right.
    private static func equal(_ guess: [UInt8], _ expected: [UInt8]) -> Bool {
        var difference: UInt8 = guess.count == expected.count ? 0 : 1
        for (index, byte) in expected.enumerated() {
            difference |= byte ^ (index < guess.count ? guess[index] : 0)
        }
        return difference == 0
    }
}
