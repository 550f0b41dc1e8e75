import Logging
import NIOCore
import Netplay
import RelayCore
import RelayNIO

/// Runs the desk of dedicated hosts on one event loop: hands it what happens, does what it wants done, keeps one timer.
///
/// Confined to its event loop; everything in it is called there.
final class DedicatedDriver {
    let eventLoop: any EventLoop
    let world: DedicatedWorld
    private(set) var engine: DedicatedEngine
    /// Guests and requests, in the shapes every protocol counts in.
    var counters = StreamCounters()
    private(set) var runs: [PeerID: HostRun] = [:]
    /// The sockets that requests come to.
    var sockets: [any Channel] = []
    private var effects: [DedicatedEffect] = []
    private var isPerforming = false
    private var timer: (at: Instant, task: Scheduled<Void>)?
    /// Things begun elsewhere that will still report here.
    private var unreported = 0

    init(engine: DedicatedEngine, world: DedicatedWorld, eventLoop: any EventLoop) {
        self.engine = engine
        self.world = world
        self.eventLoop = eventLoop
    }

    // MARK: Inputs

    func receive(_ datagram: ByteBuffer, from endpoint: Endpoint, socket: Int) {
        counters.bytesReceived &+= UInt64(datagram.readableBytes)
        let isBanned = world.desk.isBanned(endpoint.address, at: .now)
        input { $0.receive(datagram, from: endpoint, isBanned: isBanned, socket: socket, at: .now, into: &$1) }
    }

    /// Opens a host for the operator; the future comes when it takes guests, and fails when it never will.
    func open(_ request: HostingRequest) throws(HostingRefusal) -> (PeerID, EventLoopFuture<Void>) {
        var refusal: HostingRefusal?
        var id: PeerID?
        input { engine, effects in
            do throws(HostingRefusal) {
                id = try engine.open(request, at: .now, into: &effects)
            } catch {
                refusal = error
            }
        }
        if let refusal { throw refusal }
        guard let id, let run = runs[id] else { preconditionFailure("a host without a run") }
        return (id, run.opened.futureResult)
    }

    func close(_ id: PeerID) -> Bool {
        var isKnown = false
        input { isKnown = $0.close(id, at: .now, into: &$1) }
        return isKnown
    }

    func beginDrain() {
        input { $0.drain(at: .now, into: &$1) }
    }

    func endDrain() {
        input { engine, _ in engine.endDrain() }
    }

    func stop() {
        input { $0.stop(at: .now, into: &$1) }
    }

    func reconfigure(_ configuration: DedicatedConfiguration) {
        input { engine, _ in engine.reconfigure(configuration) }
    }

    /// Tells the desk something, and does what it then wants.
    func input(_ body: (inout DedicatedEngine, inout [DedicatedEffect]) -> Void) {
        body(&engine, &effects)
        // Doing one effect can bring the next input: it joins the end of the line.
        guard !isPerforming else { return }
        isPerforming = true
        var index = 0
        while index < effects.count {
            perform(effects[index])
            index += 1
        }
        effects.removeAll()
        isPerforming = false
        armTimer()
    }

    /// Does something elsewhere, and goes on here with what came of it.
    func afterwards<Result: Sendable>(
        _ work: @escaping @Sendable () async -> Result, then: @escaping @Sendable (DedicatedDriver, Result) -> Void
    ) -> Task<Void, Never> {
        unreported += 1
        let driver = NIOLoopBound(self, eventLoop: eventLoop)
        return Task { [eventLoop] in
            let result = await work()
            eventLoop.execute {
                driver.value.unreported -= 1
                then(driver.value, result)
            }
        }
    }

    /// Whether nothing is left that could need the event loop.
    var isAtRest: Bool { runs.isEmpty && unreported == 0 }

    private func armTimer() {
        guard let next = engine.nextDeadline else {
            timer?.task.cancel()
            timer = nil
            return
        }
        if let timer, timer.at <= next { return }
        timer?.task.cancel()
        let driver = NIOLoopBound(self, eventLoop: eventLoop)
        timer = (next, eventLoop.scheduleTask(deadline: next.deadline) { driver.value.timerFired() })
    }

    private func timerFired() {
        timer = nil
        input { $0.advance(to: .now, into: &$1) }
    }

    // MARK: Effects

    private func perform(_ effect: DedicatedEffect) {
        switch effect {
        case .answer(let bytes, to: let asker):
            answer(bytes, to: asker)
        case .find(let id, let request):
            guard let snapshot = engine.snapshot(of: id, at: .now) else { return }
            let run = HostRun(
                id, request, seat: snapshot.seat, opened: eventLoop.makePromise(), output: OutputTail(world.logger(id)))
            runs[id] = run
            find(run)
        case .openDoor(let id, let port):
            guard let run = runs[id] else { return }
            openDoor(of: run, port: port)
        case .launch(let id):
            guard let run = runs[id] else { return }
            launch(run)
        case .probe(let id):
            guard let run = runs[id] else { return }
            probe(run)
        case .announce(let id):
            guard let run = runs[id], let snapshot = engine.snapshot(of: id, at: .now) else { return }
            announce(run, snapshot)
        case .stop(let id):
            guard let run = runs[id] else { return }
            stop(run)
        case .emit(let event):
            counters.events.count(event.name)
            world.log.event(event, event.endpoint)
            heed(event)
        case .refuse(let refusal, from: let endpoint):
            counters.refused.count(refusal.rawValue)
            world.log.requestRefused(endpoint, refusal.rawValue, "a request was turned away")
        }
    }

    /// What an event means for those who wait, and for what is held here.
    private func heed(_ event: DedicatedEvent) {
        switch event {
        case .opened(let id, _):
            runs[id]?.opened.succeed()
        case .stopping(let id, let end):
            if let run = runs[id], end.isFaultOfProgram { logOutput(of: run, end) }
        case .ended(let id, let end):
            runs.removeValue(forKey: id)?.opened.fail(end)
        case .requested, .guestJoined, .guestLeft:
            break
        }
    }

    private func answer(_ bytes: ByteBuffer, to asker: Asker) {
        guard sockets.indices.contains(asker.socket),
            let address = try? SocketAddress(
                ipAddress: "\(asker.endpoint.address)", port: Int(asker.endpoint.port))
        else { return }
        counters.bytesAnswered &+= UInt64(bytes.readableBytes)
        let envelope = AddressedEnvelope(remoteAddress: address, data: bytes)
        sockets[asker.socket].writeAndFlush(envelope, promise: nil)
    }
}
