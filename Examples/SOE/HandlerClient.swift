import NIOCore
import NIOPosix
import RelayCore
import SOE
import SOESockets

/// A client without tasks: each answer makes it send the next message.
final class HandlerClient: SOEApplication {
    private let done: EventLoopPromise<DisconnectReason>
    private var sent = 0

    init(done: EventLoopPromise<DisconnectReason>) {
        self.done = done
    }

    func handle(_ event: SOEEvent, by driver: SOEDriver) {
        switch event {
        case .opened(let peer, _): ping(peer, by: driver)
        case .closed(_, let reason, _, _): done.succeed(reason)
        case .writable, .remapped: break
        }
    }

    func receive(_ message: ByteBuffer, on channel: SOEChannel, from peer: PeerID, by driver: SOEDriver) {
        print("heard \(String(buffer: message))")
        if sent < 10 { ping(peer, by: driver) } else { driver.disconnect(peer) }
    }

    private func ping(_ peer: PeerID, by driver: SOEDriver) {
        sent += 1
        driver.send(ByteBuffer(string: "ping \(sent)"), to: peer)
    }

    static func run(to server: Endpoint) async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let done = loop.makePromise(of: DisconnectReason.self)
        let driver = try await SOEDriver.open(anyPort, configuration: configuration, on: loop) {
            HandlerClient(done: done)
        }
        try await loop.submit { _ = try driver.value.connect(to: server) }.get()
        let reason = try await done.futureResult.get()
        try await loop.submit { driver.value.close() }.get()
        guard reason == .application else { throw SOEConnectFailure.refused(reason) }
    }
}
