import LANBridge
import LANSockets
import NIOCore
import NIOPosix
package import QUICTransport
package import RelayCore

/// Says hello to a LAN relay, for a room that nobody is in. Each exchange is a connection of its own, with its handshake.
package struct LANRelayProbe: ProbeClient {
    package static let name = "lan"

    private let trust: ServerTrust

    /// - Parameter fingerprint: of the relay's certificate; without it, an authority must have signed that.
    package init(fingerprint: CertificateFingerprint?) {
        trust = fingerprint.map { .pinned($0) } ?? .systemAuthorities
    }

    package func open(
        _ endpoint: Endpoint, of host: RemoteHost, within limit: Duration
    ) async throws(ProbeFailure) -> any ProbeSession {
        var session = LANProbeSession(
            relay: RelayTarget(name: host.name, addresses: [endpoint], trust: trust), endpoint: endpoint)
        try await session.exchange(0, within: limit)
        return session
    }
}

private struct LANProbeSession: ProbeSession {
    let relay: RelayTarget
    let endpoint: Endpoint
    private(set) var details: [String: String] = [:]

    init(relay: RelayTarget, endpoint: Endpoint) {
        self.relay = relay
        self.endpoint = endpoint
    }

    mutating func exchange(_ number: Int, within limit: Duration) async throws(ProbeFailure) {
        let (relay, endpoint) = (relay, endpoint)
        let answer: Result<RelayGreeting.Answer, RelayGreeting.Failure>
        do {
            answer = try await NIOThreadPool.singleton.runIfActive {
                do throws(RelayGreeting.Failure) {
                    return .success(
                        try RelayGreeting.run(relay, at: endpoint, number: .random(in: 0 ... .max), within: limit))
                } catch {
                    return .failure(error)
                }
            }
        } catch {
            throw ProbeFailure(.unreachable, "\(error)")
        }
        switch answer {
        case .success(let answer): try judge(answer)
        case .failure(let failure): throw Self.failure(failure)
        }
    }

    func close() async {}

    /// A relay that lets nobody into a room it does not know is in its right, and there.
    private mutating func judge(_ answer: RelayGreeting.Answer) throws(ProbeFailure) {
        if ["banned", "draining", "server_full", "server_stopping", "bad_version"].contains(answer.code) {
            throw ProbeFailure(.refused, "the relay refuses: \(TerminalText.clean(answer.sentence, atMost: 200))")
        }
        details["answer"] = answer.code
        if let time = answer.roundTrip {
            let tenths = Int((time / .microseconds(100)).rounded())
            details["quic_round_trip_ms"] = "\(tenths / 10).\(tenths % 10)"
        }
    }

    private static func failure(_ failure: RelayGreeting.Failure) -> ProbeFailure {
        switch failure {
        case .network(let failure): ProbeFailure(.unreachable, "\(failure)")
        case .silent: ProbeFailure(.silent, "no answer comes; a server that is not there says nothing either")
        case .ended(let words): ProbeFailure(.hungUp, "the connection comes about and ends: \(words)")
        case .untrusted(let words):
            ProbeFailure(
                .refused, "its certificate is not the one expected (\(words)); give a room's link, which names it")
        case .stranger(let words): ProbeFailure(.stranger, "something answers, but it is no LAN relay: \(words)")
        }
    }
}
