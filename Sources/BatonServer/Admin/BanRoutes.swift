import Foundation
import Hummingbird
import RelayCore

/// `/api/v1/bans`: who is kept out.
struct BanRoutes: Sendable {
    let overview: Overview

    private static let longestImport = 64 << 20

    func add(to api: RouterGroup<AdminContext>) {
        api.get("bans") { [overview] request, _ in
            let all = BanResponse.all(of: overview)
            guard let text = request.uri.queryParameters["newest"] else { return BansResponse(bans: all) }
            guard let newest = Int(text), newest >= 0 else {
                throw HTTPError(.badRequest, message: "newest: how many bans, at most")
            }
            return BansResponse(bans: all.suffix(newest))
        }
        api.post("bans") { request, context in
            let ban = try await RequestBody(request, context).decode(NewBan.self).ban(by: context.caller)
            try await make([ban])
            return EditedResponse(status: .created, response: BanResponse(ban))
        }
        api.post("bans/import") { request, context in
            let list = try await RequestBody(request, context, limit: Self.longestImport).decode(BanImport.self)
            // Those that are over, and those of a configuration, are nothing to be made.
            let date = Timestamp.now()
            let bans = try list.bans.filter { $0.source ?? "api" == "api" }.map { try $0.ban(by: context.caller) }
                .filter { !$0.isOver(at: date) }
            try await make(bans)
            return ImportResponse(made: bans.count, left: list.bans.count - bans.count)
        }
        api.get("bans/:id") { [overview] _, context in
            let id = try context.parameters.require("id")
            guard let ban = BanResponse.all(of: overview).first(where: { $0.id == id }) else { throw Self.unknown }
            return ban
        }
        api.delete("bans/:id") { [overview] _, context in
            let id = try context.parameters.require("id")
            if await overview.bans.remove(id) { return HTTPResponse.Status.noContent }
            guard BanResponse.all(of: overview).contains(where: { $0.id == id }) else { throw Self.unknown }
            throw HTTPError(.conflict, message: "this ban stands in the configuration: take it out there, and reload")
        }
    }

    private static var unknown: HTTPError { HTTPError(.notFound, message: "there is no such ban") }

    private func make(_ bans: [Ban]) async throws {
        do {
            try await overview.bans.add(bans)
        } catch BanDesk.Refusal.tooMany {
            throw HTTPError(.conflict, message: "there are \(BanDesk.most) bans at most")
        } catch BanDesk.Refusal.tooManyPatterns {
            throw HTTPError(
                .conflict, message: "there are \(BanDesk.mostPatterns) patterns with * or ? at most")
        }
    }
}

/// `POST /api/v1/bans`, and one ban of an import.
struct NewBan: APIRequest {
    static let members = [
        "subject", "value", "protocol", "reason", "expires", "id", "author", "created", "source",
    ]

    var subject: Ban.Subject
    var value: String
    var `protocol`: String?
    var reason: String?
    /// As in RFC 3339.
    var expires: String?
    /// Of a list that was exported.
    var author: String?
    var created: String?
    var source: String?

    /// Throws `HTTPError` if it says what cannot be.
    func ban(by caller: AdminCaller) throws -> Ban {
        if subject == .address, `protocol` != nil {
            throw HTTPError(.badRequest, message: "protocol: an address is banned from every protocol")
        }
        guard let target = Ban.Target(subject, value, protocolName: `protocol`) else {
            let advice =
                subject == .address ? "an address or a block such as 203.0.113.0/24" : "1 to 256 bytes of visible text"
            throw HTTPError(.badRequest, message: "value: it takes \(advice)")
        }
        let texts = [reason ?? "", author ?? "", `protocol` ?? ""]
        guard texts.allSatisfy({ $0.utf8.count <= Ban.longestText }) else {
            throw HTTPError(.badRequest, message: "a text is longer than \(Ban.longestText) bytes")
        }
        return Ban(
            id: Ban.newID(), target: target, reason: reason ?? "", author: author ?? caller.name ?? "",
            created: try created.map { try date($0, "created") } ?? .now(),
            expires: try expires.map { try date($0, "expires") })
    }

    private func date(_ text: String, _ name: String) throws -> Timestamp {
        guard let date = try? Timestamp(setting: text) else {
            throw HTTPError(.badRequest, message: "\(name): a date such as 2030-01-31T12:00:00Z")
        }
        return date
    }
}

/// `POST /api/v1/bans/import`: what `GET /api/v1/bans` answered somewhere.
struct BanImport: APIRequest {
    static let members = ["bans"]

    var bans: [NewBan]
}

struct ImportResponse: ResponseCodable, Equatable {
    /// Bans that are in force now.
    var made: Int
    /// Those that are over, or stood in a configuration.
    var left: Int
}

struct BansResponse: ResponseCodable, Equatable {
    var bans: [BanResponse]
}

struct BanResponse: ResponseCodable, Equatable {
    var id: String
    /// `address`, `name` or `room`.
    var subject: String
    var value: String
    /// Absent for every protocol.
    var `protocol`: String?
    var reason: String
    var author: String
    /// Absent for one of the configuration.
    var created: String?
    /// Absent for ever.
    var expires: String?
    /// `api` or `configuration`.
    var source: String

    init(_ ban: Ban) {
        (id, subject, value) = (ban.id, ban.target.subject.rawValue, ban.target.value)
        (`protocol`, reason, author) = (ban.target.protocolName, ban.reason, ban.author)
        (created, expires) = (ban.created.description, ban.expires?.description)
        source = "api"
    }

    init(_ ban: Configuration.Ban) {
        (id, subject, value) = ("configuration:\(ban.address)", Ban.Subject.address.rawValue, "\(ban.address)")
        (reason, author, expires) = (ban.reason, "", ban.expires?.description)
        source = "configuration"
    }

    static func all(of overview: Overview) -> [BanResponse] {
        let date = Timestamp.now()
        let configured = overview.reloader.running.bans.filter { $0.expires.map { $0 > date } ?? true }
        return configured.map { BanResponse($0) } + overview.bans.all.map { BanResponse($0) }
    }
}
