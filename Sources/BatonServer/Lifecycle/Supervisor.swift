import Foundation
import Glibc
import RelayCore
import RelayNIO
import ServiceLifecycle

/// Tells systemd how the server is, as sd_notify(3) describes it: a datagram to the socket that the environment names.
/// Without one, nobody is told.
package struct Supervisor: Sendable {
    private let path: String?
    /// How often it must hear that all is well; `nil` if it need not.
    let patience: Duration?

    package init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        path = environment["NOTIFY_SOCKET"].flatMap { $0.isEmpty ? nil : $0 }
        let isOurs = environment["WATCHDOG_PID"].map { $0 == String(getpid()) } ?? true
        patience = isOurs ? environment["WATCHDOG_USEC"].flatMap { Int64($0) }.map { .microseconds($0) } : nil
    }

    var isThere: Bool { path != nil }

    func tell(_ lines: String...) {
        guard let path else { return }
        let name = Array(path.utf8)
        var address = sockaddr_un()
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { place in
            place.copyBytes(from: name)
            // A name that is no file's begins with a zero.
            if name.first == UInt8(ascii: "@") { place[0] = 0 }
        }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let text = Array(lines.joined(separator: "\n").utf8)
        _ = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                sendto(descriptor, text, text.count, Int32(MSG_NOSIGNAL), address, length)
            }
        }
    }

    /// The configuration is being read again; `ready` follows.
    func reloading() {
        tell("RELOADING=1", "MONOTONIC_USEC=\(Instant.now.nanoseconds / 1000)")
    }

    func ready() { tell("READY=1") }
}

/// Keeps the supervisor told, as long as the event loops of all relays answer: should one hang, it hears nothing more, and
/// starts the server anew.
struct SupervisorService: Service {
    let supervisor: Supervisor
    let phase: ServerPhase
    /// Asks all relays, on their event loops.
    let statuses: @Sendable () async throws -> [RelayStatus]

    private static let interval = Duration.seconds(10)

    func run() async throws {
        guard supervisor.isThere else { return try await gracefulShutdown() }
        supervisor.ready()
        let interval = supervisor.patience.map { min($0 / 3, Self.interval) } ?? Self.interval
        await cancelWhenGracefulShutdown {
            repeat { await tell(interval) } while (try? await Task.sleep(for: interval)) != nil
        }
        supervisor.tell("STOPPING=1", "STATUS=stopping")
    }

    private func tell(_ interval: Duration) async {
        guard let statuses = try? await statuses() else { return }
        let (peers, rooms) = statuses.reduce((0, 0)) { ($0.0 + $1.peers, $0.1 + $1.rooms) }
        let phase = phase.current
        let status = "STATUS=\(phase): \(peers) peers, \(rooms) rooms, \(statuses.count) relays"
        guard phase == .draining else { return supervisor.tell("WATCHDOG=1", status) }
        // However long people may play on: it does not lose patience before us.
        let more = (interval * 6).wholeMicroseconds
        supervisor.tell("WATCHDOG=1", status, "EXTEND_TIMEOUT_USEC=\(more)")
    }
}

extension Duration {
    fileprivate var wholeMicroseconds: Int64 {
        components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000
    }
}
