import RelayCore
import Testing

@testable import BatonServer

extension PortMapping {
    static func sample(
        _ name: String = "netplay", _ transport: Transport = .tcp, port: UInt16 = 55435,
        external: ClosedRange<UInt16>? = nil
    ) -> PortMapping {
        PortMapping(
            name: name, transport: transport, target: Endpoint(address: IPAddress(ipv4: 0), port: port),
            externalPorts: external ?? port...(port + 9))
    }
}

extension ExternalPort {
    /// At 203.0.113.7, which sample routers say is theirs.
    static func sample(_ port: UInt16) -> ExternalPort {
        ExternalPort(address: sampleAddress, port: port)
    }

    static let sampleAddress = IPAddress(ipv4: 0xCB00_7107)
}

/// The engine in virtual time: what it asks waits until the test answers.
struct PortMappingTimeline {
    private(set) var engine: PortMappingEngine
    private(set) var now = Instant.zero
    private(set) var question: PortMappingEngine.Question?
    private(set) var isFinished = false
    private var events: [PortMappingEvent.Outcome] = []

    init(lease: Duration = .seconds(60)) {
        engine = PortMappingEngine(lease: lease)
    }

    /// What the router would be asked to add: port and lease.
    var added: [Int64] {
        if case .add(let entry) = question { [Int64(entry.externalPort), entry.leaseSeconds] } else { [] }
    }

    var held: [UInt16] { engine.statuses.compactMap { $0.external?.port } }

    mutating func add(_ mapping: PortMapping = .sample()) {
        run { engine, now, effects in _ = engine.add(mapping, at: now, into: &effects) }
    }

    mutating func stop() {
        run { $0.stop(at: $1, into: &$2) }
    }

    mutating func answer(_ answer: PortMappingEngine.Answer, after delay: Duration = .zero) {
        now = now + delay
        question = nil
        run { $0.answered(answer, at: $1, into: &$2) }
    }

    mutating func found() {
        #expect(question == .find)
        answer(.success(nil))
    }

    mutating func succeed() {
        answer(.success(ExternalPort.sampleAddress))
    }

    mutating func fail(_ failure: PortMappingFailure, after delay: Duration = .zero) {
        answer(.failure(failure), after: delay)
    }

    /// Lets time pass as far as the next deadline, and returns how much that was.
    mutating func advance() throws -> Duration {
        let next = try #require(engine.nextDeadline)
        let passed = max(.zero, next - now)
        now = max(now, next)
        run { $0.advance(to: $1, into: &$2) }
        return passed
    }

    mutating func advance(by duration: Duration) {
        now = now + duration
        run { $0.advance(to: $1, into: &$2) }
    }

    /// What happened since the last call.
    mutating func takeEvents() -> [PortMappingEvent.Outcome] {
        defer { events = [] }
        return events
    }

    private mutating func run(
        _ input: (inout PortMappingEngine, Instant, inout [PortMappingEngine.Effect]) -> Void
    ) {
        var effects: [PortMappingEngine.Effect] = []
        input(&engine, now, &effects)
        for effect in effects {
            #expect(!isFinished, "\(effect) after the end")
            switch effect {
            case .ask(let next):
                #expect(question == nil, "\(next) while \(String(describing: question)) is not answered")
                question = next
            case .emit(let event): events.append(event.outcome)
            case .finish:
                isFinished = true
                question = nil
            }
        }
    }
}
