import LDN
import NIOCore
package import RelayCore

/// Shakes hands with an LDN master and scans for networks, as an emulator does that looks for a game.
package struct LDNMasterProbe: ProbeClient {
    package static let name = "ldn"

    package init() {}

    package func open(
        _ endpoint: Endpoint, of host: RemoteHost, within limit: Duration
    ) async throws(ProbeFailure) -> any ProbeSession {
        var configuration = LDNClientConfiguration()
        configuration.userName = "baton probe"
        configuration.handshakeTimeout = limit
        configuration.scanTimeout = limit
        let connection: LDNConnection
        do {
            connection = try await LDNConnection.connect(
                to: endpoint, configuration: configuration, connectTimeout: limit)
        } catch {
            let words = (error as? LDNConnection.NotConnected)?.reason ?? ConnectFailure.words(for: error)
            throw ProbeFailure(.unreachable, "no connection: \(words)")
        }
        do {
            _ = try await connection.ready()
            return LDNMasterSession(connection: connection)
        } catch {
            await connection.close()
            throw LDNMasterSession.failure(error)
        }
    }
}

private struct LDNMasterSession: ProbeSession {
    let connection: LDNConnection
    private(set) var details: [String: String] = [:]

    init(connection: LDNConnection) {
        self.connection = connection
    }

    mutating func exchange(_ number: Int, within limit: Duration) async throws(ProbeFailure) {
        do {
            let networks = try await connection.scan()
            details = ["networks": "\(networks.count)"]
        } catch {
            throw Self.failure(error)
        }
    }

    func close() async { await connection.close() }

    static func failure(_ error: any Error) -> ProbeFailure {
        switch error as? LDNClientFailure {
        case .refused(let error): ProbeFailure(.refused, "the master refuses: \(error.sentence)")
        case .timeout: ProbeFailure(.silent, "the connection is taken, but no answer comes")
        case .badStream: ProbeFailure(.stranger, "something answers, but it is no LDN master")
        case .connectionEnded, .disconnected, .closedHere: ProbeFailure(.hungUp, "the server ends the connection")
        case .notNow, .wrongPlace, .tooLong, nil: ProbeFailure(.stranger, "\(error)")
        }
    }
}
