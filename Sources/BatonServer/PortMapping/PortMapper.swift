package import NIOCore
import NIOPosix
import RelayCore
import RelayNIO

/// Has ports of this machine let in by the router in front of it, renews that while it is needed and takes it back.
///
/// The mappings live until `stop`, which must be called; where they are needed for the time of one task, `withMapping`
/// is simpler. All calls are safe from any task. What blocks happens on a thread of its own.
package final class PortMapper: Sendable {
    private typealias FirstOutcome = Result<ExternalPort, PortMappingFailure>

    private struct State {
        var engine: PortMappingEngine
        var gateway: (any Gateway)?
        var timer: Scheduled<Void>?
        /// Who waits for the first outcome of a mapping, by its index.
        var waiting: [Int: EventLoopPromise<FirstOutcome>] = [:]
        var stopping: EventLoopPromise<Void>?
    }

    private let eventLoop: any EventLoop
    private let state: NIOLoopBoundBox<State>
    private let thread = NIOThreadPool(numberOfThreads: 1)
    private let finder: any GatewayFinder
    private let onEvent: @Sendable (PortMappingEvent) -> Void

    /// - Parameters:
    ///   - lease: how long the router keeps a mapping that is not renewed, in whole seconds. It is renewed when five
    ///     sixths of that are over.
    ///   - eventLoop: must run until `stop` has returned.
    ///   - onEvent: is told everything, on the event loop; must not block.
    package init(
        lease: Duration = .seconds(60), eventLoop: any EventLoop, finder: any GatewayFinder = UPnPFinder(),
        onEvent: @escaping @Sendable (PortMappingEvent) -> Void = { _ in }
    ) {
        self.eventLoop = eventLoop
        self.finder = finder
        self.onEvent = onEvent
        state = .makeBoxSendingValue(State(engine: PortMappingEngine(lease: lease)), eventLoop: eventLoop)
        thread.start()
    }

    /// Maps one port for as long as `body` runs, which is told where the world reaches it or why it does not. When this
    /// returns, the mapping has been taken back.
    package static func withMapping<Value>(
        _ mapping: PortMapping, lease: Duration = .seconds(60), eventLoop: any EventLoop,
        finder: any GatewayFinder = UPnPFinder(),
        onEvent: @escaping @Sendable (PortMappingEvent) -> Void = { _ in },
        _ body: (Result<ExternalPort, PortMappingFailure>) async throws -> Value
    ) async rethrows -> Value {
        let mapper = PortMapper(lease: lease, eventLoop: eventLoop, finder: finder, onEvent: onEvent)
        let first = await withTaskCancellationHandler {
            await mapper.firstOutcome(of: mapping)
        } onCancel: {
            mapper.beginStop()
        }
        do {
            let value = try await body(first)
            await mapper.stop()
            return value
        } catch {
            await mapper.stop()
            throw error
        }
    }

    /// Maps one more port. Returns where the world reaches it, or throws why it does not; either way it is tried again
    /// whenever it is not let in.
    package func map(_ mapping: PortMapping) async throws(PortMappingFailure) -> ExternalPort {
        try await firstOutcome(of: mapping).get()
    }

    /// Takes all mappings back and returns when that is done, after some seconds at most. A second call waits for the
    /// first one's end.
    package func stop() async {
        beginStop()
        try? await eventLoop.flatSubmit { self.stopped() }.get()
    }

    package func statuses() async -> [PortMappingStatus] {
        (try? await eventLoop.submit { self.state.value.engine.statuses }.get()) ?? []
    }

    /// Maps one more port and does not wait.
    package func add(_ mapping: PortMapping) {
        eventLoop.execute {
            self.update { engine, effects in _ = engine.add(mapping, at: .now, into: &effects) }
        }
    }

    private func firstOutcome(of mapping: PortMapping) async -> FirstOutcome {
        let first = eventLoop.makePromise(of: FirstOutcome.self)
        eventLoop.execute {
            var effects: [PortMappingEngine.Effect] = []
            if let index = self.state.value.engine.add(mapping, at: .now, into: &effects) {
                self.state.value.waiting[index] = first
            } else {
                first.succeed(.failure(.stopping))
            }
            self.perform(effects)
        }
        return (try? await first.futureResult.get()) ?? .failure(.stopping)
    }

    private func beginStop() {
        eventLoop.execute {
            if self.state.value.stopping == nil { self.state.value.stopping = self.eventLoop.makePromise() }
            self.update { engine, effects in engine.stop(at: .now, into: &effects) }
        }
    }

    private func stopped() -> EventLoopFuture<Void> {
        state.value.stopping?.futureResult ?? eventLoop.makeSucceededVoidFuture()
    }

    // MARK: The event loop's side

    /// Gives the engine an input and does what it wants done.
    private func update(_ input: (inout PortMappingEngine, inout [PortMappingEngine.Effect]) -> Void) {
        var effects: [PortMappingEngine.Effect] = []
        input(&state.value.engine, &effects)
        perform(effects)
    }

    private func perform(_ effects: [PortMappingEngine.Effect]) {
        for effect in effects {
            switch effect {
            case .ask(let question): ask(question)
            case .emit(let event): tell(event)
            case .finish: finish()
            }
        }
        armTimer()
    }

    private func ask(_ question: PortMappingEngine.Question) {
        let (finder, gateway) = (finder, state.value.gateway)
        thread.runIfActive(eventLoop: eventLoop) {
            Self.answer(question, gateway, finder)
        }.whenSuccess { gateway, answer in
            self.state.value.gateway = gateway
            self.update { engine, effects in engine.answered(answer, at: .now, into: &effects) }
        }
    }

    /// Blocks. Returns the router that is to be asked next time.
    private static func answer(
        _ question: PortMappingEngine.Question, _ gateway: (any Gateway)?, _ finder: any GatewayFinder
    ) -> ((any Gateway)?, PortMappingEngine.Answer) {
        do throws(PortMappingFailure) {
            switch question {
            case .find:
                return (try finder.find(), .success(nil))
            case .add(let entry):
                guard let gateway else { throw .noGateway }
                return (gateway, .success(try gateway.add(entry)))
            case .remove(let transport, let port):
                guard let gateway else { throw .noGateway }
                try gateway.remove(transport, externalPort: port)
                return (gateway, .success(nil))
            }
        } catch {
            return (gateway, .failure(error))
        }
    }

    private func tell(_ event: PortMappingEvent) {
        onEvent(event)
        let first: FirstOutcome
        switch event.outcome {
        case .mapped(let external): first = .success(external)
        case .failed(let failure, isNews: _): first = .failure(failure)
        case .renewed, .notRenewed, .lost, .removed, .left: return
        }
        state.value.waiting.removeValue(forKey: event.index)?.succeed(first)
    }

    private func armTimer() {
        state.value.timer?.cancel()
        state.value.timer = state.value.engine.nextDeadline.map { next in
            eventLoop.scheduleTask(deadline: next.deadline) {
                self.update { engine, effects in engine.advance(to: .now, into: &effects) }
            }
        }
    }

    /// The thread may still be in a search that nobody waits for; it ends after that.
    private func finish() {
        thread.shutdownGracefully { _ in }
        for (_, first) in state.value.waiting { first.succeed(.failure(.stopping)) }
        state.value.waiting = [:]
        state.value.stopping?.succeed()
    }
}
