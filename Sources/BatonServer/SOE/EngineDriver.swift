import NIOCore
import RelayCore
import RelayNIO

/// Runs one engine over datagrams on one socket, for the tools of the command line.
///
/// Confined to its event loop; everything in it is called there but `open`.
final class EngineDriver<Engine: DatagramEngine>: DatagramReceiver {
    let port: DatagramPort
    private(set) var engine: Engine
    private var outbox = DatagramOutbox()
    private let onTurn: (borrowing Engine) -> Void
    private lazy var timer = LoopTimer(eventLoop: port.eventLoop) { [unowned self] in endTurn() }

    private init(engine: Engine, port: DatagramPort, onTurn: @escaping (borrowing Engine) -> Void) {
        self.engine = engine
        self.port = port
        self.onTurn = onTurn
    }

    /// Opens a socket, and makes the engine that has it.
    ///
    /// - Parameter onTurn: looks at the engine after each turn.
    static func open(
        _ address: SocketAddress, on eventLoop: any EventLoop, makeEngine: @escaping @Sendable () -> Engine,
        onTurn: @escaping @Sendable (borrowing Engine) -> Void
    ) async throws -> NIOLoopBound<EngineDriver> {
        let port = try await DatagramPort.open(address, on: eventLoop) { port in
            EngineDriver(engine: makeEngine(), port: port, onTurn: onTurn)
        }
        return try await eventLoop.submit {
            guard let driver = port.value.receiver as? EngineDriver else { throw ChannelError.ioOnClosedChannel }
            return NIOLoopBound(driver, eventLoop: eventLoop)
        }.get()
    }

    /// Does something to the engine, and what follows from it.
    func act(_ change: (inout Engine, inout DatagramOutbox) -> Void) {
        change(&engine, &outbox)
        endTurn()
    }

    func receive(_ datagram: ByteBuffer, from endpoint: Endpoint, on port: DatagramPort) {
        engine.receive(datagram, from: endpoint, at: .now, into: &outbox)
    }

    func endTurn(of port: DatagramPort) {
        endTurn()
    }

    func closed(_ port: DatagramPort, error: (any Error)?) {
        timer.cancel()
    }

    private func endTurn() {
        // What an engine makes of its own effects needs another turn at once.
        for _ in 0..<8 {
            engine.advance(to: .now, into: &outbox)
            if outbox.datagramCount > 0 { port.send(outbox) }
            outbox.removeAll()
            guard let next = engine.nextDeadline, next <= .now else { break }
        }
        timer.arm(engine.nextDeadline)
        onTurn(engine)
    }
}
