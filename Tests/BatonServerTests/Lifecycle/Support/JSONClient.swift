import Foundation
import NIOCore

extension LifecycleTests {
    /// A client of the JSON relay.
    struct JSONClient {
        var connection: Connection

        init(at address: SocketAddress, from source: String? = nil) async throws {
            connection = try await .open(to: address, from: source)
        }

        /// A client that has taken an id.
        static func named(
            _ id: String, at address: SocketAddress, from source: String? = nil
        ) async throws -> JSONClient {
            let client = try await JSONClient(at: address, from: source)
            try client.send(["payloadType": "INIT", "source": id])
            let reply = try await client.receive()
            guard reply == ["payloadType": "INIT", "destination": id] else { throw UnexpectedMessage(message: reply) }
            return client
        }

        func send(_ message: [String: String]) throws {
            let body = try JSONEncoder().encode(message)
            var frame = ByteBuffer(integer: Int32(body.count))
            frame.writeBytes(body)
            connection.write(frame.readableBytesView)
        }

        func send(_ text: String, to id: String) throws {
            try send(["payloadType": "MESSAGE", "destination": id, "payload": text])
        }

        func receive() async throws -> [String: String] {
            let header = try await connection.read(4)
            let length = header.reduce(0) { $0 << 8 | Int($1) }
            return try JSONDecoder().decode([String: String].self, from: Data(try await connection.read(length)))
        }
    }

    struct UnexpectedMessage: Error {
        var message: [String: String]
    }
}
