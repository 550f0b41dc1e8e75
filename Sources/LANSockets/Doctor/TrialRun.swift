import CLinuxNet
import LANBridge
import RelayCore

/// Joins a room for a moment, without a card, to see whether it can be joined and whether frames come back.
package final class TrialRun {
    private var probes: ProbeRun?
    private let mac: MACAddress
    private var next: Instant?
    private var rounds = 0
    private var gateway: MACAddress?
    private var hasJoined = false
    private var trouble: EndReport.Trouble?
    private let end: Instant
    private let wake: CInt

    private static let patience = Duration.milliseconds(3500)
    private static let round = Duration.milliseconds(250)
    private static let maxRounds = 6

    private init(mac: MACAddress) throws(NetworkFailure) {
        self.mac = mac
        end = .now + Self.patience
        wake = try NetworkFailure.check(clinuxnet_wake_open(), "make an event counter")
    }

    deinit { Descriptor.close(wake) }

    /// Returns what was found. Needs no privilege.
    package static func run(_ end: LANEnd) throws -> [Finding] {
        var findings: [Finding] = []
        let addresses = end.relay.addresses.map(\.address)
        let failures = addresses.compactMap { address -> NetworkFailure? in
            do throws(NetworkFailure) { _ = try Route.best(to: address) } catch { return error }
            return nil
        }
        if let failure = failures.first, failures.count == addresses.count {
            return [.bad("route", "no-route", "\(failure)", "is this machine on the internet?")]
        }
        findings.append(.good("route", "this machine has a route to the relay"))
        let trial = try TrialRun(mac: end.endpoint.mac)
        var observer = EndDriver.Observer()
        observer.note = { trial.note($0) }
        let driver = try EndDriver(
            end.endpoint, card: .trial(trial), relay: end.relay, routes: nil, random: .system, observer: observer)
        let reason = try driver.run(stop: trial.wake)
        if reason.word == "untrusted" { trial.trouble = .init(code: reason.word, sentence: reason.sentence) }
        return findings + trial.findings
    }

    private var findings: [Finding] {
        guard hasJoined else { return [Finding(trouble: trouble)] }
        let joined = Finding.good("relay", "the room can be joined")
        guard let probes else {
            return [
                joined,
                .bad(
                    "gateway", "no-gateway", "the room has no gateway, so there is no LAN in it",
                    "somebody at the party has to run 'baton lan gateway'"),
            ]
        }
        guard probes.missing.isEmpty else { return [joined] + probes.findings }
        return [
            joined, .good("frames", "broadcast, multicast, IPX and full-size frames reach the gateway and come back"),
        ]
    }

    private func note(_ event: any EngineEvent) {
        guard let event = event as? LANEndpointEvent else { return }
        if let trouble = EndReport.Trouble(event) { self.trouble = trouble }
        switch event {
        case .joined:
            hasJoined = true
            // Who is there is told right after the welcome.
            next = .now + .milliseconds(100)
        case .peerJoined(let notice) where notice.role == .gateway:
            gateway = notice.mac
            var random = RandomSource.system
            probes = probes ?? ProbeRun(mac: mac, gateway: notice.mac, random: &random)
        case .refused: finish()
        default: break
        }
    }

    private func finish() { clinuxnet_wake(wake) }

    // MARK: In place of a card

    var nextDeadline: Instant { next ?? end }

    /// Frames to be sent now.
    func due(at now: Instant) -> [[UInt8]] {
        guard now >= nextDeadline else { return [] }
        guard let probes, !probes.missing.isEmpty, rounds < Self.maxRounds, now < end else {
            next = now + .seconds(1)
            finish()
            return []
        }
        rounds += 1
        next = now + Self.round
        return probes.missing.map { probes.request($0) }
    }

    func receive(_ frame: UnsafeRawBufferPointer) {
        probes?.receive(frame.bytes)
        if probes?.missing.isEmpty ?? false { next = .now }
    }
}
