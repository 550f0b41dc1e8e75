import HTTPTypes
import Hummingbird
import Logging
import NIOConcurrencyHelpers
import NIOCore
import RelayCore
import RelayNIO

/// Stands before everything but health checks: lets in who has a token, turns away what other sites' pages ask, and writes
/// down who changed something.
final class AdminGate: RouterMiddleware {
    typealias Context = AdminContext

    private struct State {
        var tokens: AccessTokens
        var hosts: Set<String>
        /// Wrong tokens, by who presents them.
        var failures = RateTable<IPPrefix>(rate: TokenBucket.Rate(perSecond: 1, burst: 20))
    }

    private let state: NIOLockedValueBox<State>
    private let log: ListenerLog
    private let audit: Logger

    init(_ section: Configuration.Admin?, logger: Logger) {
        state = NIOLockedValueBox(State(tokens: AccessTokens([]), hosts: []))
        log = ListenerLog(logger, protocolName: "admin")
        var audit = logger
        audit[metadataKey: "protocol"] = "admin"
        self.audit = audit
        reconfigure(section)
    }

    /// Takes new tokens; old ones are void from now on. The last ones stay, though, until a restart: without any, whoever
    /// reaches the listener could read everything.
    func reconfigure(_ section: Configuration.Admin?) {
        guard let section else { return }
        state.withLockedValue { state in
            let tokens = AccessTokens(section.allTokens)
            if !tokens.isEmpty { state.tokens = tokens }
            state.hosts = Set(section.hosts.map { $0.lowercased() })
        }
    }

    func handle(
        _ request: Request, context: AdminContext, next: (Request, AdminContext) async throws -> Response
    ) async throws -> Response {
        guard isOwnPage(request) else { throw HTTPError(.forbidden, message: "another site's page may not ask this") }
        var context = context
        switch caller(of: request, from: context.address) {
        case .known(let caller): context.caller = caller
        case .turnedAway(let response): return response
        }
        guard request.method != .get, request.method != .head else { return try await next(request, context) }
        guard context.caller.access == .full || context.caller.name != nil else {
            log.requestRefused(context.address, "no_token", "a request to change something came without a token")
            throw HTTPError(.forbidden, message: "nothing can be changed over HTTP without admin.token")
        }
        do {
            guard context.caller.access == .full else {
                throw HTTPError(.forbidden, message: "this token may only read")
            }
            let response = try await next(request, context)
            note(request, context, response.status)
            return response
        } catch {
            note(request, context, (error as? any HTTPResponseError)?.status ?? .internalServerError)
            throw error
        }
    }

    // MARK: Who asks

    private enum Verdict {
        case known(AdminCaller)
        case turnedAway(Response)
    }

    private func caller(of request: Request, from address: IPAddress) -> Verdict {
        let token = Self.token(in: request)
        return state.withLockedValue { state in
            if state.tokens.isEmpty {
                // A page of another site can give its own name this machine's address, and then ask as one of ours.
                guard Self.isHere(request.head.authority, hosts: state.hosts) else {
                    return .turnedAway(Self.refusal(.forbidden, "this host is none of admin.hosts"))
                }
                return .known(AdminCaller(name: nil, access: .read))
            }
            let household = IPPrefix.household(of: address)
            guard let token else { return .turnedAway(Self.refusal(.unauthorized, "a token is needed")) }
            guard state.failures.canTake(household, at: .now) else {
                return .turnedAway(Self.refusal(.tooManyRequests, "too many wrong tokens; wait a little"))
            }
            if let caller = state.tokens.caller(presenting: token, at: .now()) { return .known(caller) }
            _ = state.failures.take(household, at: .now)
            log.requestRefused(address, "wrong_token", "a request had no token that is good")
            return .turnedAway(Self.refusal(.unauthorized, "the token is not known, or has expired"))
        }
    }

    private static func token(in request: Request) -> [UInt8]? {
        let scheme = "bearer "
        guard let presented = request.headers[.authorization], presented.lowercased().hasPrefix(scheme) else {
            return nil
        }
        return Array(presented.utf8.dropFirst(scheme.utf8.count))
    }

    // MARK: Which page asks

    /// Whether no page of a browser asks, or one that came from here.
    private func isOwnPage(_ request: Request) -> Bool {
        guard let origin = request.headers[.origin] else { return true }
        guard let authority = request.head.authority, let start = origin.firstRange(of: "://") else { return false }
        return origin[start.upperBound...].lowercased() == authority.lowercased()
    }

    private static func isHere(_ authority: String?, hosts: Set<String>) -> Bool {
        guard let authority else { return true }
        let host: Substring
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            host = authority[authority.index(after: authority.startIndex)..<end]
        } else {
            host = authority.prefix { $0 != ":" }
        }
        return IPAddress(host) != nil || host.lowercased() == "localhost" || hosts.contains(host.lowercased())
    }

    // MARK: What is said and written

    private static func refusal(_ status: HTTPResponse.Status, _ message: String) -> Response {
        var headers: HTTPFields = [.contentType: "application/json; charset=utf-8"]
        if status == .unauthorized { headers[.wwwAuthenticate] = "Bearer realm=\"baton\"" }
        if status == .tooManyRequests { headers[.retryAfter] = "1" }
        let body = ByteBuffer(string: "{\"error\":{\"message\":\"\(message)\"}}")
        return Response(status: status, headers: headers, body: .init(byteBuffer: body))
    }

    /// The audit log: one line for each request that changes something, or would have.
    private func note(_ request: Request, _ context: AdminContext, _ status: HTTPResponse.Status) {
        audit.notice(
            "a request to change something",
            metadata: [
                "event": "admin_request", "address": .stringConvertible(StrangerAddress(context.address)),
                "token": "\(context.caller.name ?? "none")",
                "method": "\(request.method.rawValue)", "path": "\(request.uri.path)", "status": "\(status.code)",
            ])
    }
}
