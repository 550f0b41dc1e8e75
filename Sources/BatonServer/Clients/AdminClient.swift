import AsyncHTTPClient
package import Foundation
import NIOCore
import NIOHTTP1

/// Asks a server's API.
package struct AdminClient: Sendable {
    /// The server said no.
    package struct Refusal: Error, CustomStringConvertible {
        package var status: UInt
        package var message: String

        package var description: String { "\(message) (status \(status))" }
    }

    private static let patience = TimeAmount.seconds(30)
    private static let largestAnswer = 256 << 20

    private let address: String
    private let token: Secret?

    /// - Parameters:
    ///   - server: where its admin listener is, such as `127.0.0.1:9550`; `http://` may be left out.
    ///   - token: what it must be shown, if anything.
    package init(server: String, token: Secret?) {
        let address = server.contains("://") ? server : "http://\(server)"
        self.address = address.hasSuffix("/") ? String(address.dropLast()) : address
        self.token = token
    }

    /// The body of the answer; empty where there is nothing to say.
    ///
    /// - Parameter path: below `/api/v1/`, each part percent-encoded.
    /// - Throws: `BatonError` if the server cannot be asked, `Refusal` if it says no.
    package func send(_ method: String, _ path: String, json: Data? = nil) async throws -> Data {
        var configuration = HTTPClient.Configuration.singletonConfiguration
        configuration.timeout.connect = Self.patience
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let result: Result<Data, any Error>
        do {
            result = .success(try await answer(of: client, method, path, json))
        } catch let refusal as Refusal {
            result = .failure(refusal)
        } catch {
            result = .failure(
                BatonError(.unavailable, "\(address) cannot be asked: \(ConnectFailure.words(for: error))"))
        }
        try? await client.shutdown()
        return try result.get()
    }

    /// Hands over the data of each server-sent event until the stream ends.
    package func follow(_ path: String, _ tell: (Data) -> Void) async throws {
        var request = HTTPClientRequest(url: "\(address)/api/v1/\(path)")
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token.text)") }
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: .singletonConfiguration)
        do {
            let response = try await client.execute(request, deadline: .distantFuture)
            guard response.status == .ok else {
                throw Refusal(status: response.status.code, message: response.status.reasonPhrase)
            }
            var line = Data()
            for try await piece in response.body {
                for byte in piece.readableBytesView {
                    guard byte == UInt8(ascii: "\n") else {
                        line.append(byte)
                        continue
                    }
                    if line.starts(with: Data("data: ".utf8)) { tell(line.dropFirst(6)) }
                    line.removeAll(keepingCapacity: true)
                }
            }
            try await client.shutdown()
        } catch let refusal as Refusal {
            try? await client.shutdown()
            throw refusal
        } catch {
            try? await client.shutdown()
            throw BatonError(.unavailable, "\(address) cannot be followed: \(ConnectFailure.words(for: error))")
        }
    }

    /// One part of a path, whatever it holds.
    package static func part(_ text: String) -> String {
        let plain = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        return text.addingPercentEncoding(withAllowedCharacters: plain) ?? text
    }

    private func answer(of client: HTTPClient, _ method: String, _ path: String, _ json: Data?) async throws -> Data {
        var request = HTTPClientRequest(url: "\(address)/api/v1/\(path)")
        request.method = HTTPMethod(rawValue: method)
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token.text)") }
        if let json {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: json))
        }
        let response = try await client.execute(request, timeout: Self.patience)
        let body = Data(try await response.body.collect(upTo: Self.largestAnswer).readableBytesView)
        guard (200..<300).contains(response.status.code) else {
            let message = (try? JSONDecoder().decode(Complaint.self, from: body))?.error.message
            throw Refusal(status: response.status.code, message: message ?? response.status.reasonPhrase)
        }
        return body
    }

    private struct Complaint: Decodable {
        struct Content: Decodable {
            var message: String
        }

        var error: Content
    }
}
