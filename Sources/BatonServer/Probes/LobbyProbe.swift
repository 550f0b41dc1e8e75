import AsyncHTTPClient
import NIOCore
import NIOHTTP1
package import RelayCore

/// Asks a lobby for its list of rooms, again and again over one connection.
package struct LobbyProbe: ProbeClient {
    package static let name = "lobby"

    package init() {}

    package func open(
        _ endpoint: Endpoint, of host: RemoteHost, within limit: Duration
    ) async throws(ProbeFailure) -> any ProbeSession {
        var session = LobbySession(endpoint, of: host, connectingWithin: limit)
        do throws(ProbeFailure) {
            try await session.exchange(0, within: limit)
        } catch {
            await session.close()
            throw error
        }
        return session
    }
}

private struct LobbySession: ProbeSession {
    private static let largestList = 16 << 20

    private let client: HTTPClient
    private let address: String
    private(set) var details: [String: String] = [:]

    init(_ endpoint: Endpoint, of host: RemoteHost, connectingWithin limit: Duration) {
        var configuration = HTTPClient.Configuration.singletonConfiguration
        configuration.timeout.connect = TimeAmount(limit)
        configuration.connectionPool.retryConnectionEstablishment = false
        // A name is asked for by its own name, at the one address that is probed.
        configuration.dnsOverride = [host.name: "\(endpoint.address)"]
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        address = "http://\(host)/list"
    }

    mutating func exchange(_ number: Int, within limit: Duration) async throws(ProbeFailure) {
        let list: LobbyClient.RoomList?
        do {
            let response = try await client.execute(HTTPClientRequest(url: address), timeout: TimeAmount(limit))
            guard response.status == .ok else {
                throw ProbeFailure(.refused, "the lobby answers with status \(response.status.code)")
            }
            list = LobbyClient.RoomList(try await response.body.collect(upTo: Self.largestList))
        } catch {
            throw Self.failure(error)
        }
        guard let list else { throw ProbeFailure(.stranger, "what answers speaks HTTP, but gives no list of rooms") }
        details = ["rooms": "\(list.rooms.count)"]
        if list.malformed > 0 { details["malformed"] = "\(list.malformed)" }
    }

    mutating func close() async {
        try? await client.shutdown()
    }

    private static func failure(_ error: any Error) -> ProbeFailure {
        switch error {
        case let failure as ProbeFailure: failure
        case let error as HTTPClientError where [.deadlineExceeded, .readTimeout].contains(error):
            ProbeFailure(.silent, "the connection is taken, but no answer comes")
        case let error as HTTPClientError where error == .remoteConnectionClosed:
            ProbeFailure(.hungUp, "the server ends the connection without an answer")
        case is HTTPParserError, is NIOTooManyBytesError:
            ProbeFailure(.stranger, "something answers, but it is no lobby")
        default:
            ProbeFailure(.unreachable, "no connection: \(ConnectFailure.words(for: error))")
        }
    }
}
