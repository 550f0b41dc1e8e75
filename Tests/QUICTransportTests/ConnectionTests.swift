import QUICTransport
import RelayCore
import Testing

@Suite("QUIC connections", .timeLimit(.minutes(5)))
struct ConnectionTests {
    var wire = SimulatedWire()

    /// A server and a client that are connected.
    func pair(_ configuration: QUICConfiguration = .forTests) throws -> (Node, Node, PeerID, PeerID) {
        let server = try Node(.test(1), on: wire, configuration: configuration, certificate: certificate.get())
        let client = try Node(.test(2), on: wire, configuration: configuration)
        let toServer = try client.connect(server, trust: .pinned(certificate.get().fingerprint))
        try #require(wire.run { !client.connected.isEmpty && !server.connected.isEmpty })
        return (server, client, try #require(server.connected.first), toServer)
    }

    @Test func datagramsAndStreamsCrossBothWays() throws {
        let (server, client, toClient, toServer) = try pair()
        #expect(client.send([1, 2, 3], priority: .urgent, to: toServer) == .sent)
        #expect(server.send([4, 5], to: toClient) == .sent)
        let stream = try #require(client.endpoint.openStream(bidirectional: true, on: toServer))
        #expect(client.send(Array("hello".utf8), stream: stream, end: true, to: toServer))
        wire.run { !server.endedStreams.isEmpty && !client.datagrams.isEmpty }
        #expect(server.datagrams[toClient] == [[1, 2, 3]])
        #expect(client.datagrams[toServer] == [[4, 5]])
        #expect(server.streams[stream] == Array("hello".utf8))
        #expect(server.send(Array("welcome".utf8), stream: stream, to: toClient))
        #expect(server.send([], stream: stream, end: true, to: toClient))
        wire.run { client.endedStreams.contains(stream) }
        #expect(client.streams[stream] == Array("welcome".utf8))
    }

    @Test(arguments: 1...6)
    func everyByteOfAStreamArrivesOverABadLine(seed: UInt64) throws {
        let wire = SimulatedWire(seed: seed)
        wire.conditions = .init(delay: .milliseconds(20), jitter: .milliseconds(15), lost: 80, doubled: 30)
        let server = try Node(.test(1), on: wire, certificate: certificate.get())
        let client = try Node(.test(2), on: wire)
        let toServer = try client.connect(server, trust: .pinned(certificate.get().fingerprint))
        try #require(wire.run(for: .seconds(60)) { !client.connected.isEmpty }, "seed \(seed)")
        let stream = try #require(client.endpoint.openStream(bidirectional: false, on: toServer))
        let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        #expect(client.send(Array(bytes[..<150_000]), stream: stream, to: toServer))
        #expect(client.send(Array(bytes[150_000...]), stream: stream, end: true, to: toServer))
        #expect(wire.run(for: .seconds(300)) { server.endedStreams.contains(stream) }, "seed \(seed)")
        #expect(server.streams[stream] == bytes, "seed \(seed)")
    }

    @Test func aStreamHoldsNoMoreThanItsBound() throws {
        var configuration = QUICConfiguration.forTests
        configuration.maxStreamBacklog = 1000
        let (_, client, _, toServer) = try pair(configuration)
        let stream = try #require(client.endpoint.openStream(bidirectional: false, on: toServer))
        #expect(client.send(Array(repeating: 1, count: 1000), stream: stream, to: toServer))
        #expect(!client.send([1], stream: stream, to: toServer))
        wire.run(for: .seconds(1))
        #expect(client.send(Array(repeating: 1, count: 1000), stream: stream, to: toServer))
    }

    @Test func aStreamIsGivenUp() throws {
        let (server, client, _, toServer) = try pair()
        let stream = try #require(client.endpoint.openStream(bidirectional: true, on: toServer))
        client.send([1], stream: stream, to: toServer)
        wire.run { server.streams[stream] != nil }
        client.endpoint.reset(stream: stream, code: 7, on: toServer)
        #expect(wire.run { server.resetStreams[stream] == 7 })
    }

    @Test(arguments: [true, false])
    func manyStreamsOneAfterTheOther(bidirectional: Bool) throws {
        let (server, client, toClient, toServer) = try pair()
        for number in 0..<50 {
            let stream = try #require(
                client.endpoint.openStream(bidirectional: bidirectional, on: toServer), "\(number)")
            client.send([UInt8(number)], stream: stream, end: true, to: toServer)
            #expect(wire.run { server.endedStreams.contains(stream) })
            if bidirectional {
                server.send([1], stream: stream, end: true, to: toClient)
                #expect(wire.run { client.endedStreams.contains(stream) })
            }
            // The server's permission for another stream has to come back.
            wire.run(for: .milliseconds(100))
        }
    }

