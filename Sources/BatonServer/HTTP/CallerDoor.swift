import Hummingbird
import HummingbirdCore
import NIOConcurrencyHelpers
import NIOCore
import RelayCore
import RelayNIO

/// A request, with who asks.
struct CallerContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// At first whom the connection comes from, behind the door whom a trusted proxy asks for.
    var caller: IPAddress

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        // A connection that is gone by now has no address, and nobody who waits for an answer.
        caller = source.channel.remoteAddress?.endpoint?.address ?? .anyIPv6
    }
}

/// Finds out who asks, and turns away who is banned or asks too often.
final class CallerDoor: RouterMiddleware {
    typealias Context = CallerContext

    /// What becomes of a request.
    enum Outcome: Sendable {
        /// Somebody asks too often.
        case tooFast(IPAddress)
        /// Who asks is banned.
        case banned
        case answered(bytes: Int)
    }

    private struct State {
        var addresses: CallerAddress
        var requests: RateTable<IPPrefix>
    }

    private let state: NIOLockedValueBox<State>
    private let admission: AdmissionDesk
    private let observe: @Sendable (Outcome) -> Void

    /// - Parameters:
    ///   - trustedProxies: proxies whose headers about whom they ask for are believed.
    ///   - requests: how often one IPv4 address or IPv6 /64 may ask.
    ///   - observe: told of every request once.
    init(
        trustedProxies: [IPPrefix], requests: TokenBucket.Rate, admission: AdmissionDesk,
        observe: @escaping @Sendable (Outcome) -> Void
    ) {
        let addresses = CallerAddress(trustedProxies: trustedProxies)
        state = NIOLockedValueBox(State(addresses: addresses, requests: RateTable(rate: requests)))
        self.admission = admission
        self.observe = observe
    }

    func reconfigure(trustedProxies: [IPPrefix], requests: TokenBucket.Rate) {
        state.withLockedValue { state in
            state.addresses.trustedProxies = trustedProxies
            state.requests.rate = requests
        }
    }

    /// Whether a connection is a proxy's that the operator trusts, and so not one of the person behind it.
    func isTrusted(_ address: IPAddress) -> Bool {
        state.withLockedValue { $0.addresses.isTrusted(address) }
    }

    func handle(
        _ request: Request, context: CallerContext, next: (Request, CallerContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        let connection = context.caller
        let forwardedFor = request.headers.filter { $0.name.canonicalName == "x-forwarded-for" }.map(\.value)
        let realIP = request.headers.first { $0.name.canonicalName == "x-real-ip" }?.value
        let (caller, isInTime) = state.withLockedValue { state in
            let caller = state.addresses.resolve(connection: connection, forwardedFor: forwardedFor, realIP: realIP)
            return (caller, state.requests.take(.household(of: caller), at: .now))
        }
        guard isInTime else {
            observe(.tooFast(caller))
            return Response(status: .tooManyRequests)
        }
        if let ban = admission.ban(of: caller, at: .now) {
            observe(.banned)
            return Response(
                status: .forbidden, headers: [.contentType: "text/plain; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: Removal.banned(reason: ban.reason).words + "\n")))
        }
        context.caller = caller
        let response = try await next(request, context)
        observe(.answered(bytes: response.body.contentLength ?? 0))
        return response
    }
}
