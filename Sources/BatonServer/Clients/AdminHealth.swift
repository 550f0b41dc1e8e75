import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import RelayCore

/// Asks the admin listener of a server on this machine how it is.
package struct AdminHealth: Sendable {
    package enum Question: String, Sendable {
        case alive = "livez"
        case ready = "readyz"
    }

    package struct Answer: Sendable, Equatable {
        package var isHealthy: Bool
        package var sentence: String
    }

    private static let patience = TimeAmount.seconds(5)

    private let host: RemoteHost

    /// - Parameter configuration: the server's.
    /// - Throws: `BatonError` if it has no admin listener, or lets the system choose its port.
    package init(_ configuration: Configuration) throws {
        guard let admin = configuration.admin else {
            throw BatonError(.configuration, "the configuration has no section admin, so nobody can be asked")
        }
        guard let endpoint = admin.listen.first(where: { $0.port != 0 }), let host = RemoteHost(nearby: endpoint) else {
            throw BatonError(.configuration, "admin.listen leaves the port to the system, so nobody knows whom to ask")
        }
        self.init(of: host)
    }

    /// - Parameter host: an admin listener.
    init(of host: RemoteHost) {
        self.host = host
    }

    package func ask(_ question: Question) async -> Answer {
        var configuration = HTTPClient.Configuration.singletonConfiguration
        configuration.timeout.connect = Self.patience
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let answer: Answer
        do {
            let request = HTTPClientRequest(url: "http://\(host)/\(question.rawValue)")
            let response = try await client.execute(request, timeout: Self.patience)
            let body = try await response.body.collect(upTo: 4096)
            let text = TerminalText.clean(String(buffer: body), atMost: 80)
            answer = Answer(isHealthy: response.status == .ok, sentence: "\(host): \(text)")
        } catch {
            answer = Answer(isHealthy: false, sentence: "\(host): \(ConnectFailure.words(for: error))")
        }
        try? await client.shutdown()
        return answer
    }
}
