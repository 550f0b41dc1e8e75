import Hummingbird
import Netplay
import RelayCore

/// `/api/v1/hosts`: the dedicated hosts, to look at, to start and to end.
struct HostRoutes: Sendable {
    let service: DedicatedService

    func add(to api: RouterGroup<AdminContext>) {
        api.get("hosts") { _, _ in
            HostsResponse(hosts: try await service.hosts().map(HostResponse.init))
        }
        api.post("hosts") { request, context in
            let wish = try await HostWish(request, context)
            do {
                let host = HostResponse(try await service.open(wish.request))
                return EditedResponse(status: .created, response: host)
            } catch let refusal as HostingRefusal {
                throw HTTPError(.serviceUnavailable, message: refusal.rawValue)
            } catch let end as HostEnd {
                throw HTTPError(end.isUnknown ? .notFound : .serviceUnavailable, message: end.rawValue)
            }
        }
        api.delete("hosts/:id") { _, context in
            guard try await service.close(context.parameters.require("id")) else { throw HTTPError(.notFound) }
            return HTTPResponse.Status.noContent
        }
    }
}

/// What a caller wants hosted.
private struct HostWish: Decodable {
    var core: String
    /// The content's file name without folder and extension.
    var file: String
    /// For people.
    var game: String?
    /// The content's CRC-32 in hexadecimal digits; any if it is left out.
    var crc: String?

    init(_ request: Request, _ context: AdminContext) async throws {
        self = try await request.decode(as: HostWish.self, context: context)
        guard crc == nil || checksum != nil else {
            throw HTTPError(.badRequest, message: "crc: 8 hexadecimal digits are wanted")
        }
    }

    var request: HostingRequest {
        HostingRequest(coreName: core, gameName: game ?? "", fileName: file, crc: checksum ?? 0)
    }

    private var checksum: UInt32? {
        crc.flatMap { $0.utf8.count == 8 && $0.allSatisfy(\.isHexDigit) ? UInt32($0, radix: 16) : nil }
    }
}

struct HostsResponse: ResponseCodable, Equatable {
    var hosts: [HostResponse]
}

/// One dedicated host.
struct HostResponse: ResponseCodable, Equatable {
    var id: String
    /// `finding`, `opening`, `starting`, `open` or `stopping`.
    var state: String
    var core: String
    var game: String
    var file: String
    var guests: Int
    /// The port guests come to, the host's own or its relay's; absent until it is known.
    var port: UInt16?
    /// The session on the relay, in Base64; absent without one.
    var session: String?
    var seconds: Int

    init(_ snapshot: DedicatedHostSnapshot) {
        id = snapshot.id.description
        state = snapshot.state
        core = snapshot.request.coreName
        game = snapshot.request.gameName
        file = snapshot.request.fileName
        guests = snapshot.guests
        port = snapshot.invitation?.port
        session = snapshot.invitation?.session?.description
        seconds = Int(snapshot.age.components.seconds)
    }
}

extension HostEnd {
    /// Whether what was asked for is not there.
    fileprivate var isUnknown: Bool { self == .unknownCore || self == .unknownContent }
}
