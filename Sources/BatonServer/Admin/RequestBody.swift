import Foundation
import Hummingbird
import NIOCore

/// The body of a request to the API: one JSON object of known members.
struct RequestBody {
    /// Requests are short, but for imports.
    static let limit = 64 << 10

    private let bytes: ByteBuffer

    init(_ request: Request, _ context: AdminContext, limit: Int = Self.limit) async throws {
        do {
            bytes = try await request.body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw HTTPError(.contentTooLarge, message: "the body is longer than \(limit) bytes")
        }
    }

    /// Reads the object. Without a body, `empty` is what it says, if there is such a thing.
    func decode<Content: APIRequest>(
        _ type: Content.Type, orIfEmpty empty: Content? = nil
    ) throws -> Content {
        if bytes.readableBytes == 0, let empty { return empty }
        let data = Data(bytes.readableBytesView)
        guard let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else {
            throw HTTPError(.badRequest, message: "the body is no JSON object")
        }
        if let stranger = object.keys.sorted().first(where: { !Content.members.contains($0) }) {
            let members = Content.members.joined(separator: ", ")
            throw HTTPError(.badRequest, message: "'\(stranger)' is not known here; it takes \(members)")
        }
        if let absent = object.sorted(by: { $0.key < $1.key }).first(where: { $0.value is NSNull }) {
            throw HTTPError(.badRequest, message: "\(absent.key) is null; leave it out instead")
        }
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch DecodingError.keyNotFound(let key, _) {
            throw HTTPError(.badRequest, message: "\(key.stringValue) is missing")
        } catch let DecodingError.typeMismatch(_, context), let DecodingError.dataCorrupted(context) {
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw HTTPError(.badRequest, message: "\(path): \(context.debugDescription)")
        } catch {
            throw HTTPError(.badRequest, message: "the body cannot be read")
        }
    }
}

/// What a request to the API may say.
protocol APIRequest: Decodable {
    /// The names of its members.
    static var members: [String] { get }
}

/// `POST /api/v1/drain`.
struct NewDrain: APIRequest {
    static let members = ["timeoutSeconds"]

    var timeoutSeconds: Int?
}

/// `/api/v1/log-level`, asked and answered.
struct LogLevelBody: APIRequest, ResponseCodable, Equatable {
    static let members = ["level"]

    var level: String
}