    @Test func bothEndsHearOfAClose() throws {
        let (server, client, toClient, toServer) = try pair()
        server.endpoint.close(toClient, code: 42, reason: "the room is closed")
        wire.run { client.closed[toServer] != nil }
        #expect(client.closed[toServer] == .application(code: 42, reason: "the room is closed"))
        #expect(server.closed[toClient] == .local)
        #expect(server.endpoint.connectionCount == 0 && client.endpoint.connectionCount == 0)
        #expect(server.send([1], to: toClient) == .notConnected)
    }

    @Test func silenceEndsAConnectionAndKeepAlivePreventsIt() throws {
        let (server, client, toClient, toServer) = try pair()
        wire.run(for: .seconds(300))
        #expect(server.closed.isEmpty && client.closed.isEmpty)
        wire.conditions.lost = 1000
        wire.run(for: .seconds(60))
        #expect(server.closed[toClient] == .idle)
        #expect(client.closed[toServer] == .idle)
    }

    @Test func aServerThatIsNotThereIsGivenUp() throws {
        let client = try Node(.test(2), on: wire)
        let server = try Node(.test(1), on: wire, certificate: certificate.get())
        wire.detach(server.address)
        let toServer = try client.connect(server, trust: .pinned(certificate.get().fingerprint))
        wire.run(for: .seconds(30))
        #expect(client.closed[toServer] == .handshakeTimeout)
    }

    @Test func anotherApplicationIsNotServed() throws {
        let server = try Node(.test(1), on: wire, certificate: certificate.get())
        let client = try Node(
            .test(2), on: wire, configuration: QUICConfiguration(applicationProtocol: "another/1"))
        let toServer = try client.connect(server, trust: .pinned(certificate.get().fingerprint))
        wire.run { client.closed[toServer] != nil }
        // TLS alert 120, no_application_protocol, as a QUIC error code (RFC 9001, section 4.8).
        #expect(client.closed[toServer] == .transport(code: 0x178, reason: ""))
        #expect(client.connected.isEmpty && server.connected.isEmpty)
        #expect(server.endpoint.connectionCount == 0)
    }

    @Test func answersFromWithinACallGoOut() throws {
        let (server, client, toClient, toServer) = try pair()
        server.onDatagram = { peer, bytes in server.send(Array(bytes), priority: .urgent, to: peer) }
        client.send([9, 9], to: toServer)
        wire.run { client.datagrams[toServer] != nil }
        #expect(client.datagrams[toServer] == [[9, 9]])
        server.onDatagram = { peer, _ in server.endpoint.close(peer, code: 1, reason: "enough") }
        client.send([9], to: toServer)
        wire.run { client.closed[toServer] != nil }
        #expect(client.closed[toServer] == .application(code: 1, reason: "enough"))
        #expect(server.closed[toClient] == .local)
    }

    @Test func anEmptyDatagramIsOneToo() throws {
        let (server, client, toClient, toServer) = try pair()
        #expect(client.send([], to: toServer) == .sent)
        #expect(wire.run { server.datagrams[toClient] == [[]] })
        let (head, body): ([UInt8], [UInt8]) = ([1], [2, 3])
        head.withUnsafeBytes { head in
            body.withUnsafeBytes { body in
                let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
                client.endpoint.send(datagram: head, body, priority: .bulk, to: toServer, at: wire.now)
                client.endpoint.send(datagram: nothing, body, priority: .bulk, to: toServer, at: wire.now)
            }
        }
        #expect(wire.run { server.datagrams[toClient] == [[], [1, 2, 3], [2, 3]] })
    }

    @Test func aRelayForwardsFromWithinACall() throws {
        let (server, client, toClient, toServer) = try pair()
        let other = try Node(.test(3), on: wire)
        let otherToServer = try other.connect(server, trust: .pinned(certificate.get().fingerprint))
        try #require(wire.run { server.connected.count == 2 && !other.connected.isEmpty })
        let toOther = server.connected[1]
        server.onDatagram = { peer, bytes in server.send(Array(bytes), to: peer == toClient ? toOther : toClient) }
        for number in 0..<100 {
            client.send(Array(repeating: UInt8(number), count: 900), to: toServer)
            other.send(Array(repeating: UInt8(100 + number), count: 900), to: otherToServer)
            wire.run(for: .milliseconds(5))
        }
        wire.run(for: .seconds(1))
        #expect(other.datagrams[otherToServer]?.map { $0[0] } == (0..<100).map(UInt8.init))
        #expect(client.datagrams[toServer]?.map { $0[0] } == (100..<200).map(UInt8.init))
    }
}
