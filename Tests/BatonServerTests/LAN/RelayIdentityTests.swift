import Foundation
import QUICTransport
import Testing

@testable import BatonServer

@Suite("The LAN relay's identity")
struct RelayIdentityTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("relay-\(UUID().uuidString)")
        .path

    private func clean() { try? FileManager.default.removeItem(atPath: folder) }

    @Test("it is made once, kept, and its owner's alone")
    func kept() throws {
        defer { clean() }
        let path = folder + "/identity.pem"
        let made = try RelayIdentity.loadOrMake(path)
        #expect(try RelayIdentity.loadOrMake(path).fingerprint == made.fingerprint)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["identity.pem"])
    }

    @Test("a file that is none is refused in words and stays as it is")
    func broken() throws {
        defer { clean() }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let path = folder + "/identity.pem"
        _ = FileManager.default.createFile(atPath: path, contents: Data("nothing".utf8))
        let error = #expect(throws: BatonError.self) { try RelayIdentity.loadOrMake(path) }
        #expect(error?.code == .storage)
        #expect(error?.message.contains(path) == true)
        #expect(FileManager.default.contents(atPath: path) == Data("nothing".utf8))
    }

    @Test("a folder that cannot be had is said")
    func noFolder() throws {
        let error = #expect(throws: BatonError.self) { try RelayIdentity.loadOrMake("/proc/nowhere/identity.pem") }
        #expect(error?.code == .storage)
    }

    @Test("a certificate is read again when its files changed, and a broken one leaves the old one serving")
    func renewed() throws {
        defer { clean() }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let (certificate, key) = (folder + "/c.pem", folder + "/k.pem")
        func write(_ name: String, _ bytes: [UInt8]) throws {
            try Data(bytes).write(to: URL(fileURLWithPath: name), options: .atomic)
        }
        let (first, second) = (try RelayIdentity.ephemeral(), try RelayIdentity.ephemeral())
        try write(certificate, first.certificatePEM)
        try write(key, first.keyPEM)
        let files = CertificateFiles(certificate: certificate, key: key)
        #expect(files.changed { _ in } == nil)
        try write(certificate, second.certificatePEM)
        var complaint: String?
        #expect(files.changed { complaint = $0 } == nil, "the key is still the old one")
        #expect(complaint?.contains("cannot be used") == true)
        try write(key, second.keyPEM)
        #expect(files.changed { _ in }?.fingerprint == second.fingerprint)
        #expect(files.changed { _ in } == nil)
    }
}
