import NIOCore
import NIOPosix
import RelayCore
import SOE
import SOESockets

/// An echo server without tasks: it is called on the event loop for each message, which costs nothing but the call.
final class HandlerServer: SOEApplication {
    func receive(_ message: ByteBuffer, on channel: SOEChannel, from peer: PeerID, by driver: SOEDriver) {
        // All answers of this turn of the loop leave together when it ends.
        if driver.send(message, on: channel, to: peer) == .full {
            // It does not read its answers.
            driver.abort(peer, reason: .reliableOverflow)
        }
    }

    func handle(_ event: SOEEvent, by driver: SOEDriver) {
        print(event.message)
    }

    static func run(at endpoint: Endpoint) async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let driver = try await SOEDriver.open(endpoint, configuration: configuration, on: loop) { HandlerServer() }
        print("listening at \(try await loop.submit { driver.value.localEndpoint }.get())")
        while true { try await Task.sleep(for: .seconds(3600)) }
    }
}
