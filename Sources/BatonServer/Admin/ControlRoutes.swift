import Foundation
import Hummingbird
import RelayCore

/// The part of `/api/v1` that changes what the server does.
struct ControlRoutes: Sendable {
    let overview: Overview

    func add(to api: RouterGroup<AdminContext>) {
        api.delete("peers/:protocol/:peer") { _, context in try await kick(context) }
        api.delete("rooms/:protocol/:room") { _, context in try await closeRoom(context) }
        api.get("drain") { _, _ in try await drainStatus() }
        api.post("drain") { request, context in
            let wish = try await RequestBody(request, context).decode(NewDrain.self, orIfEmpty: NewDrain())
            return EditedResponse(status: .accepted, response: try await beginDrain(wish))
        }
        api.delete("drain") { _, _ in try await endDrain() }
        api.post("reload") { _, _ in try await reload() }
        api.get("log-level") { [overview] _, _ in LogLevelBody(level: overview.logSettings.level.rawValue) }
        api.put("log-level") { request, context in
            try setLogLevel(try await RequestBody(request, context).decode(LogLevelBody.self))
        }
    }

    // MARK: Peers and rooms

    private func kick(_ context: AdminContext) async throws -> HTTPResponse.Status {
        let relay = try relay(of: context)
        guard let peer = PeerID(try context.text("peer")), try await relay.kick(peer, for: .kicked) else {
            throw HTTPError(.notFound, message: "no such peer is connected")
        }
        return .noContent
    }

    private func closeRoom(_ context: AdminContext) async throws -> HTTPResponse.Status {
        guard try await relay(of: context).closeRoom(context.text("room")) else {
            throw HTTPError(.notFound, message: "no such room is open")
        }
        return .noContent
    }

    private func relay(of context: AdminContext) throws -> any Relay {
        let name = try context.text("protocol")
        guard let relay = overview.relays.first(where: { $0.name == name }) else {
            throw HTTPError(.notFound, message: "no such protocol is served")
        }
        return relay
    }

    // MARK: The drain

    private func drainStatus() async throws -> DrainResponse { DrainResponse(try await overview.drain.status()) }

    private func beginDrain(_ wish: NewDrain) async throws -> DrainResponse {
        guard (0...604_800).contains(wish.timeoutSeconds ?? 0) else {
            throw HTTPError(.badRequest, message: "timeoutSeconds: between 0 and 604800")
        }
        let timeout = wish.timeoutSeconds.map { Duration.seconds($0) } ?? overview.reloader.running.drainTimeout
        try await overview.drain.begin(timeout: timeout)
        return try await drainStatus()
    }

    private func endDrain() async throws -> DrainResponse {
        do {
            try await overview.drain.end()
        } catch is Drain.NotDraining {
            throw HTTPError(.conflict, message: "no drain is under way")
        }
        return try await drainStatus()
    }

    // MARK: The configuration

    private func reload() async throws -> ReloadResponse {
        do {
            return ReloadResponse(restartNeeded: try await overview.reloader.reload())
        } catch {
            throw HTTPError(.unprocessableContent, message: "\(error)")
        }
    }

    private func setLogLevel(_ wish: LogLevelBody) throws -> LogLevelBody {
        guard let level = Configuration.Log.Level(rawValue: wish.level) else {
            let levels = Configuration.Log.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw HTTPError(.badRequest, message: "level: one of \(levels)")
        }
        overview.logSettings.level = level
        return LogLevelBody(level: level.rawValue)
    }
}

extension AdminContext {
    /// A part of the path, decoded.
    fileprivate func text(_ name: String) throws -> String {
        guard let text = try parameters.require(name).removingPercentEncoding else {
            throw HTTPError(.badRequest, message: "\(name): the percent-encoding is wrong")
        }
        return text
    }
}
