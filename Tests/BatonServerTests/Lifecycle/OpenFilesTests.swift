import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    /// The command that changes what a running process may have.
    enum OpenFilesLimit {
        static let tool = "/usr/bin/prlimit"

        /// Sets how many descriptors a process may have from now on.
        static func set(_ limit: Int, for server: RunningServer) async throws {
            let arguments = ["--pid", "\(server.process.identifier)", "--nofile=\(limit):"]
            let outcome = try await run(arguments, executable: URL(filePath: tool))
            try #require(outcome.exit == .code(0), "\(outcome.errors)")
        }
    }

    /// A server that has no file descriptor left.
    @Suite(.enabled(if: FileManager.default.isExecutableFile(atPath: OpenFilesLimit.tool))) struct OpenFiles {
        @Test(arguments: ["netplay", "json", "admin"])
        func playGoesOnAndNewcomersAreServedLater(_ exhausted: String) async throws {
            try await withServer { server in
                let admin = try await server.admin()
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                let pair = try await host.join()
                try await pair.play()
                let clients = try await server.address(of: "json")
                let (anna, bert) = (
                    try await JSONClient.named("anna", at: clients), try await JSONClient.named("bert", at: clients)
                )

                try await OpenFilesLimit.set(try server.limitForFourMoreFiles(), for: server)
                let address = try await server.address(of: exhausted)
                var waiting: [Connection] = []
                for _ in 0..<16 { waiting.append(try await .open(to: address)) }
                let line = try await server.line("accept_failed")
                #expect(line.level == "error")
                #expect(line.fields["protocol"] == exhausted)

                // Over a while, for what is looked for is a loop that takes a whole processor.
                let (begin, used) = (ContinuousClock.now, try server.processorTime())
                while ContinuousClock.now - begin < .seconds(2) {
                    try await pair.play()
                    try anna.send("hello", to: "bert")
                    #expect(try await bert.receive()["payload"] == "hello")
                    try await Task.sleep(for: .milliseconds(20))
                }
                let share = (try server.processorTime() - used) / (ContinuousClock.now - begin)
                #expect(share < 0.5, "a server that cannot accept waits before it tries again")
                let failures = server.log.filter { $0.event == "accept_failed" }.count
                #expect(failures < 20, "and does not fill the disk with lines about it")

                // Connects now and is answered once descriptors are there again.
                async let health = admin.get("/livez").status
                try await OpenFilesLimit.set(4096, for: server)
                #expect(try await health == 200)
                if exhausted != "admin" {
                    try await eventually("those who waited are served") {
                        try await admin.status().relay(exhausted).peers >= 16
                    }
                }
                try await Tunnel.Host(at: host.address).join().play()
                _ = try await JSONClient.named("carl", at: clients)
                try await pair.play()
                for connection in waiting { try await connection.close() }
            }
        }
    }
}

extension LifecycleTests.RunningServer {
    /// Descriptors are numbered from the lowest free one on, and the limit is one of numbers.
    fileprivate func limitForFourMoreFiles() throws -> Int {
        let open = Set(try openFiles())
        var (limit, free) = (0, 0)
        while free < 4 {
            if !open.contains(limit) { free += 1 }
            limit += 1
        }
        return limit
    }
}
