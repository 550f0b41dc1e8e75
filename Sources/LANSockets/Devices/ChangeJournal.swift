import Foundation
import Glibc

/// What a running end of the tunnel has changed of the machine, in a file: if the program dies, the next one undoes it.
///
/// A file has the name of its process. It is made before the change, so that nothing is forgotten.
package final class ChangeJournal {
    package struct Offloaded: Codable, Equatable {
        package var link: String
        package var offloads: Offloads
    }

    struct Entry: Codable, Equatable {
        var process: Int32
        /// When the process was started, in the kernel's ticks: numbers of processes are used again.
        var started: UInt64
        /// The network namespace the changes are in.
        var namespace: UInt64
        var routes: [Route] = []
        var offloaded: [Offloaded] = []
    }

    package static let folder = "/run/baton-lan"

    private let path: String
    private var entry: Entry

    package init(folder: String = ChangeJournal.folder) {
        let process = getpid()
        entry = Entry(
            process: process, started: Self.startTime(of: process) ?? 0, namespace: Self.namespace(of: "self") ?? 0)
        path = "\(folder)/\(process).json"
        try? FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    }

    func set(routes: [Route]) {
        entry.routes = routes
        save()
    }

    /// Notes which offloads were on and are being switched off.
    package func add(_ offloads: Offloads, of link: Link) {
        entry.offloaded.append(Offloaded(link: link.name, offloads: offloads))
        save()
    }

    /// Switches on again what was switched off.
    package func restoreOffloads() {
        for change in entry.offloaded { Link(change.link).set(change.offloads, isOn: true) }
        entry.offloaded = []
        save()
    }

    private func save() {
        if entry.routes.isEmpty, entry.offloaded.isEmpty {
            unlink(path)
            return
        }
        guard let data = try? JSONEncoder().encode(entry) else { return }
        try? data.write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    /// Undoes what processes left behind that are no more, in this network namespace. Returns what it undid, in words.
    package static func undoLeftovers(folder: String = ChangeJournal.folder) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(".json") }.flatMap { undo("\(folder)/\($0)") }
    }

    private static func undo(_ path: String) -> [String] {
        guard let data = FileManager.default.contents(atPath: path),
            let entry = try? JSONDecoder().decode(Entry.self, from: data),
            startTime(of: entry.process) != entry.started, namespace(of: "self") == entry.namespace
        else { return [] }
        var undone: [String] = []
        for route in entry.routes where (try? route.remove()) != nil { undone.append("removed the route to \(route)") }
        for change in entry.offloaded {
            Link(change.link).set(change.offloads, isOn: true)
            undone.append("switched the offloads of \(change.link) on again")
        }
        unlink(path)
        return undone
    }

    /// The network namespace of this process; 0 if the system does not say.
    package static var ownNamespace: UInt64 { namespace(of: "self") ?? 0 }

    private static func namespace(of process: String) -> UInt64? {
        var status = stat()
        return stat("/proc/\(process)/ns/net", &status) == 0 ? UInt64(status.st_ino) : nil
    }

    /// `nil` if there is no such process.
    private static func startTime(of process: Int32) -> UInt64? {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            let name = text.lastIndex(of: ")")
        else { return nil }
        // The 22nd field; the third follows the name.
        let fields = text[text.index(after: name)...].split(separator: " ")
        return fields.count > 19 ? UInt64(fields[19]) : nil
    }
}
