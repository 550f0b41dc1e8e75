import RelayCore
import SOE
import SOESockets

/// An echo server with tasks: `run` keeps the socket going, a loop over `events` is the application.
enum AsyncServer {
    static func run(at endpoint: Endpoint) async throws {
        let socket = try await SOESocket.bind(endpoint, configuration: configuration)
        print("listening at \(socket.localEndpoint)")
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await socket.run() }
            for await event in socket.events {
                switch event {
                case .message(let message, let peer, let channel):
                    // It waits while too much waits for this peer. A server for many gives each peer a task, or uses `post`.
                    try? await socket.send(message, on: channel, to: peer)
                case .session(let event):
                    print(event.message)
                }
            }
            try await group.next()
        }
    }
}
