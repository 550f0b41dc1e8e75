package import RelayCore

/// What a probe found out.
package struct ProbeReport: Sendable {
    /// The raw values are exit codes as monitoring systems know them.
    package enum Verdict: Int32, Sendable {
        /// Everything answers.
        case ok = 0
        /// It works, but slowly, with losses, or not at every address.
        case degraded = 1
        /// It does not work.
        case failed = 2

        package var word: String {
            switch self {
            case .ok: "ok"
            case .degraded: "degraded"
            case .failed: "failed"
            }
        }
    }

    /// What one address of the host gave.
    package struct Address: Sendable {
        package var endpoint: Endpoint
        package var verdict = Verdict.failed
        /// In a word: `answers`, `lossy`, `slow`, or a `ProbeFailure.Reason`.
        package var word = ""
        package var sentence = ""
        /// Until exchanges could begin; `nil` if it never came to that.
        package var handshake: Duration?
        /// Of the exchanges that were answered, in their order.
        package var roundTrips: [Duration] = []
        package var sent = 0
        package var details: [String: String] = [:]

        init(_ endpoint: Endpoint) {
            self.endpoint = endpoint
        }

        package var mean: Duration? {
            roundTrips.isEmpty ? nil : roundTrips.reduce(.zero, +) / roundTrips.count
        }

        /// The part of the exchanges that was not answered, from 0 to 1.
        package var loss: Double {
            sent == 0 ? 0 : Double(sent - roundTrips.count) / Double(sent)
        }

        mutating func fail(_ failure: ProbeFailure) {
            (verdict, word, sentence) = (.failed, failure.reason.rawValue, failure.sentence)
        }

        mutating func judge(slow: Duration) {
            guard let mean else { return fail(ProbeFailure(.silent, "the handshake succeeds, and then nothing comes")) }
            if roundTrips.count < sent {
                (verdict, word) = (.degraded, "lossy")
                sentence = "\(sent - roundTrips.count) of \(sent) answers are missing"
            } else if mean > slow {
                (verdict, word) = (.degraded, "slow")
                sentence = "the mean round trip is over \(slow)"
            } else {
                (verdict, word, sentence) = (.ok, "answers", "it works")
            }
        }
    }

    package var `protocol`: String
    package var host: RemoteHost
    /// Why no address was asked.
    package var failure: ProbeFailure?
    package var addresses: [Address]

    init(protocol name: String, host: RemoteHost, failure: ProbeFailure? = nil, addresses: [Address] = []) {
        self.protocol = name
        self.host = host
        self.failure = failure
        self.addresses = addresses
    }

    /// Players use whichever address their machine prefers: one that fails is no failure of all, but nothing to leave so.
    package var verdict: Verdict {
        let verdicts = addresses.map(\.verdict.rawValue)
        guard let best = verdicts.min(), let worst = verdicts.max() else { return .failed }
        if best == Verdict.failed.rawValue { return .failed }
        return worst == Verdict.ok.rawValue ? .ok : .degraded
    }
}
