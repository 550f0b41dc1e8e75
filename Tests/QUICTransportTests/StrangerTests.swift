import QUICTransport
import RelayCore
import Testing

@Suite("QUIC and strangers", .timeLimit(.minutes(5)))
struct StrangerTests {
    let wire = SimulatedWire()

    @Test func anotherCertificateIsRefused() throws {
        let server = try Node(.test(1), on: wire, certificate: certificate.get())
        let client = try Node(.test(2), on: wire)
        let wrong = CertificateFingerprint(ofDER: [1, 2, 3].span.withUnsafeBytes { $0 })
        let toServer = try client.connect(server, trust: .pinned(wrong))
        wire.run { client.closed[toServer] != nil && !server.closed.isEmpty }
        let found = try certificate.get().fingerprint
        #expect(client.closed[toServer] == .certificate("its fingerprint is \(found), expected was \(wrong)"))
        #expect(client.connected.isEmpty)
    }

    @Test func anAuthorityVouchesForANameOnly() throws {
        let server = try Node(.test(1), on: wire, certificate: certificate.get())
        let client = try Node(.test(2), on: wire)
        let trust = ServerTrust.authorities(pem: try certificate.get().certificatePEM)
        let right = try client.connect(server, trust: trust)
        #expect(wire.run { client.connected == [right] })
        let wrong = try client.connect(server, trust: trust, name: "another.test")
        wire.run { client.closed[wrong] != nil }
        guard case .certificate(let reason)? = client.closed[wrong] else {
            Issue.record("\(String(describing: client.closed[wrong]))")
            return
        }
        #expect(reason.contains("name"))
        #expect(throws: TLSError.self) {
            try client.connect(server, trust: .authorities(pem: Array("nonsense".utf8)))
        }
    }

    @Test func anExpiredCertificateIsRefusedByAuthorityAndTakenByPin() throws {
        let expired = try TLSCertificate.selfSigned(name: "relay.test", at: 1_000_000_000, days: 1)
        let server = try Node(.test(1), on: wire, certificate: expired)
        let client = try Node(.test(2), on: wire)
        let byAuthority = try client.connect(server, trust: .authorities(pem: expired.certificatePEM))
        wire.run { client.closed[byAuthority] != nil }
        guard case .certificate(let reason)? = client.closed[byAuthority] else {
            Issue.record("\(String(describing: client.closed[byAuthority]))")
            return
        }
        #expect(reason.contains("expired"))
        let byPin = try client.connect(server, trust: .pinned(expired.fingerprint))
        #expect(wire.run { client.connected == [byPin] })
    }

    @Test func aNewCertificateServesNewConnections() throws {
        let server = try Node(.test(1), on: wire, certificate: certificate.get())
        let client = try Node(.test(2), on: wire)
        let old = try client.connect(server, trust: .pinned(certificate.get().fingerprint))
        try #require(wire.run { client.connected == [old] })
        let next = try TLSCertificate.selfSigned(name: "relay.test", at: 1_700_000_000)
        try server.endpoint.use(next)
        let new = try client.connect(server, trust: .pinned(next.fingerprint))
        #expect(wire.run { client.connected == [old, new] })
        client.send([1], to: old)
        #expect(wire.run { server.datagrams.count == 1 })
    }

    @Test func aCertificateIsTheSameWhenReadAgain() throws {
        for _ in 0..<20 {
            let made = try TLSCertificate.selfSigned(name: "relay.test", at: 1_700_000_000)
            let read = try TLSCertificate(certificatePEM: made.certificatePEM, keyPEM: made.keyPEM)
            #expect(read.fingerprint == made.fingerprint)
            #expect(CertificateFingerprint(made.fingerprint.description) == made.fingerprint)
        }
        #expect(throws: TLSError.self) { try TLSCertificate(certificatePEM: [1], keyPEM: [2]) }
        let (one, two) = (
            try TLSCertificate.selfSigned(name: "a", at: 1_700_000_000),
            try TLSCertificate.selfSigned(name: "a", at: 1_700_000_000)
        )
        #expect(throws: TLSError.self) { try TLSCertificate(certificatePEM: one.certificatePEM, keyPEM: two.keyPEM) }
        for text in ["", "00", String(repeating: "g", count: 64), String(repeating: "+1", count: 32)] {
            #expect(CertificateFingerprint(text) == nil)
        }
    }

    @Test func newcomersProveTheirAddressUnderLoad() throws {
        var configuration = QUICConfiguration.forTests
        configuration.acceptance.retryAbove = 0
        let server = try Node(.test(1), on: wire, configuration: configuration, certificate: certificate.get())
        let client = try Node(.test(2), on: wire)
        let toServer = try client.connect(server, trust: .pinned(certificate.get().fingerprint))
        #expect(wire.run { client.connected == [toServer] && server.connected.count == 1 })
        #expect(server.endpoint.counters.retries == 1)
        #expect(server.endpoint.counters.accepted == 1)
    }

    @Test func aFloodOfHandshakesLeavesPlayersAlone() throws {
        var configuration = QUICConfiguration.forTests
        configuration.acceptance.retryAbove = 20
        let server = try Node(.test(1), on: wire, configuration: configuration, certificate: certificate.get())
        let player = try Node(.test(2), on: wire)
        let toServer = try player.connect(server, trust: .pinned(certificate.get().fingerprint))
        try #require(wire.run { player.connected == [toServer] && server.connected.count == 1 })
        // Strangers who never answer: each sends one first packet and is gone.
        for number in 0..<300 {
            let address = Endpoint(address: IPAddress(ipv4: 0x0A00_0000 + UInt32(number)), port: 999)
            let stranger = try Node(address, on: wire)
            _ = try stranger.connect(server, trust: .pinned(certificate.get().fingerprint))
            stranger.endpoint.flush(at: wire.now)
            wire.detach(address)
        }
        player.send([1], to: toServer)
        wire.run(for: .seconds(1))
        #expect(server.datagrams.count == 1)
        #expect(server.endpoint.counters.retries == 280)
        #expect(server.endpoint.connectionCount == 21)
        let late = try Node(.test(3), on: wire)
        let lateToServer = try late.connect(server, trust: .pinned(certificate.get().fingerprint))
        #expect(wire.run { late.connected == [lateToServer] })
        wire.run(for: .seconds(30))
        #expect(server.endpoint.connectionCount == 2)
        #expect(player.closed.isEmpty)
    }

    @Test func strangersAreSentAway() throws {
        let server = try Node(.test(1), on: wire, certificate: certificate.get())
        server.admits = false
        let client = try Node(.test(2), on: wire)
        let toServer = try client.connect(server, trust: .pinned(certificate.get().fingerprint))
        wire.run { client.closed[toServer] != nil }
        // CONNECTION_REFUSED (RFC 9000, section 20.1).
        #expect(client.closed[toServer] == .transport(code: 2, reason: ""))
        #expect(server.endpoint.counters.refused == 1)
        #expect(server.endpoint.connectionCount == 0)
    }

    @Test func aServerThatWasStartedAnewSaysSo() throws {
        let server = try Node(.test(1), on: wire, certificate: certificate.get())
        let client = try Node(.test(2), on: wire)
        let toServer = try client.connect(server, trust: .pinned(certificate.get().fingerprint))
        try #require(wire.run { client.connected == [toServer] })
        wire.run(for: .seconds(1))
        let again = try Node(.test(1), on: wire, certificate: certificate.get())
        client.send(Array(repeating: 1, count: 100), to: toServer)
        wire.run(for: .milliseconds(50)) { client.closed[toServer] != nil }
        #expect(client.closed[toServer] == .reset)
        #expect(again.endpoint.counters.statelessResets == 1)
        #expect(again.endpoint.connectionCount == 0)
    }

    @Test func anUnknownVersionIsAnswered() throws {
        let server = try Node(.test(1), on: wire, certificate: certificate.get())
        let probe = Probe(.test(7), on: wire)
        // A long header of version 0x1a2a3a4a, with connection IDs 01 x 8 and 02 x 8 (RFC 8999, section 5.1).
        let start: [UInt8] = [0xC0, 0x1A, 0x2A, 0x3A, 0x4A, 8] + Array(repeating: 1, count: 8) + [8]
        let packet = start + Array(repeating: 2, count: 8) + Array(repeating: 0, count: 1200 - start.count - 8)
        var answer = probe.answer(of: server, to: packet)
        #expect(answer?.count == 7 + 16 + 4)
        #expect(answer.map { Array($0[1..<5]) } == [0, 0, 0, 0])
        #expect(answer?.suffix(4) == [0, 0, 0, 1])
        answer = probe.answer(of: server, to: Array(packet[..<1199]))
        #expect(answer == nil)
    }

    @Test func nonsenseIsCountedAndAnsweredLittle() throws {
        let server = try Node(.test(1), on: wire, certificate: certificate.get())
        let probe = Probe(.test(7), on: wire)
        var random = RandomSource.seeded(5)
        for round in 0..<3000 {
            var packet = (0..<Int(random.next() % 1500)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            // Half of them look like packets of version 1 that begin a connection.
            if round % 2 == 0, packet.count > 30 {
                packet.replaceSubrange(0..<6, with: [0xC0 | packet[0] & 0x0F, 0, 0, 0, 1, 8])
                packet[14] = 8
            }
            let answer = probe.answer(of: server, to: packet)
            #expect((answer?.count ?? 0) <= packet.count)
        }
        #expect(server.connected.isEmpty)
        let counters = server.endpoint.counters
        #expect(counters.malformed > 1000)
        #expect(counters.statelessResets <= 200)
    }

    @Test func damagedPacketsEndNothing() throws {
        let server = try Node(.test(1), on: wire, certificate: certificate.get())
        let client = try Node(.test(2), on: wire)
        let toServer = try client.connect(server, trust: .pinned(certificate.get().fingerprint))
        try #require(wire.run { client.connected == [toServer] && !server.connected.isEmpty })
        let tap = Tap()
        client.endpoint.delegate = tap
        client.send(Array(repeating: 3, count: 500), to: toServer)
        client.endpoint.flush(at: wire.now)
        let packet = try #require(tap.packets.last)
        for position in 0..<packet.count {
            var damaged = packet
            damaged[position] ^= 0x55
            damaged.withUnsafeMutableBytes { server.endpoint.receive($0, from: client.address, at: wire.now) }
            var cut = Array(packet[..<position])
            cut.withUnsafeMutableBytes { server.endpoint.receive($0, from: client.address, at: wire.now) }
        }
        server.endpoint.flush(at: wire.now)
        #expect(server.closed.isEmpty && server.datagrams.isEmpty)
        var whole = packet
        whole.withUnsafeMutableBytes { server.endpoint.receive($0, from: client.address, at: wire.now) }
        #expect(server.datagrams.count == 1)
        // And once more: the same packet twice is one packet.
        whole = packet
        whole.withUnsafeMutableBytes { server.endpoint.receive($0, from: client.address, at: wire.now) }
        #expect(server.datagrams.values.first?.count == 1)
    }
}

