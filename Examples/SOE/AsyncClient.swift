import NIOCore
import RelayCore
import SOE
import SOESockets

/// A client with tasks: `connect` returns when the session is open.
enum AsyncClient {
    static func run(to server: Endpoint) async throws {
        let socket = try await SOESocket.bind(anyPort, configuration: configuration)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await socket.run() }
            let peer = try await socket.connect(to: server)
            var answers = socket.events.makeAsyncIterator()
            for number in 1...10 {
                try await socket.send(ByteBuffer(string: "ping \(number)"), to: peer)
                answer: while let event = await answers.next() {
                    switch event {
                    case .message(let message, _, _):
                        print("heard \(String(buffer: message))")
                        break answer
                    case .session(.closed(_, let reason, _, _)):
                        throw SOEConnectFailure.refused(reason)
                    case .session:
                        break
                    }
                }
            }
            // The end of `run` ends the session: its server hears of it.
            group.cancelAll()
            try await group.waitForAll()
        }
    }
}
