import Foundation
import NIOCore
import RelayCore
import RelayNIO
import SOE
import SOEGateway
import Testing

extension LifecycleTests {
    /// The SOE gateway as clients, a backend and operators meet it.
    @Suite struct Gateway {
        /// A server with a gateway, a backend, and one client that the backend has heard.
        private struct Table {
            let server: RunningServer
            let backend: GameBackend
            let address: Endpoint
            let client: GameClient
            let number: SessionNumber

            /// Lets the client do its part until something is so.
            func until(_ what: String, _ condition: () async throws -> Bool) async throws {
                try await LifecycleTests.eventually(what) {
                    client.step()
                    return try await condition()
                }
            }
        }

        private static func configuration(backend: GameBackend, _ rest: String = "") -> String {
            """
            soe: {listen: "127.0.0.1:0", backend: "127.0.0.1:\(backend.port)"\(rest.isEmpty ? "" : ", \(rest)")}
            admin: {listen: "127.0.0.1:0", token: "open-sesame"}

            """
        }

        private func withTable(_ body: (Table) async throws -> Void) async throws {
            let backend = try await GameBackend.start()
            do {
                try await withServer(Self.configuration(backend: backend)) { server in
                    let line = try await server.line("listening") { $0.fields["protocol"] == "soe" }
                    #expect(line.level == "notice" || line.level == "info")
                    try await server.line("backend_connected")
                    let address = try #require(try await server.address(of: "soe").endpoint)
                    let client = try GameClient(from: "127.0.0.1", to: address, parameters: Self.parameters)
                    client.say("hello")
                    try await LifecycleTests.eventually("the backend hears of the client") {
                        client.step()
                        return backend.opened.count == 1
                    }
                    let number = try #require(backend.opened.first?.number)
                    try await body(
                        Table(server: server, backend: backend, address: address, client: client, number: number))
                }
            } catch {
                try await backend.stop()
                throw error
            }
            try await backend.stop()
        }

        private static var parameters: SOEParameters {
            var parameters = SOEParameters()
            parameters.protocolName = "LoginUdp_9"
            return parameters
        }

        @Test func aClientIsServedAndShown() async throws {
            try await withTable { table in
                table.backend.say(.data(table.number, .reliable0, ByteBuffer(string: "welcome")))
                try await table.until("the client is answered") { table.client.texts() == ["welcome"] }
                try await table.until("the message arrives") { !table.backend.messages(of: table.number).isEmpty }

                let admin = try await table.server.admin(token: "open-sesame")
                let room = try #require(try await admin.rooms().first { $0.protocol == "soe" })
                #expect(room.peers.map(\.endpoint) == ["\(table.client.endpoint)"])
                #expect(room.peers.map(\.role) == ["client"])
                let status = try await admin.status().relay("soe")
                #expect(status.listeners == ["\(table.address)"])
                #expect(status.peers == 1 && status.rooms == 1 && status.connectionsOpened == 1)
                #expect(status.bytesRelayed == 12 && status.bytesReceived > 5)

                let metrics = try await admin.metrics()
                #expect(metrics.strange.isEmpty)
                let soe = ["protocol": "soe"]
                #expect(metrics.value("baton_peers", soe) == 1)
                #expect(metrics.value("baton_soe_backend_connected") == 1)
                for name in ["datagrams_received", "datagrams_sent", "sent_bytes", "packets_sent"] {
                    #expect(metrics.value("baton_soe_\(name)_total") > 0, "\(name)")
                }
                for name in [
                    "packets_resent", "packets_repeated", "bad_crc", "dropped", "strangers", "late_frames",
                    "datagrams_not_sent",
                ] {
                    #expect(metrics.kinds["baton_soe_\(name)_total"] == "counter", "\(name)")
                    #expect(metrics.helped.contains("baton_soe_\(name)_total"), "\(name)")
                }
            }
        }

        @Test func aClientIsPartedFromByTheOperator() async throws {
            try await withTable { table in
                let admin = try await table.server.admin(token: "open-sesame")
                let peer = try #require(try await admin.rooms().flatMap(\.peers).first).peer
                let path = "/api/v1/peers/soe/\(peer)"
                let unknown = try await table.server.admin().send("DELETE", path)
                #expect(unknown.status == 401)
                #expect(try await admin.send("DELETE", path).status == 204)
                try await table.until("the client is parted from") { table.client.end != nil }
                #expect(table.client.end == .application && table.client.endedByGateway)
                try await table.until("the backend is told") { !table.backend.closed.isEmpty }
                #expect(try await admin.send("DELETE", path).status == 404)
                #expect(try await admin.status().relay("soe").closed["application"] == 1)
            }
        }

        @Test func aReloadIsForNewSessions() async throws {
            try await withTable { table in
                try table.server.rewriteConfiguration(
                    Self.configuration(backend: table.backend, "protocols: [Other_1]"))
                table.server.process.send(SIGHUP)
                try await table.server.line("reloaded")
                let late = try GameClient(from: "127.0.0.1", to: table.address, parameters: Self.parameters)
                try await table.until("the late one is refused") {
                    late.step()
                    return late.end == .protocolMismatch
                }
                table.client.say("still here")
                try await table.until("the client is heard") {
                    table.backend.messages(of: table.number).last == ByteBuffer(string: "still here")
                }
            }
        }

        @Test(arguments: [SIGTERM, SIGINT])
        func aSignalEndsSessionsWithADisconnect(_ signal: Int32) async throws {
            try await withTable { table in
                try table.server.rewriteConfiguration(
                    Self.configuration(backend: table.backend) + "drain_timeout: 0s\n")
                table.server.process.send(SIGHUP)
                try await table.server.line("reloaded")
                table.server.process.send(signal)
                try await table.until("the client is told") { table.client.end != nil }
                #expect(table.client.end == .application && table.client.endedByGateway)
                try await table.until("the backend is told") { !table.backend.closed.isEmpty }
                #expect(table.backend.closed.map(\.number) == [table.number])
                let exit = try await table.server.process.exit(within: .seconds(20))
                #expect(exit == .code(0))
            }
        }
    }
}
