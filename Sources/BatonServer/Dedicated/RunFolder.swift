import Foundation
import Glibc

/// Where a server keeps the folders of its hosts. What servers left behind that were killed is removed on the way.
///
/// Each server has a folder of its own and holds a lock in it for as long as it lives: a folder whose lock can be had
/// belongs to nobody any more.
final class RunFolder: Sendable {
    let path: String
    private let lock: Int32

    /// - Parameter place: where temporary files go.
    init(in place: String = FileManager.default.temporaryDirectory.path) throws {
        let all = "\(place)/baton-hosts-\(geteuid())"
        try Self.makePrivate(all)
        // While one server looks for leftovers nobody makes a folder that is not locked yet.
        let gate = try Self.open(all + "/lock")
        defer { close(gate) }
        guard flock(gate, LOCK_EX) == 0 else { throw POSIXError(.ENOLCK) }
        for name in try FileManager.default.contentsOfDirectory(atPath: all) where name != "lock" {
            Self.removeIfAbandoned("\(all)/\(name)")
        }
        path = "\(all)/\(UUID().uuidString)"
        try Self.makePrivate(path)
        lock = try Self.open(path + "/lock")
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else { throw POSIXError(.ENOLCK) }
    }

    func remove() {
        try? FileManager.default.removeItem(atPath: path)
    }

    deinit {
        close(lock)
    }

    private static func removeIfAbandoned(_ folder: String) {
        guard let lock = try? open(folder + "/lock") else { return }
        defer { close(lock) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else { return }
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Makes sure that the folder is there and that nobody else can put anything into it.
    private static func makePrivate(_ path: String) throws {
        if mkdir(path, 0o700) != 0, errno != EEXIST { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        guard attributes[.type] as? FileAttributeType == .typeDirectory,
            (attributes[.ownerAccountID] as? NSNumber)?.uint32Value == geteuid(),
            let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue, mode & 0o022 == 0
        else {
            throw BatonError(.noPermission, "\(path) is not a folder that only this user can write to")
        }
    }

    private static func open(_ path: String) throws -> Int32 {
        let file = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        return file
    }
}
