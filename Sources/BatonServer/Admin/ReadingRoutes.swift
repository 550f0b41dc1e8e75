import Hummingbird
import RelayCore

/// The part of `/api/v1` that looks at the server.
struct ReadingRoutes: Sendable {
    let overview: Overview

    func add(to api: RouterGroup<AdminContext>) {
        api.get("status") { [overview] _, context in try await StatusResponse(overview, caller: context.caller) }
        api.get("history") { [overview] request, _ in
            HistoryResponse(overview.history, since: request.uri.queryParameters.get("since", as: Int64.self) ?? 0)
        }
        api.get("listeners") { [overview] _, _ in try await ListenersResponse(overview.statuses()) }
        api.get("rooms") { request, _ in try await RoomsResponse(relays(of: request)) }
        api.get("events") { [overview] request, _ in try EventStream.response(to: request, feed: overview.events) }
        api.get("peers") { request, _ in try await PeersResponse(relays(of: request)) }
    }

    /// The relays that a request is about: all, or that of `?protocol=`.
    private func relays(of request: Request) -> [any Relay] {
        guard let name = request.uri.queryParameters["protocol"] else { return overview.relays }
        return overview.relays.filter { $0.name == name }
    }
}
