import Hummingbird
import HummingbirdCore
import NIOConcurrencyHelpers
import NIOCore
import Netplay
import RelayCore

/// A request to the lobby, with who asks.
struct LobbyContext: RequestContext {
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
final class LobbyDoor: RouterMiddleware {
    typealias Context = LobbyContext

    private struct State {
        var addresses: CallerAddress
        var requests: RateTable<IPPrefix>
    }

    private let state: NIOLockedValueBox<State>
    private let admission: AdmissionDesk
    private let desk: LobbyDesk

    init(_ section: Configuration.Lobby, admission: AdmissionDesk, desk: LobbyDesk) {
        let addresses = CallerAddress(trustedProxies: section.trustedProxies)
        state = NIOLockedValueBox(State(addresses: addresses, requests: RateTable(rate: section.requests)))
        self.admission = admission
        self.desk = desk
    }

    func reconfigure(_ section: Configuration.Lobby) {
        state.withLockedValue { state in
            state.addresses.trustedProxies = section.trustedProxies
            state.requests.rate = section.requests
        }
    }

    /// Whether a connection is a proxy's that the operator trusts, and so not one of the person behind it.
    func isTrusted(_ address: IPAddress) -> Bool {
        state.withLockedValue { $0.addresses.isTrusted(address) }
    }

    func handle(
        _ request: Request, context: LobbyContext, next: (Request, LobbyContext) async throws -> Response
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
            desk.refused(.tooFast, caller)
            return Response(status: .tooManyRequests)
        }
        // Others were asked for a ban when they connected.
        if caller != connection, admission.isBanned(caller, at: .now) {
            desk.countConnection(refused: .banned)
            return Response(status: .forbidden)
        }
        context.caller = caller
        let response = try await next(request, context)
        desk.count(answered: response.body.contentLength ?? 0)
        return response
    }
}
