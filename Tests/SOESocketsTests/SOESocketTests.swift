import NIOCore
import RelayCore
import SOE
import SOESockets
import Testing

/// Sockets for tasks, on loopback.
@Suite("SOE sockets for tasks", .timeLimit(.minutes(5)))
struct SOESocketTests {
    @Test func messagesOfAllSizesAreEchoed() async throws {
        try await Loopback.withEcho { server in
            try await Loopback.withSocket { client, events in
                let peer = try await client.connect(to: server)
                let sizes = [0, 1, 2, 64, 254, 255, 500, 507, 3000, 100_000, 1_000_000]
                for (index, size) in sizes.enumerated() { try await client.send(pattern(index, size), to: peer) }
                var answers: [ByteBuffer] = []
                for await event in events {
                    if case .message(let message, peer, .reliable0) = event { answers.append(message) }
                    if answers.count == sizes.count { break }
                }
                #expect(answers == sizes.enumerated().map { pattern($0, $1) })
            }
        }
    }

    /// The sender waits for room, the reader takes its time, and everything arrives.
    @Test func slownessIsPassedOn() async throws {
        var configuration = Loopback.configuration
        configuration.parameters.maxQueued = 64 << 10
        try await Loopback.withSocket(configuration) { server, events in
            try await Loopback.withSocket(configuration) { client, _ in
                let peer = try await client.connect(to: server.localEndpoint)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        for number in 0..<3000 { try await client.send(pattern(number, 1000), to: peer) }
                    }
                    var number = 0
                    for await event in events {
                        guard case .message(let message, _, _) = event else { continue }
                        #expect(message == pattern(number, 1000))
                        number += 1
                        if number % 500 == 0 { try await Task.sleep(for: .milliseconds(5)) }
                        if number == 3000 { break }
                    }
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test func aServerThatIsNotThereIsSaidSo() async throws {
        let nobody = try await SOESocket.bind(Loopback.anyPort)
        var configuration = Loopback.configuration
        configuration.acceptsSessions = false
        configuration.parameters.connectTimeout = .milliseconds(50)
        try await Loopback.withSocket(configuration) { client, _ in
            await #expect(throws: SOEConnectFailure.self) { try await client.connect(to: client.localEndpoint) }
            await #expect(throws: SOEConnectFailure.refused(.protocolMismatch)) {
                try await client.connect(to: nobody.localEndpoint)
            }
        }
        try await nobody.withDriver { $0.close() }
    }

    /// A task that waits for a session ends when it is cancelled, however patient the session would be.
    @Test func waitingForASessionCanBeCancelled() async throws {
        let silent = try SOESteppingSocket(binding: Loopback.anyPort)
        let place = silent.localEndpoint
        var configuration = Loopback.configuration
        configuration.parameters.connectTimeout = .zero
        try await Loopback.withSocket(configuration) { client, _ in
            let waiting = Task { try await client.connect(to: place) }
            while try await client.withDriver({ $0.engine.sessionCount }) == 0 { await Task.yield() }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
        }
        withExtendedLifetime(silent) {}
    }

    @Test func aRefusalHasItsReason() async throws {
        let server = try await SOESocket.bind(
            Loopback.anyPort, configuration: Loopback.configuration,
            acceptance: { _, _ in .refuse(.connectionRefused) })
        try await Loopback.withSocket { client, _ in
            await #expect(throws: SOEConnectFailure.refused(.connectionRefused)) {
                try await client.connect(to: server.localEndpoint)
            }
        }
        try await server.withDriver { $0.close() }
    }

    @Test func aDisconnectDeliversWhatWasSentBefore() async throws {
        try await Loopback.withSocket { server, events in
            try await Loopback.withSocket { client, _ in
                let peer = try await client.connect(to: server.localEndpoint)
                for number in 0..<200 { try await client.send(pattern(number, 900), to: peer) }
                client.disconnect(peer)
                var count = 0
                loop: for await event in events {
                    switch event {
                    case .message: count += 1
                    case .session(.closed(_, let reason, let byPeer, _)):
                        #expect(reason == .application && byPeer)
                        break loop
                    case .session: break
                    }
                }
                #expect(count == 200)
                await #expect(throws: SOESendFailure.closed) { try await client.send(pattern(0, 1), to: peer) }
            }
        }
    }

    /// A task that waits for room ends when it is cancelled.
    @Test func waitingForRoomCanBeCancelled() async throws {
        var configuration = Loopback.configuration
        configuration.parameters.maxQueued = 1000
        try await Loopback.withSocket(configuration) { server, _ in
            try await Loopback.withSocket(configuration) { client, _ in
                let peer = try await client.connect(to: server.localEndpoint)
                try await server.withDriver { $0.holdsMessages = true }
                let sender = Task { for number in 0..<10 { try await client.send(pattern(number, 900), to: peer) } }
                while try await client.statistics(of: peer)?.queuedBytes ?? 0 < 900 { await Task.yield() }
                sender.cancel()
                await #expect(throws: CancellationError.self) { try await sender.value }
                try await server.withDriver { $0.holdsMessages = false }
            }
        }
    }

    /// Encryption begins in mid-session, on both ends between the same two messages.
    @Test func encryptionBeginsInMidSession() async throws {
        let key = try #require(RC4Key([1, 2, 3, 4, 5]))
        try await Loopback.withSocket { server, serverEvents in
            try await Loopback.withSocket { client, clientEvents in
                let peer = try await client.connect(to: server.localEndpoint)
                try await client.send(pattern(1, 100), to: peer)
                for await event in serverEvents {
                    guard case .message(let message, let sender, _) = event else { continue }
                    #expect(message == pattern(1, 100))
                    try await server.encrypt(sender, with: key)
                    try await server.send(pattern(2, 100), to: sender)
                    break
                }
                try await client.encrypt(peer, with: key)
                // The answer may have been on its way already: only the direction that had not begun is sure.
                try await client.send(pattern(3, 100), to: peer)
                for await event in serverEvents {
                    guard case .message(let message, _, _) = event else { continue }
                    #expect(message == pattern(3, 100))
                    break
                }
                _ = clientEvents
            }
        }
    }

    /// Peers of different addresses land on different sockets of one port, and all are served.
    @Test func shardsShareAPort() async throws {
        let sockets = try await SOESocket.bind(Loopback.anyPort, shards: 3, configuration: Loopback.configuration)
        #expect(Set(sockets.map(\.localEndpoint)).count == 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for socket in sockets {
                group.addTask { try await socket.run() }
                group.addTask {
                    for await event in socket.events {
                        guard case .message(let message, let peer, let channel) = event else { continue }
                        try await socket.send(message, on: channel, to: peer)
                    }
                }
            }
            for number in 1...6 {
                let address = Endpoint(address: IPAddress(ipv4: 0x7F00_0100 + UInt32(number)), port: 0)
                try await Loopback.withSocket(at: address) { client, events in
                    let peer = try await client.connect(to: sockets[0].localEndpoint)
                    try await client.send(pattern(number, 100), to: peer)
                    for await event in events {
                        guard case .message(let message, _, _) = event else { continue }
                        #expect(message == pattern(number, 100))
                        break
                    }
                }
            }
            var opened: [UInt64] = []
            for socket in sockets { opened.append(try await socket.withDriver { $0.engine.statistics.opened }) }
            #expect(opened.reduce(0, +) == 6)
            #expect(opened.filter { $0 > 0 }.count > 1)
            group.cancelAll()
            try await group.waitForAll()
        }
    }
}
