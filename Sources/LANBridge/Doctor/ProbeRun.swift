public import RelayCore

/// The doctor's side of a run of probes: frames of each kind that games are found by go to the gateway, whose answers
/// come back the same way.
public struct ProbeRun: Sendable {
    /// Which kinds the gateway has seen, and which of its answers have come.
    public private(set) var arrived = ProbeMask()
    public private(set) var answered = ProbeMask()

    private let number: UInt64
    private let mac: MACAddress
    private let gateway: MACAddress

    /// - Parameters:
    ///   - mac: the card that sends the probes.
    ///   - gateway: the room's gateway, as it was announced.
    public init(mac: MACAddress, gateway: MACAddress, random: inout RandomSource) {
        self.mac = mac
        self.gateway = gateway
        number = random.next()
    }

    /// The kinds whose answers are missing.
    public var missing: [ProbeVariant] { ProbeVariant.allCases.filter { !answered.contains(ProbeMask($0)) } }

    /// The probe of one kind, as a frame of the card's.
    public func request(_ variant: ProbeVariant) -> [UInt8] {
        ProbeFrame(kind: .request, variant: variant, first: number)
            .bytes(from: mac, to: variant.destination(else: gateway))
    }

    /// A frame came to the card; it counts if it is an answer of this run's.
    public mutating func receive(_ frame: RawSpan) {
        guard let probe = ProbeFrame(frame), probe.kind == .answer, probe.first == number else { return }
        answered.insert(ProbeMask(probe.variant))
        arrived.formUnion(probe.seen)
    }
}
