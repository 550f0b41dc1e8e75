import Foundation
import Hummingbird
import Netplay
import RelayCore

/// What a player wants to know: whether he can be reached at a port of his, or through a session of a relay.
enum ReachabilityQuestion {
    case port(UInt16)
    case session(TunnelID, LobbyRelay)

    func verdict(for caller: IPAddress, by desk: ReachabilityDesk) async -> ReachabilityVerdict {
        do throws(ReachabilityDesk.Refusal) {
            switch self {
            case .port(let port): return .init(try await desk.ask(port, of: caller), onPort: port)
            case .session(let session, let relay):
                return .init(ofSession: try await desk.ask(session, through: relay, for: caller))
            }
        } catch {
            return ReachabilityVerdict(error)
        }
    }
}

/// `GET /api/v1/reachability`.
struct ReachabilityAnswer: Codable, Equatable {
    /// The address that was asked.
    var address: String?
    var port: UInt16?
    var session: String?
    var reachable = false
    /// A word for programs.
    var result: String
    /// A sentence for people.
    var message: String

    init(result: String, message: String) {
        self.result = result
        self.message = message
    }

    init(_ verdict: ReachabilityVerdict, address: IPAddress, _ question: ReachabilityQuestion) {
        self.init(result: verdict.word.rawValue, message: verdict.sentence)
        reachable = verdict.word == .reachable || verdict.word == .full
        switch question {
        case .port(let number): (self.address, port) = ("\(address)", number)
        case .session(let id, let relay): (self.address, session) = ("\(relay)", "\(id)")
        }
    }

    func response() throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Response(
            status: status, headers: [.contentType: "application/json; charset=utf-8", .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(bytes: try encoder.encode(self) + [UInt8(ascii: "\n")])))
    }

    private var status: HTTPResponse.Status {
        switch ReachabilityVerdict.Word(rawValue: result) {
        case nil: .badRequest
        case .privateAddress: .forbidden
        case .tooOften: .tooManyRequests
        case .busy: .serviceUnavailable
        case .reachable, .full, .stranger, .silent, .unreachable: .ok
        }
    }
}
