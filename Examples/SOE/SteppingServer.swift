import RelayCore
import SOE
import SOESockets

/// An echo server with a loop of its own and no event loop.
enum SteppingServer {
    static func run(at endpoint: Endpoint) throws {
        let socket = try SOESteppingSocket(binding: endpoint, configuration: configuration)
        print("listening at \(socket.localEndpoint)")
        while true {
            // It returns as soon as something happens.
            for event in socket.step(waitingUpTo: .seconds(1)) {
                switch event {
                case .message(let message, let peer, let channel): socket.send(message, on: channel, to: peer)
                case .session(let event): print(event.message)
                }
            }
            socket.flush()
        }
    }
}