/// Keeps the packets of an endpoint.
private final class Tap: QUICDelegate {
    var packets: [[UInt8]] = []

    func transmit(_ batch: borrowing PacketBatch) {
        for group in batch.groups {
            for start in stride(from: group.start, to: group.start + group.count, by: group.packetBytes) {
                packets.append(Array(batch.bytes[start..<min(start + group.packetBytes, group.start + group.count)]))
            }
        }
    }
    func admits(_ remote: Endpoint) -> Bool { true }
    func connected(_ connection: PeerID, remote: Endpoint) {}
    func received(_ bytes: UnsafeRawBufferPointer, stream: Int64, ended: Bool, from connection: PeerID) {}
    func reset(stream: Int64, code: UInt64, from connection: PeerID) {}
    func received(datagram: UnsafeRawBufferPointer, from connection: PeerID) {}
    func pathChanged(_ connection: PeerID, maxDatagram: Int, remote: Endpoint) {}
    func closed(_ connection: PeerID, remote: Endpoint, reason: QUICCloseReason) {}
}

/// Sends bytes of its own making.
private struct Probe {
    let address: Endpoint
    let wire: SimulatedWire

    init(_ address: Endpoint, on wire: SimulatedWire) {
        self.address = address
        self.wire = wire
    }

    func answer(of server: Node, to packet: [UInt8]) -> [UInt8]? {
        let tap = Tap()
        server.endpoint.delegate = tap
        defer { server.endpoint.delegate = server }
        var packet = packet
        packet.withUnsafeMutableBytes { server.endpoint.receive($0, from: address, at: wire.now) }
        server.endpoint.flush(at: wire.now)
        return tap.packets.first
    }
}
