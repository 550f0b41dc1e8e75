import NIOConcurrencyHelpers
import NIOCore
import Netplay
import RelayCore
import RelayNIO

/// Lets strangers have hosts asked if they answer, so seldom and so restrictedly that it is of no use for scanning ports
/// or annoying others.
final class ReachabilityDesk: Sendable {
    /// Why nobody was asked. The raw value is the word that is counted.
    enum Refusal: String, Error {
        /// The address is none of the internet.
        case privateAddress = "private_address"
        /// The caller, or the one to be asked, had as many questions as allowed.
        case tooOften = "too_often"
        /// As many questions as allowed are open.
        case busy
    }

    private struct State {
        var allowsPrivateTargets = false
        var questions = 0
        var callers = RateTable<IPPrefix>(rate: .init(perSecond: 1, burst: 5))
        var targets = RateTable<IPPrefix>(rate: .init(perSecond: 1, burst: 8))
        var sessions = RateTable<TunnelID>(rate: .init(perSecond: 1, burst: 3))
    }

    private let probe: ReachabilityProbe
    private let state = NIOLockedValueBox(State())

    /// The most questions at a time.
    static let maxQuestions = 128

    init(probe: ReachabilityProbe) {
        self.probe = probe
    }

    func reconfigure(allowsPrivateTargets: Bool) {
        state.withLockedValue { $0.allowsPrivateTargets = allowsPrivateTargets }
    }

    /// Asks a host who has announced a room. The host is the one who called.
    func ask(_ host: Endpoint) async throws(Refusal) -> ReachabilityProbe.Answer {
        try begin { (state: inout State) throws(Refusal) in try Self.admit(host.address, in: &state) }
        defer { end() }
        return await probe.poke(host)
    }

    /// Asks the caller himself, at a port that he names.
    func ask(_ port: UInt16, of caller: IPAddress) async throws(Refusal) -> ReachabilityProbe.Answer {
        try begin { (state: inout State) throws(Refusal) in
            guard state.callers.take(.household(of: caller), at: .now) else { throw .tooOften }
            try Self.admit(caller, in: &state)
        }
        defer { end() }
        return await probe.poke(Endpoint(address: caller, port: port))
    }

    /// Asks the host of a session through its relay, which must be one of the operator's.
    func ask(
        _ session: TunnelID, through relay: LobbyRelay, for caller: IPAddress
    ) async throws(Refusal) -> ReachabilityProbe.Answer {
        try begin { (state: inout State) throws(Refusal) in
            guard state.callers.take(.household(of: caller), at: .now), state.sessions.take(session, at: .now) else {
                throw .tooOften
            }
        }
        defer { end() }
        return await probe.poke(session, through: relay)
    }

    private static func admit(_ target: IPAddress, in state: inout State) throws(Refusal) {
        guard state.allowsPrivateTargets || target.isGlobal else { throw .privateAddress }
        guard state.targets.take(.household(of: target), at: .now) else { throw .tooOften }
    }

    private func begin(_ admit: (inout State) throws(Refusal) -> Void) throws(Refusal) {
        let refusal = state.withLockedValue { state -> Refusal? in
            do throws(Refusal) {
                guard state.questions < Self.maxQuestions else { throw .busy }
                try admit(&state)
                state.questions += 1
                return nil
            } catch {
                return error
            }
        }
        if let refusal { throw refusal }
    }

    private func end() {
        state.withLockedValue { $0.questions -= 1 }
    }
}
