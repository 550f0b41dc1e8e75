import CLinuxNet
import Glibc
import LANBridge
import RelayCore

/// Sends a run of probes through the virtual card of a running `baton lan join`, as if its machine's games did.
struct CardProbe {
    private static let round = Duration.milliseconds(250)
    private static let rounds = 5

    /// Returns the run when all answers have come, or no more will.
    static func run(_ run: ProbeRun, on link: Link) throws(NetworkFailure) -> ProbeRun {
        var run = run
        let card = try LANCard(link)
        for _ in 0..<rounds where !run.missing.isEmpty {
            for variant in run.missing { run.request(variant).withUnsafeBytes { card.write($0) } }
            card.flush()
            let end = Instant.now + round
            while !run.missing.isEmpty, .now < end {
                clinuxnet_wait_readable(card.descriptor, max(0, end.since(.now)))
                _ = card.read(atMost: 64) { run.receive($0.bytes) }
            }
        }
        return run
    }
}
