import RelayCore
import Testing

@testable import BatonServer

/// Any order of silence, refusals, restarts and rival machines.
@Suite struct PortMappingSimulationTests {
    /// A router that keeps its list as UPnP says.
    private struct Router {
        struct Line {
            var owner: String
            var expires: Instant
        }

        var lines: [UInt16: Line] = [:]
        var isPermanentOnly: Bool

        mutating func answer(_ question: PortMappingEngine.Question, at now: Instant) -> PortMappingEngine.Answer {
            lines = lines.filter { $0.value.expires > now }
            switch question {
            case .find: return .success(nil)
            case .add(let entry):
                let owner = lines[entry.externalPort]?.owner ?? entry.mapping.name
                guard owner == entry.mapping.name else { return .failure(.portTaken) }
                if isPermanentOnly, entry.leaseSeconds > 0 { return .failure(.onlyPermanentLeases) }
                let expires =
                    entry.leaseSeconds == 0 ? Instant.zero + .seconds(1 << 40) : now + .seconds(entry.leaseSeconds)
                lines[entry.externalPort] = Line(owner: owner, expires: expires)
                return .success(ExternalPort.sampleAddress)
            case .remove(_, let port):
                return lines.removeValue(forKey: port) == nil ? .failure(.noSuchEntry) : .success(nil)
            }
        }

        func ports(of names: [String]) -> [UInt16] {
            lines.filter { names.contains($0.value.owner) }.keys.sorted()
        }
    }

    private static let names = ["json", "netplay"]

    @Test(arguments: 0..<100 as Range<UInt64>)
    func whatItSaysIsSoAndWhatItLeavesIsClean(seed: UInt64) throws {
        var random = RandomSource.seeded(seed)
        var router = Router(isPermanentOnly: Int.random(in: 0..<4, using: &random) == 0)
        var timeline = PortMappingTimeline()
        for name in Self.names { timeline.add(.sample(name, port: 5300)) }
        for _ in 0..<200 {
            try Self.step(&timeline, &router, &random)
            // While a renewal is asked for, the lease before it may just have ended.
            guard timeline.question == nil else { continue }
            #expect(Set(timeline.held).isSubset(of: router.ports(of: Self.names)), "seed \(seed)")
        }
        // A router that works again has all of it after a minute, and nothing of it after a stop.
        router.lines = router.lines.filter { $0.value.owner != "rival" }
        let settled = timeline.now + .seconds(200)
        while timeline.now < settled { try Self.obey(&timeline, &router) }
        #expect(timeline.held.count == 2, "seed \(seed)")
        timeline.stop()
        while !timeline.isFinished { try Self.obey(&timeline, &router) }
        #expect(timeline.held.isEmpty && router.ports(of: Self.names).isEmpty, "seed \(seed)")
    }

    /// Something goes wrong, or it goes on.
    private static func step(
        _ timeline: inout PortMappingTimeline, _ router: inout Router, _ random: inout RandomSource
    ) throws {
        switch Int.random(in: 0..<10, using: &random) {
        case 0 where timeline.question != nil:
            let delay = Duration.milliseconds(Int.random(in: 0...6000, using: &random))
            timeline.fail(
                [.noAnswer, .noGateway, .refused(code: 501, meaning: "")][Int.random(in: 0..<3, using: &random)],
                after: delay)
        case 1:
            let port = UInt16.random(in: 5300...5303, using: &random)
            if router.lines[port] == nil {
                router.lines[port] = Router.Line(owner: "rival", expires: timeline.now + .seconds(30))
            }
        default:
            try obey(&timeline, &router)
        }
    }

    private static func obey(_ timeline: inout PortMappingTimeline, _ router: inout Router) throws {
        if let question = timeline.question {
            timeline.answer(router.answer(question, at: timeline.now))
        } else {
            _ = try timeline.advance()
        }
    }
}
