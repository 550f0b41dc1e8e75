import NIOCore
import NIOPosix
import RelayCore

/// Runs one engine over datagrams on one socket, for the tools of the command line.
///
/// Confined to its event loop; everything in it is called there.
final class EngineDriver<Engine: DatagramEngine> {
    let port: DatagramPort
    private(set) var engine: Engine
    private var outbox = DatagramOutbox()
    private let onTurn: (borrowing Engine) -> Void
    private lazy var timer = LoopTimer(eventLoop: port.eventLoop) { [unowned self] in endTurn() }

    /// - Parameter onTurn: looks at the engine after each turn.
    init(engine: Engine, eventLoop: any EventLoop, onTurn: @escaping (borrowing Engine) -> Void) {
        self.engine = engine
        self.onTurn = onTurn
        port = DatagramPort(eventLoop: eventLoop)
        port.receiver = DatagramPort.Receiver(
            receive: { [unowned self] datagram, endpoint in
                self.engine.receive(datagram, from: endpoint, at: .now, into: &outbox)
            },
            endTurn: { [unowned self] in endTurn() }
        )
    }

    /// Does something to the engine, and what follows from it.
    func act(_ change: (inout Engine, inout DatagramOutbox) -> Void) {
        change(&engine, &outbox)
        endTurn()
    }

    func stop() {
        timer.cancel()
        port.receiver = nil
    }

    private func endTurn() {
        // What an engine makes of its own effects needs another turn at once.
        for _ in 0..<8 {
            engine.advance(to: .now, into: &outbox)
            drainOutbox()
            guard let next = engine.nextDeadline, next <= .now else { break }
        }
        timer.arm(engine.nextDeadline)
        onTurn(engine)
    }

    private func drainOutbox() {
        for index in 0..<outbox.datagramCount {
            let (datagram, endpoint) = outbox.datagram(at: index)
            port.send(datagram, to: endpoint)
        }
        port.flush()
        outbox.removeAll()
    }
}
