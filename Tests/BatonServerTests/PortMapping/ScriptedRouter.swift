import NIOConcurrencyHelpers
import RelayCore

@testable import BatonServer

/// A router that does what a test tells it to, and writes down what it was asked.
final class ScriptedRouter: Gateway, GatewayFinder {
    struct State {
        var asked: [PortMappingEngine.Question] = []
        var entries: [UInt16: GatewayEntry] = [:]
        /// Why it fails, as long as it does.
        var findFailure: PortMappingFailure?
        var addFailure: PortMappingFailure?
        var taken: Set<UInt16> = []
    }

    let state: NIOLockedValueBox<State>
    /// Blocks each search; what a search waits for is the caller's business.
    private let onFind: @Sendable () -> Void

    init(_ state: State = State(), onFind: @escaping @Sendable () -> Void = {}) {
        self.state = NIOLockedValueBox(state)
        self.onFind = onFind
    }

    var asked: [PortMappingEngine.Question] { state.withLockedValue { $0.asked } }
    var ports: [UInt16] { state.withLockedValue { $0.entries.keys.sorted() } }

    func find() throws(PortMappingFailure) -> any Gateway {
        onFind()
        let failure = state.withLockedValue { state in
            state.asked.append(.find)
            return state.findFailure
        }
        if let failure { throw failure }
        return self
    }

    func add(_ entry: GatewayEntry) throws(PortMappingFailure) -> IPAddress? {
        let failure: PortMappingFailure? = state.withLockedValue { state in
            state.asked.append(.add(entry))
            if let failure = state.addFailure { return failure }
            if state.taken.contains(entry.externalPort) { return .portTaken }
            state.entries[entry.externalPort] = entry
            return nil
        }
        if let failure { throw failure }
        return ExternalPort.sampleAddress
    }

    func remove(_ transport: PortMapping.Transport, externalPort: UInt16) throws(PortMappingFailure) {
        let entry = state.withLockedValue { state in
            state.asked.append(.remove(transport, externalPort: externalPort))
            return state.entries.removeValue(forKey: externalPort)
        }
        if entry == nil { throw .noSuchEntry }
    }
}
