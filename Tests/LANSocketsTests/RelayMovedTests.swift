import Foundation
import LANBridge
import LANSockets
import QUICTransport
import RelayCore
import Testing

/// Ends keep to a relay's name, not to the address it once had.
@Suite("A relay that has moved")
struct RelayMovedTests {
    private static let loopback = Endpoint(address: IPAddress(ipv4: 0x7F00_0001), port: 0)

    /// Runs a relay for as long as `body` takes.
    private func withRelay(_ body: (Endpoint, CertificateFingerprint) async throws -> Void) async throws {
        let certificate = try TLSCertificate.selfSigned(
            name: "localhost", at: Int(Date.now.timeIntervalSince1970))
        let socket = try BoundSocket(Self.loopback)
        let loop = try RelayLoop()
        try await loop.start(
            [socket], relay: .init(), transport: .lan, certificate: certificate,
            surroundings: .init(
                admit: { _, _, _ in nil }, release: { _, _ in }, note: { _, _ in }, closed: { _, _, _ in },
                refused: { _, _ in }))
        do {
            try await body(socket.local, certificate.fingerprint)
        } catch {
            await loop.stop()
            throw error
        }
        await loop.stop()
    }

    /// What the doctor finds wrong, who gives up after some seconds.
    private func faults(
        at address: Endpoint, _ pin: CertificateFingerprint, now: Endpoint?
    ) async throws -> [String] {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                var target = RelayTarget(name: "localhost", addresses: [address], trust: .pinned(pin))
                if let now { target.lookUp = { [now] } }
                let endpoint = LANEndpointConfiguration(room: "lan", mac: MACAddress(bits: 0x024C_414E_0101))
                let end = LANEnd(relay: target, endpoint: endpoint)
                continuation.resume(with: Result { try TrialRun.run(end).compactMap(\.fault) })
            }
        }
    }

    @Test func isFoundByItsName() async throws {
        // Nobody reads what arrives here.
        let before = try BoundSocket(Self.loopback)
        defer { before.close() }
        try await withRelay { address, pin in
            let moved = try await faults(at: before.local, pin, now: address)
            #expect(moved == ["no-gateway"], "the room is joined, and nobody else is in it")
            let lost = try await faults(at: before.local, pin, now: nil)
            #expect(lost == ["relay-unreachable"])
        }
    }
}
