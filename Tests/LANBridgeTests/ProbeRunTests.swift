import LANBridge
import RelayCore
import Testing

@Suite("The doctor's probes")
struct ProbeRunTests {
    private let mac = MACAddress(bits: 0x0200_0000_0001)
    private let gateway = MACAddress(bits: 0x0200_0000_0002)

    private func run(_ seed: UInt64) -> ProbeRun {
        var random = RandomSource.seeded(seed)
        return ProbeRun(mac: mac, gateway: gateway, random: &random)
    }

    /// What a gateway makes of a request: the kind of the record becomes that of an answer.
    private func answer(_ request: [UInt8], seen: UInt8) -> [UInt8] {
        var answer = request
        let record = request[12] == 0x81 ? 44 : 14
        answer[record + 5] = 4
        answer[record + 24] = seen
        return answer
    }

    @Test("every kind is asked for until its answer has come", arguments: ProbeVariant.allCases)
    func answers(variant: ProbeVariant) {
        var run = run(1)
        #expect(run.missing == ProbeVariant.allCases)
        let request = run.request(variant)
        run.receive(request.span.bytes)
        #expect(run.missing.contains(variant), "its own request is no answer")
        run.receive(answer(request, seen: ProbeMask(variant).rawValue).span.bytes)
        #expect(!run.missing.contains(variant))
        #expect(run.arrived == ProbeMask(variant))
        #expect(run.missing.count == ProbeVariant.allCases.count - 1)
    }

    @Test("another run's answers are not this one's")
    func otherRun() {
        var run = run(1)
        run.receive(answer(self.run(2).request(.broadcast), seen: 0xFF).span.bytes)
        #expect(run.missing == ProbeVariant.allCases)
        #expect(run.arrived == [])
    }

    @Test("full-size frames are as long as a LAN's can be, and go to the gateway alone")
    func fullSize() {
        let frame = run(1).request(.full)
        #expect(frame.count == 1514)
        #expect(Array(frame.prefix(6)) == [2, 0, 0, 0, 0, 2])
        #expect(Array(frame[6..<12]) == [2, 0, 0, 0, 0, 1])
    }

    @Test("nothing that is cut short counts or traps", arguments: ProbeVariant.allCases)
    func truncated(variant: ProbeVariant) {
        var run = run(1)
        let whole = answer(run.request(variant), seen: 0)
        for length in 0..<46 where length < whole.count { run.receive(Array(whole.prefix(length)).span.bytes) }
        if variant == .full { run.receive(Array(whole.dropLast()).span.bytes) }
        #expect(run.missing == ProbeVariant.allCases)
    }
}
