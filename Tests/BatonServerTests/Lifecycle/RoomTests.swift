import Foundation
import NIOCore
import Netplay
import Testing

extension LifecycleTests {
    /// Rooms without a host, as an operator sees them.
    @Suite struct HostlessRooms {
        private static func configuration(_ rooms: String) -> String {
            """
            netplay:
              listen: "127.0.0.1:0"
              rooms: {listen: "127.0.0.1:0"\(rooms)}
            admin: {listen: "127.0.0.1:0"}

            """
        }

        @Test func roomsAreListedAndCounted() async throws {
            try await withServer(Self.configuration("")) { server in
                let admin = try await server.admin()
                let guest = try await Self.join(try await server.address(of: "netplay_rooms"))
                try await eventually("the guest is in") {
                    try await admin.rooms().first?.peers.first?.role == "spectator"
                }
                let room = try #require(try await admin.rooms().first)
                #expect(room.protocol == "netplay_rooms")
                #expect(room.id == "core/00000001")
                #expect(room.peers.map(\.name) == ["ann"])
                let metrics = try await admin.metrics()
                #expect(metrics.value("baton_rooms", ["protocol": "netplay_rooms"]) == 1)
                #expect(metrics.value("baton_events_total", ["event": "guest_joined"]) == 1)
                try await guest.close()
                try await server.line("room_closed")
            }
        }

        @Test func passwordIsReloadedAndNeverShown() async throws {
            try await withServer(Self.configuration(", password: sesame, max_state_bytes: 1MiB")) { server in
                let address = try await server.address(of: "netplay_rooms")
                #expect(try await Self.salt(at: address) != 0)
                try server.rewriteConfiguration(Self.configuration(""))
                server.process.send(SIGHUP)
                try await server.line("reloaded")
                #expect(try await Self.salt(at: address) == 0)
                let line = try await server.line("restart_needed")
                #expect(line.fields["settings"]?.contains("netplay.rooms.max_state_bytes") == true)
                #expect(!server.process.errors.all.contains { $0.contains("sesame") })
            }
        }

        @Test func drainWaitsForRoomsAndTakesNoNewOnes() async throws {
            try await withServer(Self.configuration("")) { server in
                let address = try await server.address(of: "netplay_rooms")
                let guest = try await Self.join(address)
                try await server.line("guest_joined")
                server.process.send(SIGTERM)
                try await server.line("draining")
                try await eventually("there is no room for more") {
                    let poke = try await Connection.open(to: address)
                    poke.write(Array("POKE".utf8))
                    return try await poke.read(4) == Array("FULL".utf8)
                }
                #expect(server.log.contains { $0.event == "stopping" } == false)
                try await guest.close()
                let exit = try await server.process.exit()
                #expect(exit == .code(0))
            }
        }

        /// A guest that has said all that it needs to be in.
        private static func join(_ address: SocketAddress) async throws -> Connection {
            let connection = try await Connection.open(to: address)
            var bytes = ByteBuffer()
            NetplayHeader(compression: 1, salt: 6, protocolVersion: 5).encode(into: &bytes)
            bytes.writeImmutableBuffer(NetplayNick("ann").encoded)
            let info = NetplayInfo(contentCRC: 1, coreName: "Core", coreVersion: "1").encoded
            bytes.writeImmutableBuffer(info)
            bytes.writeImmutableBuffer(info)
            connection.write(bytes.readableBytesView)
            _ = try await connection.read(NetplayHeader.size)
            return connection
        }

        private static func salt(at address: SocketAddress) async throws -> UInt32 {
            let connection = try await Connection.open(to: address)
            var bytes = ByteBuffer()
            NetplayHeader(compression: 1, salt: 6, protocolVersion: 5).encode(into: &bytes)
            connection.write(bytes.readableBytesView)
            var answer = ByteBuffer(bytes: try await connection.read(NetplayHeader.size))
            try await connection.close()
            return try #require(try NetplayHeader.decode(from: &answer)).salt
        }
    }
}
