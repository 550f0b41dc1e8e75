import NIOCore
import RelayCore
import SOE
import SOESockets
import Testing

/// Sockets for loops of one's own, and the driver they share their engine with.
@Suite("SOE sockets for game loops", .timeLimit(.minutes(5)))
struct SteppingTests {
    @Test func twoLoopsTalk() throws {
        let server = try SOESteppingSocket(binding: Loopback.anyPort, configuration: Loopback.configuration)
        let client = try SOESteppingSocket(binding: Loopback.anyPort, configuration: Loopback.configuration)
        let peer = try client.connect(to: server.localEndpoint)
        let sizes = [1, 300, 5000, 200_000]
        for (index, size) in sizes.enumerated() {
            #expect(client.send(pattern(index, size), on: .reliable2, to: peer) == .accepted)
        }
        var answers: [ByteBuffer] = []
        while answers.count < sizes.count, !Task.isCancelled {
            for event in server.step(waitingUpTo: .milliseconds(1)) {
                guard case .message(let message, let sender, let channel) = event else { continue }
                server.send(message, on: channel, to: sender)
            }
            server.flush()
            for event in client.step(waitingUpTo: .milliseconds(1)) {
                if case .message(let message, peer, .reliable2) = event { answers.append(message) }
            }
        }
        #expect(answers == sizes.enumerated().map { pattern($0, $1) })
        client.disconnect(peer)
        var reasons: [DisconnectReason] = []
        while reasons.isEmpty, !Task.isCancelled {
            _ = client.step(waitingUpTo: .milliseconds(1))
            for event in server.step(waitingUpTo: .milliseconds(1)) {
                if case .session(.closed(_, let reason, _, _)) = event { reasons.append(reason) }
            }
        }
        #expect(reasons == [.application])
    }

    @Test func aPortThatIsTakenIsSaidSo() throws {
        let first = try SOESteppingSocket(binding: Loopback.anyPort)
        #expect(throws: SocketFailure.self) { try SOESteppingSocket(binding: first.localEndpoint) }
    }

    /// What nobody can be reached with ends no socket: no way there, nobody at the port, port 0.
    @Test func nothingThatCannotBeSentEndsASocket() async throws {
        try await Loopback.withEcho { server in
            try await Loopback.withSocket { client, events in
                for (address, port) in [(0xF000_0001, 9), (0x7F00_0001, 1), (0x7F00_0001, 0), (0xFFFF_FFFF, 9)] {
                    let nobody = Endpoint(address: IPAddress(ipv4: UInt32(address)), port: UInt16(port))
                    _ = try await client.withDriver { try $0.connect(to: nobody) }
                }
                let peer = try await client.connect(to: server)
                try await client.send(pattern(1, 10), to: peer)
                for await event in events {
                    guard case .message(let message, peer, _) = event else { continue }
                    #expect(message == pattern(1, 10))
                    break
                }
                #expect(try await client.withDriver { $0.counters.datagramsNotSent } > 0)
            }
        }
    }
}
