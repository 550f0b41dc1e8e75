import Foundation
import Glibc
package import LANBridge

/// Who this machine is to relays: the address of its virtual card, and a secret by which it takes its place back. Made
/// once and kept, so that the party's DHCP server and friends know it again.
package struct EndIdentity: Sendable, Equatable {
    package var mac: MACAddress
    package var key: String

    /// Where it is kept if nobody says otherwise.
    package static var usualPath: String {
        if geteuid() == 0 { return "/var/lib/baton-lan/identity.json" }
        let environment = ProcessInfo.processInfo.environment
        let state = environment["XDG_STATE_HOME"] ?? (environment["HOME"] ?? "/tmp") + "/.local/state"
        return state + "/baton-lan/identity.json"
    }

    private struct Stored: Codable {
        var mac: String
        var key: String
    }

    /// A file that is there and cannot be used.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    private static func random() -> EndIdentity {
        var generator = SystemRandomNumberGenerator()
        let key = (0..<2).map { _ in
            let digits = String(UInt64.random(in: .min ... .max, using: &generator), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
        return EndIdentity(mac: .random(using: &generator), key: key)
    }

    /// Reads the file, or makes it. Only its owner can read it.
    package static func loadOrMake(_ path: String) throws(Failure) -> EndIdentity {
        if let data = FileManager.default.contents(atPath: path) {
            guard let stored = try? JSONDecoder().decode(Stored.self, from: data), let mac = MACAddress(stored.mac),
                mac.isStation
            else { throw Failure(description: "\(path) is no identity; remove it, and another one is made") }
            return EndIdentity(mac: mac, key: stored.key)
        }
        let identity = random()
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        try? FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let stored = Stored(mac: identity.mac.description, key: identity.key)
        let isWritten = (try? encoder.encode(stored)).map {
            FileManager.default.createFile(atPath: path, contents: $0, attributes: [.posixPermissions: 0o600])
        }
        guard isWritten == true else { throw Failure(description: "cannot write \(path)") }
        return identity
    }
}
