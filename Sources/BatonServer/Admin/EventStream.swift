import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// `GET /api/v1/events`: what the log says, as server-sent events.
enum EventStream {
    /// One event, as JSON behind `data:`.
    private struct Body: Encodable {
        var id: UInt64
        var time: String
        var level: String
        var event: String
        var message: String
        var `protocol`: String?
        var peer: String?
        var address: String?
        var reason: String?
        /// Whatever else the line says.
        var fields: [String: String]

        init(_ entry: EventFeed.Entry) {
            (id, time, level, message) = (entry.id, entry.time, entry.level, entry.message)
            var fields = entry.fields
            event = fields.removeValue(forKey: "event") ?? ""
            `protocol` = fields.removeValue(forKey: "protocol")
            peer = fields.removeValue(forKey: "peer")
            address = fields.removeValue(forKey: "address")
            reason = fields.removeValue(forKey: "reason")
            self.fields = fields
        }
    }

    private enum Piece: Sendable {
        case entry(EventFeed.Entry)
        case pause
        case end
    }

    /// How long nothing may be said: proxies end connections that seem dead.
    private static let pause = Duration.seconds(10)

    static func response(to request: Request, feed: EventFeed) throws -> Response {
        let query = request.uri.queryParameters
        let wanted = query["after"].map(String.init) ?? HTTPField.Name("Last-Event-ID").flatMap { request.headers[$0] }
        guard let after = wanted.map({ UInt64($0) }) ?? 0 else {
            throw HTTPError(.badRequest, message: "after: the number of an event")
        }
        guard let entries = feed.entries(after: after) else {
            throw HTTPError(.serviceUnavailable, message: "enough others follow the events already")
        }
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
            body: ResponseBody { writer in
                try await write(entries, to: &writer)
                try await writer.finish(nil)
            })
    }

    private static func write(
        _ entries: AsyncStream<EventFeed.Entry>, to writer: inout any ResponseBodyWriter
    ) async throws {
        let (pieces, source) = AsyncStream.makeStream(of: Piece.self, bufferingPolicy: .bufferingNewest(1000))
        let reading = Task {
            for await entry in entries { source.yield(.entry(entry)) }
            source.yield(.end)
        }
        let pausing = Task {
            while (try? await Task.sleep(for: pause)) != nil { source.yield(.pause) }
        }
        defer {
            reading.cancel()
            pausing.cancel()
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try await writer.write(ByteBuffer(string: ": events\n\n"))
        for await piece in pieces {
            switch piece {
            case .entry(let entry):
                let body = Body(entry)
                let json = String(decoding: try encoder.encode(body), as: UTF8.self)
                try await writer.write(ByteBuffer(string: "id: \(entry.id)\nevent: \(body.event)\ndata: \(json)\n\n"))
            case .pause:
                try await writer.write(ByteBuffer(string: ": still here\n\n"))
            case .end:
                return
            }
        }
    }
}
