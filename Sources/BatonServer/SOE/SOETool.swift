import NIOCore
import NIOPosix
package import RelayCore
import RelayNIO
package import SOE
package import SOETools
import UnixSignals

/// The tools of the command line that speak SOE.
package enum SOETool {
    /// How long sessions have to end after the end was asked for.
    private static let farewell = Duration.seconds(1)

    /// Serves echoes until a signal ends it. Throws `BatonError` if the address cannot be had.
    package static func echo(
        _ parameters: SOEParameters, on endpoint: Endpoint, onListening: (Endpoint) -> Void
    ) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let seat = try await EngineSeat(on: endpoint) { EchoEngine(parameters: parameters) }
        onListening(seat.endpoint)
        for await _ in signals { break }
        try await seat.act { $0.stop(at: .now, into: &$1) }
        _ = try await seat.close(within: farewell, result: { $0.echoed }) { $0.sessions.sessionCount == 0 }
    }

    /// Plays a client to its end, or until a signal, and says what came of it.
    package static func ping(_ plan: PingEngine.Plan, to server: Endpoint) async throws -> PingEngine.Result {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let address = server.address.ipv4 == nil ? IPAddress.anyIPv6 : IPAddress(ipv4: 0)
        let (turns, end) = AsyncStream<Void>.makeStream()
        let seat = try await EngineSeat(on: Endpoint(address: address, port: 0)) {
            PingEngine(plan: plan)
        } onTurn: { engine in
            if engine.isFinished { end.finish() }
        }
        try await seat.act { $0.connect(to: server, at: .now, into: &$1) }
        await withTaskGroup { group in
            group.addTask { for await _ in turns {} }
            group.addTask { for await _ in signals { break } }
            await group.next()
            group.cancelAll()
        }
        try await seat.act { if !$0.isFinished { $0.stop(at: .now, into: &$1) } }
        return try await seat.close(within: farewell, result: { $0.result }) { $0.isFinished }
    }
}

/// One engine on one socket.
private struct EngineSeat<Engine: DatagramEngine>: Sendable {
    let endpoint: Endpoint
    private let driver: NIOLoopBound<EngineDriver<Engine>>
    private let eventLoop: any EventLoop

    init(
        on endpoint: Endpoint, makeEngine: @escaping @Sendable () -> Engine,
        onTurn: @escaping @Sendable (borrowing Engine) -> Void = { _ in }
    ) async throws {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        do {
            let address = try SocketAddress(ipAddress: "\(endpoint.address)", port: Int(endpoint.port))
            driver = try await EngineDriver.open(address, on: eventLoop, makeEngine: makeEngine, onTurn: onTurn)
        } catch {
            throw BatonError.binding(endpoint, for: "soe", error)
        }
        self.eventLoop = eventLoop
        let driver = driver
        self.endpoint = try await eventLoop.submit { driver.value.port.endpoint }.get()
    }

    func act(_ change: @escaping @Sendable (inout Engine, inout DatagramOutbox) -> Void) async throws {
        let driver = driver
        try await eventLoop.submit { driver.value.act(change) }.get()
    }

    func look<Value: Sendable>(_ look: @escaping @Sendable (Engine) -> Value) async throws -> Value {
        let driver = driver
        return try await eventLoop.submit { look(driver.value.engine) }.get()
    }

    /// Closes the socket when the engine has finished, or when the time is over.
    func close<Value: Sendable>(
        within limit: Duration, result: @escaping @Sendable (Engine) -> Value,
        when isFinished: @escaping @Sendable (Engine) -> Bool
    ) async throws -> Value {
        let deadline = ContinuousClock.now + limit
        while try await !look(isFinished), ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(10))
        }
        let value = try await look(result)
        let driver = driver
        try await eventLoop.submit { driver.value.port.close() }.get()
        return value
    }
}
