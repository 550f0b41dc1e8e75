import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    /// A listener that speaks HTTP, as `curl` talks to it: a connection for each request.
    struct Web {
        var address: SocketAddress

        struct Reply {
            var status: Int
            var headers: [String: String]
            var body: String

            func decode<Content: Decodable>(_ type: Content.Type) throws -> Content {
                try JSONDecoder().decode(type, from: Data(body.utf8))
            }
        }

        /// - Parameter source: the address to come from.
        func request(
            _ method: String, _ path: String, headers: [(String, String)] = [], body: String? = nil,
            host: String = "localhost", from source: String? = nil
        ) async throws -> Reply {
            let connection = try await Connection.open(to: address, from: source)
            var fields = [("Host", host), ("Connection", "close")] + headers
            if let body { fields.append(("Content-Length", "\(body.utf8.count)")) }
            let head = fields.map { "\($0.0): \($0.1)\r\n" }.joined()
            connection.write("\(method) \(path) HTTP/1.1\r\n\(head)\r\n\(body ?? "")".utf8)
            let text = String(buffer: try await connection.readToEnd())
            let end = try #require(text.firstRange(of: "\r\n\r\n"), "the answer to \(method) \(path) was: \(text)")
            let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
            let status = try #require(lines[0].split(separator: " ").dropFirst().first.flatMap { Int($0) })
            var answered: [String: String] = [:]
            for line in lines.dropFirst() {
                let parts = line.split(separator: ":", maxSplits: 1)
                answered[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
            }
            return Reply(status: status, headers: answered, body: String(text[end.upperBound...]))
        }
    }
}
