import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    /// TERM while people play.
    @Suite struct Draining {
        @Test func aRoomIsPlayedToItsEnd() async throws {
            try await withServer { server in
                let (address, admin) = (try await server.address(of: "netplay"), try await server.admin())
                let host = try await Tunnel.Host(at: address)
                let pair = try await host.join()
                try await pair.play()

                server.process.send(SIGTERM)
                try await server.line("draining")
                try await eventually("not ready") { try await admin.get("/readyz").status == 503 }
                #expect(try await admin.get("/livez").status == 200)
                #expect(try await admin.status().phase == "draining")
                #expect(try await admin.metrics().value("baton_ready") == 0)

                try await pair.play(rounds: 50)
                await #expect(throws: EndedEarly.self, "a new session is refused") {
                    try await Tunnel.Host(at: address)
                }
                let late = try await host.join()
                try await late.play(rounds: 10)
                try await pair.play(rounds: 50)
                let refused = try await admin.metrics()
                #expect(refused.value("baton_connections_closed_total", ["reason": "server_draining"]) == 1)

                try await late.close()
                try await pair.close()
                #expect(server.process.isRunning)
                try await host.close()
                let exit = try await server.process.exit(within: .seconds(10))
                #expect(exit == .code(0))
            }
        }

        @Test func aPairWithoutItsHostIsPlayedToItsEnd() async throws {
            try await withServer { server in
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                let pair = try await host.join()
                server.process.send(SIGTERM)
                try await server.line("draining")
                try await host.close()
                try await server.line("host_left")
                try await pair.play(rounds: 50)
                #expect(server.process.isRunning)
                try await pair.close()
                let exit = try await server.process.exit(within: .seconds(10))
                #expect(exit == .code(0))
            }
        }

        @Test func aSecondTerminateDoesNotWait() async throws {
            try await withServer { server in
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                server.process.send(SIGTERM)
                try await server.line("draining")
                server.process.send(SIGTERM)
                #expect(try await host.connection.readToEnd().readableBytes == 0)
                let exit = try await server.process.exit(within: .seconds(10))
                #expect(exit == .code(0))
            }
        }

        @Test func aDrainThatTakesTooLongEnds() async throws {
            try await withServer(everything + "drain_timeout: 300ms\n") { server in
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                let started = ContinuousClock.now
                server.process.send(SIGTERM)
                #expect(try await host.connection.readToEnd().readableBytes == 0)
                #expect(ContinuousClock.now - started >= .milliseconds(300))
                let exit = try await server.process.exit(within: .seconds(10))
                #expect(exit == .code(0))
            }
        }

        @Test func clientsWithAnIdTalkOnAndOthersGetNone() async throws {
            try await withServer(everything + "drain_timeout: 1m\n") { server in
                let (address, admin) = (try await server.address(of: "json"), try await server.admin())
                let (anna, bert) = (
                    try await JSONClient.named("anna", at: address), try await JSONClient.named("bert", at: address)
                )
                server.process.send(SIGTERM)
                try await eventually("not ready") { try await admin.get("/readyz").status == 503 }

                for round in 0..<20 {
                    try anna.send("message \(round)", to: "bert")
                    #expect(try await bert.receive()["payload"] == "message \(round)")
                }
                let late = try await JSONClient(at: address)
                try late.send(["payloadType": "INIT", "source": "carl"])
                let refusal = try await late.receive()
                #expect(refusal["payloadType"] == "ERROR")
                #expect(refusal["payload"] == "Server going down")
                try anna.send("still here", to: "bert")
                #expect(try await bert.receive()["payload"] == "still here")

                server.process.send(SIGTERM)
                for client in [anna, bert] {
                    let goodbye = try await client.receive()
                    #expect(goodbye["payloadType"] == "ERROR")
                    #expect(goodbye["payload"] == "Server going down")
                    #expect(try await client.connection.readToEnd().readableBytes == 0)
                }
                let exit = try await server.process.exit(within: .seconds(10))
                #expect(exit == .code(0))
            }
        }

        @Test func aReloadDoesNotEndADrain() async throws {
            try await withServer(everything + "drain_timeout: 10m\n") { server in
                let host = try await Tunnel.Host(at: try await server.address(of: "netplay"))
                server.process.send(SIGTERM)
                try await server.line("draining")
                server.process.send(SIGHUP)
                try await server.line("reloaded")
                try await host.join().play()
                server.process.send(SIGINT)
                let exit = try await server.process.exit(within: .seconds(10))
                #expect(exit == .code(0))
            }
        }
    }
}
