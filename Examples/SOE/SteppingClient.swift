import NIOCore
import RelayCore
import SOE
import SOESockets

#if canImport(Glibc)
    import Glibc
#endif

/// A client that looks at its socket once a frame, as a game does.
enum SteppingClient {
    static func run(to server: Endpoint) throws {
        let socket = try SOESteppingSocket(binding: anyPort, configuration: configuration)
        let peer = try socket.connect(to: server)
        var sent = 1
        socket.send(ByteBuffer(string: "ping \(sent)"), to: peer)
        // A session that has ended says so a few times more before it goes.
        while socket.engine.sessionCount > 0 {
            for event in socket.step() {
                switch event {
                case .message(let message, _, _):
                    print("heard \(String(buffer: message))")
                    sent += 1
                    if sent <= 10 {
                        socket.send(ByteBuffer(string: "ping \(sent)"), to: peer)
                    } else {
                        socket.disconnect(peer)
                    }
                case .session(.closed(_, let reason, _, _)) where reason != .application:
                    throw SOEConnectFailure.refused(reason)
                case .session:
                    break
                }
            }
            socket.flush()
            usleep(16_000)  // the rest of the frame
        }
    }
}
