import Foundation
import Glibc
package import QUICTransport

/// The relay's certificate and key: made once and kept, or from files that somebody else renews.
package enum RelayIdentity {
    /// What clients compare when they are given no fingerprint and no name.
    private static let name = "baton-lan"

    /// Reads the files of a certificate and its key.
    package static func load(certificate: String, key: String) throws(BatonError) -> TLSCertificate {
        let (certificatePEM, keyPEM) = (try read(certificate), try read(key))
        do {
            return try TLSCertificate(certificatePEM: certificatePEM, keyPEM: keyPEM)
        } catch {
            throw BatonError(.storage, "lan: \(certificate) and \(key) cannot be used: \(error)")
        }
    }

    /// Reads the identity that was made before.
    static func loadIfMade(_ path: String) throws(BatonError) -> TLSCertificate? {
        FileManager.default.fileExists(atPath: path) ? try load(certificate: path, key: path) : nil
    }

    /// Reads the identity that was made before, or makes one. Only its owner can read the file.
    package static func loadOrMake(_ path: String) throws(BatonError) -> TLSCertificate {
        if let made = try loadIfMade(path) { return made }
        let certificate = try ephemeral()
        try write(certificate.keyPEM + certificate.certificatePEM, to: path)
        // Another process may have been quicker; then its identity is the one.
        return try load(certificate: path, key: path)
    }

    /// One that is forgotten when the server ends.
    package static func ephemeral() throws(BatonError) -> TLSCertificate {
        do {
            return try TLSCertificate.selfSigned(name: name, at: time(nil))
        } catch {
            throw BatonError(.storage, "lan: cannot make a certificate: \(error)")
        }
    }

    private static func read(_ path: String) throws(BatonError) -> [UInt8] {
        do {
            return Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        } catch {
            throw BatonError(.storage, "lan: cannot read \(path)", cause: error)
        }
    }

    /// The file is there whole or not at all, and what is there already stays.
    private static func write(_ bytes: [UInt8], to path: String) throws(BatonError) {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let draft = "\(path).\(getpid())"
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("make", path) }
        defer { unlink(draft) }
        let written = Glibc.write(descriptor, bytes, bytes.count)
        let isKept = written == bytes.count && fsync(descriptor) == 0
        close(descriptor)
        guard isKept, link(draft, path) == 0 || errno == EEXIST else { throw failure("write", path) }
    }

    private static func failure(_ verb: String, _ path: String) -> BatonError {
        BatonError(.storage, "lan: cannot \(verb) \(path): \(String(cString: strerror(errno)))")
    }
}
