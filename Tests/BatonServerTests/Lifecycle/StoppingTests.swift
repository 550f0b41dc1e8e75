import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    /// INT, and TERM where there is nothing to wait for.
    @Suite struct Stopping {
        @Test(arguments: [SIGINT, SIGTERM])
        func withoutRoomsASignalEndsItAtOnce(_ signal: Int32) async throws {
            try await withServer { server in
                #expect(try await server.admin().get("/readyz").status == 200)
                server.process.send(signal)
                let exit = try await server.process.exit(within: .seconds(10))
                #expect(exit == .code(0))
            }
        }

        /// Whoever waits for the line may signal as soon as it is there.
        @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
        func signalsCountFromTheFirstLineOn(_ signal: Int32) async throws {
            for _ in 0..<5 {
                try await withServer { server in
                    _ = try await server.address(of: "json")
                    server.process.send(signal)
                    if signal == SIGHUP {
                        try await server.line("reloaded", within: .seconds(10))
                        server.process.send(SIGINT)
                    }
                    let exit = try await server.process.exit(within: .seconds(10))
                    #expect(exit == .code(0))
                }
            }
        }

        @Test func interruptDoesNotWaitForRooms() async throws {
            try await withServer { server in
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                let pair = try await host.join()
                try await pair.play()
                let client = try await JSONClient.named("a", at: try await server.address(of: "json"))
                server.process.send(SIGINT)
                let goodbye = try await client.receive()
                #expect(goodbye["payloadType"] == "ERROR")
                #expect(goodbye["payload"] == "Server going down")
                #expect(try await client.connection.readToEnd().readableBytes == 0)
                for connection in [host.connection, pair.guest, pair.link] {
                    #expect(try await connection.readToEnd().readableBytes == 0)
                }
                let exit = try await server.process.exit(within: .seconds(10))
                #expect(exit == .code(0))
                let reasons = Set(server.log.filter { $0.event == "connection_closed" }.map { $0.fields["reason"] })
                #expect(reasons.contains("server_stopping"), "\(reasons)")
                #expect(server.log.last?.event == "stopped")
            }
        }

        /// Clients of the admin listener that ask for nothing hold nothing up.
        @Test func idleRequestsDoNotHoldTheEndUp() async throws {
            try await withServer { server in
                let address = try await server.address(of: "admin")
                let half = try await Connection.open(to: address, closesAtEnd: false)
                half.write("GET /livez HTT".utf8)
                let idle = try await Connection.open(to: address, closesAtEnd: false)
                idle.write("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
                _ = try await idle.read(15)
                server.process.send(SIGINT)
                let exit = try await server.process.exit(within: .seconds(10))
                #expect(exit == .code(0))
                for connection in [half, idle] { try await connection.close() }
            }
        }

        /// Clients that do not close hold the end up for a moment only, and a second signal does not spoil it.
        @Test(arguments: [nil, SIGINT, SIGTERM, SIGHUP])
        func clientsThatStayDoNotHoldTheEndUp(_ another: Int32?) async throws {
            try await withServer { server in
                let address = try await server.address(of: "netplay")
                let admin = try await server.admin()
                let silent = try await Connection.open(to: address, closesAtEnd: false)
                let deaf = try await Connection.open(to: address, isReading: false, closesAtEnd: false)
                try await eventually("the silent clients are admitted") {
                    try await admin.status().relay("netplay").peers == 2
                }
                server.process.send(SIGINT)
                #expect(try await silent.readToEnd().readableBytes == 0)
                if let another { server.process.send(another) }
                let exit = try await server.process.exit(within: .seconds(10))
                #expect(exit == .code(0))
                for connection in [silent, deaf] { try await connection.close() }
            }
        }
    }
}
