import Foundation
import Glibc
import NIOConcurrencyHelpers
import Testing

@testable import BatonServer

extension LifecycleTests {
    /// What systemd would hear, by the protocol of sd_notify(3).
    @Suite struct Supervision {
        /// The socket that systemd would have. NIO takes no datagrams whose sender has no address.
        private final class Ear: Sendable {
            let heard = History<String>()
            private let isClosed = NIOLockedValueBox(false)

            init(at path: String) throws {
                let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
                try #require(descriptor >= 0)
                var address = sockaddr_un()
                address.sun_family = sa_family_t(AF_UNIX)
                try #require(path.utf8.count < MemoryLayout.size(ofValue: address.sun_path))
                withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
                let result = withUnsafePointer(to: &address) { address in
                    address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                    }
                }
                try #require(result == 0)
                // So that the thread notices that it is to end.
                var patience = timeval(tv_sec: 0, tv_usec: 50_000)
                setsockopt(
                    descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
                Thread.detachNewThread { [heard, isClosed] in
                    var bytes = [UInt8](repeating: 0, count: 4096)
                    while !isClosed.withLockedValue({ $0 }) {
                        let count = recv(descriptor, &bytes, bytes.count, 0)
                        guard count > 0 else { continue }
                        let text = String(decoding: bytes.prefix(count), as: UTF8.self)
                        heard.append(text.replacing("\n", with: " "))
                    }
                    Glibc.close(descriptor)
                }
            }

            var signsOfLife: Int { heard.all.count { $0.hasPrefix("WATCHDOG=1") } }

            func close() { isClosed.withLockedValue { $0 = true } }
        }

        private func withEar(_ body: (Ear, [String: String]) async throws -> Void) async throws {
            try await withDirectory { directory in
                let path = directory.appending(path: "notify").path
                let ear = try Ear(at: path)
                defer { ear.close() }
                try await body(ear, ["NOTIFY_SOCKET": path, "WATCHDOG_USEC": "600000"])
            }
        }

        @Test func itHearsTheWholeLife() async throws {
            try await withEar { ear, environment in
                try await withServer(environment: environment) { server in
                    _ = try await ear.heard.first("ready") { $0 == "READY=1" }
                    #expect(server.log.contains { $0.event == "listening" && $0.fields["protocol"] == "admin" })
                    _ = try await ear.heard.first("a sign of life") {
                        $0.wholeMatch(of: /WATCHDOG=1 STATUS=running: 0 peers, 0 rooms, 2 relays/) != nil
                    }
                    let anna = try await JSONClient.named("anna", at: try await server.address(of: "json"))
                    _ = try await ear.heard.first("a player") { $0.contains("STATUS=running: 1 peers, 1 rooms") }
                    server.process.send(SIGHUP)
                    _ = try await ear.heard.first("a reload") {
                        $0.wholeMatch(of: /RELOADING=1 MONOTONIC_USEC=[0-9]+/) != nil
                    }
                    try await eventually("the end of it") {
                        let after = ear.heard.all.drop { !$0.hasPrefix("RELOADING=1") }
                        return after.contains("READY=1")
                    }
                    server.process.send(SIGTERM)
                    _ = try await ear.heard.first("a drain that takes its time") {
                        $0.wholeMatch(of: /WATCHDOG=1 STATUS=draining: 1 peers.* EXTEND_TIMEOUT_USEC=1200000/) != nil
                    }
                    try await anna.connection.close()
                    _ = try await ear.heard.first("the end") { $0 == "STOPPING=1 STATUS=stopping" }
                    #expect(try await server.process.exit() == .code(0))
                }
            }
        }

        /// Beside one that is well and tells how time passes.
        @Test func aServerWhoseLoopHangsIsSilent() async throws {
            try await withEar { stuck, itsEnvironment in
                try await withEar { well, environment in
                    let asked = NIOLockedValueBox(0)
                    let (gate, opening) = AsyncStream.makeStream(of: Void.self)
                    let hanging = Self.service(itsEnvironment) {
                        let number = asked.withLockedValue { asked in
                            asked += 1
                            return asked
                        }
                        if number == 3 { for await _ in gate { break } }
                        return []
                    }
                    let other = Self.service(environment) { [] }
                    try await withThrowingTaskGroup { group in
                        group.addTask { try await hanging.run() }
                        group.addTask { try await other.run() }
                        defer { group.cancelAll() }
                        try await eventually("it hangs") {
                            asked.withLockedValue { $0 } == 3 && stuck.signsOfLife == 2
                        }
                        let before = well.signsOfLife
                        try await eventually("the other goes on") { well.signsOfLife >= before + 20 }
                        #expect(stuck.signsOfLife == 2)
                        opening.yield()
                        try await eventually("a sign of life again") { stuck.signsOfLife > 2 }
                    }
                }
            }
        }

        private static func service(
            _ environment: [String: String], _ statuses: @escaping @Sendable () async throws -> [RelayStatus]
        ) -> SupervisorService {
            var environment = environment
            environment["WATCHDOG_USEC"] = "30000"
            return SupervisorService(
                supervisor: Supervisor(environment: environment), phase: ServerPhase(), statuses: statuses)
        }
    }
}
