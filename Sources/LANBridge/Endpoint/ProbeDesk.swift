import RelayCore

/// Answers the doctor's probes at the gateway, and remembers which of a run have come.
struct ProbeDesk {
    private struct Run {
        var number: UInt64
        var from: MACAddress
        var seen: ProbeMask
    }

    private let mac: MACAddress
    private var runs: [Run] = []
    private var answers: TokenBucket

    private static let maxRuns = 16
    private static let rate = TokenBucket.Rate(perSecond: 20, burst: 60)

    init(mac: MACAddress, at now: Instant) {
        self.mac = mac
        answers = TokenBucket(at: now)
    }

    /// The answer to a request, sent as the request was.
    mutating func answer(_ request: ProbeFrame, to client: MACAddress, at now: Instant) -> [UInt8]? {
        guard answers.take(at: now, rate: Self.rate) else { return nil }
        var run = Run(number: request.first, from: client, seen: [])
        if let index = runs.firstIndex(where: { $0.number == request.first && $0.from == client }) {
            run = runs.remove(at: index)
        }
        run.seen.insert(ProbeMask(request.variant))
        runs.append(run)
        if runs.count > Self.maxRuns { runs.removeFirst() }
        var answer = ProbeFrame(kind: .answer, variant: request.variant, first: run.number)
        answer.seen = run.seen
        return answer.bytes(from: mac, to: request.variant.destination(else: client))
    }
}

extension ProbeVariant {
    /// Where frames of the kind go; full-size ones go to one machine, once it is known.
    func destination(else station: MACAddress) -> MACAddress {
        switch self {
        case .broadcast, .ipx: .broadcast
        case .multicast: ProbeFrame.group
        case .full: station
        }
    }
}
