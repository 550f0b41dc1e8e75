import NIOCore
import RelayCore
import SOE
import SOESockets

/// Sockets on loopback for the time of a closure.
enum Loopback {
    static let anyPort = Endpoint(address: IPAddress(ipv4: 0x7F00_0001), port: 0)

    static var configuration: SOEConfiguration {
        var configuration = SOEConfiguration()
        configuration.parameters.protocolName = "Test"
        configuration.parameters.flushTimeout = .seconds(60)
        return configuration
    }

    /// Opens a socket and runs it until the closure returns.
    static func withSocket(
        _ configuration: SOEConfiguration = configuration, at endpoint: Endpoint = anyPort,
        _ body: (SOESocket, SOEEvents) async throws -> Void
    ) async throws {
        let socket = try await SOESocket.bind(endpoint, configuration: configuration)
        let run = Task { try await socket.run() }
        do {
            try await body(socket, socket.events)
        } catch {
            run.cancel()
            throw error
        }
        run.cancel()
        try await run.value
    }

    /// A server that answers each message with itself.
    static func withEcho(_ body: (Endpoint) async throws -> Void) async throws {
        try await withSocket { socket, events in
            let echo = Task {
                for await event in events {
                    guard case .message(let message, let peer, let channel) = event else { continue }
                    try await socket.send(message, on: channel, to: peer)
                }
            }
            try await body(socket.localEndpoint)
            echo.cancel()
        }
    }
}

/// Bytes that say which message they belong to.
func pattern(_ number: Int, _ size: Int) -> ByteBuffer {
    ByteBuffer(bytes: (0..<size).map { UInt8(truncatingIfNeeded: 131 * number + 7 * $0 + 13 * ($0 >> 8)) })
}
