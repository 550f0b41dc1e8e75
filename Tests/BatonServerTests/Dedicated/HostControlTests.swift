import Foundation
import NIOCore
import NIOPosix
import Netplay
import Testing

extension LifecycleTests {
    /// Dedicated hosts and their operator: the API, the command line, relays and lobbies.
    @Suite struct HostControl {
        @Test func theOperatorStartsLooksAndEnds() async throws {
            try await withHosts { hosts in
                let admin = try await hosts.admin()
                let reply = try await admin.send(
                    "POST", "/api/v1/hosts", json: #"{"core": "Fake", "file": "good", "crc": "8D8AC3C8"}"#)
                #expect(reply.status == 404, "another checksum")
                let created = try await admin.send(
                    "POST", "/api/v1/hosts", json: #"{"core": "Fake", "file": "good", "game": "Ours"}"#)
                #expect(created.status == 201)
                let host = try created.decode(HostFigures.self)
                #expect(host.state == "open" && host.game == "Ours" && host.guests == 0)
                let guest = try await hosts.join(HostingInvitation(port: UInt16(try #require(host.port))))
                #expect(try await admin.hosts().map(\.guests) == [1])
                #expect(try await admin.send("DELETE", "/api/v1/hosts/\(host.id)").status == 204)
                _ = try await guest.readToEnd()
                try await hosts.server.line("host_ended_requested")
                #expect(try await admin.hosts().isEmpty)
                #expect(try await admin.send("DELETE", "/api/v1/hosts/\(host.id)").status == 404)
                #expect(try await admin.send("POST", "/api/v1/hosts", json: "{}").status == 400)
                let nonsense = try await admin.send(
                    "POST", "/api/v1/hosts", json: #"{"core": "Fake", "file": "good", "crc": "xyz"}"#)
                #expect(nonsense.status == 400)
            }
        }

        @Test func withoutATokenNothingCanBeChanged() async throws {
            try await withHosts { hosts in
                let open = try String(contentsOf: hosts.server.configuration, encoding: .utf8)
                    .replacing(#", token: "secret""#, with: "")
                try await withServer(
                    open, environment: ["TMPDIR": hosts.directory.path, "PATH": "/usr/bin:/bin:/usr/local/bin"]
                ) { server in
                    let admin = try await server.admin()
                    #expect(try await admin.get("/api/v1/hosts").status == 200)
                    let wish = #"{"core": "Fake", "file": "good"}"#
                    #expect(try await admin.send("POST", "/api/v1/hosts", json: wish).status == 403)
                    #expect(try await admin.send("DELETE", "/api/v1/hosts/0.0").status == 403)
                    #expect(try await admin.hosts().isEmpty)
                }
                let stranger = try await hosts.server.admin(token: "wrong")
                #expect(try await stranger.send("DELETE", "/api/v1/hosts/0.0").status == 401)
            }
        }

        @Test func theDaemonServesHostsAlone() async throws {
            try await withHosts(command: ["netplay", "daemon"]) { hosts in
                let (asker, admin) = (try await hosts.asker(), try await hosts.admin())
                #expect(try await asker.ask("good") != nil)
                #expect(try await admin.status().relays.map(\.protocol) == ["dedicated"])
            }
        }

        @Test func whatIsMissingIsSaidAtTheStart() async throws {
            for (old, new, words) in [
                ("/retroarch\n", "/nothing\n", "netplay.dedicated.retroarch"),
                ("/content\n", "/nothing\n", "netplay.dedicated.content"),
                ("    cores: ", "    cores: /nothing", "netplay.dedicated.cores"),
            ] {
                try await withDirectory { directory in
                    try makeFolders(in: directory)
                    let configuration = """
                        netplay:
                          dedicated:
                            listen: "127.0.0.1:0"
                            retroarch: \(directory.path)/retroarch
                            cores: \(directory.path)/cores
                            core_info: \(directory.path)/cores
                            content: \(directory.path)/content

                        """.replacing(old, with: new)
                    try Data(configuration.utf8).write(to: directory.appending(path: "baton.yaml"))
                    let outcome = try await run(
                        ["netplay", "daemon", "--config", directory.appending(path: "baton.yaml").path],
                        environment: ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"])
                    #expect(outcome.exit == .code(69))
                    #expect(outcome.errors.contains { $0.contains(words) }, "\(outcome.errors)")
                }
            }
        }

        @Test func theDaemonNeedsItsSection() async throws {
            try await withServer("netplay: {listen: \"127.0.0.1:0\"}\n", command: ["netplay", "daemon"]) { server in
                let exit = try await server.process.exit()
                #expect(exit == .code(78))
            }
        }

        @Test func guestsComeThroughATunnel() async throws {
            try await withServer("netplay: {listen: \"127.0.0.1:0\"}\n") { tunnel in
                let address = try await tunnel.address(of: "netplay")
                let port = try #require(address.port)
                try await withHosts("relay: \"127.0.0.1:\(port)\"", command: ["netplay", "daemon"]) { hosts in
                    let asker = try await hosts.asker()
                    let invitation = try #require(try await asker.ask("good"))
                    #expect(Int(invitation.port) == port)
                    let id = try #require(invitation.session).description
                    let session = try #require(Data(base64Encoded: id))
                    let opening = Tunnel.session + Array(session)
                    let guests = [
                        try await HostingServer.join(address, saying: opening),
                        try await HostingServer.join(address, saying: opening),
                    ]
                    #expect(try await hosts.admin().hosts().map(\.guests) == [2])
                    let room = try #require(try await hosts.admin().rooms().first)
                    #expect(room.peers.map(\.endpoint) == ["127.0.0.1:0", "127.0.0.1:0"])
                    try await guests[0].close()
                    try await hosts.server.line("guest_left")
                    try await HostingServer.say("still here", guests[1])

                    tunnel.process.send(SIGKILL)
                    try await hosts.server.line("host_ended_tunnel_lost")
                    #expect(try hosts.programs().isEmpty)
                    #expect(try await asker.ask("good") == nil, "there is no relay")
                    try await hosts.server.line("host_ended_no_tunnel")
                }
            }
        }

        @Test func lobbiesHearOfHosts() async throws {
            let heard = History<String>()
            let lobby = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(StandInLobby(heard))
                    }
                }
                .bind(host: "127.0.0.1", port: 0).get()
            let port = try #require(lobby.localAddress?.port)
            try await withHosts("lobby: \"http://127.0.0.1:\(port)/\"\nnick: Ten & Co\npassword: pw") { hosts in
                let invitation = try #require(try await hosts.asker().ask("good"))
                let request = try await heard.first("an announcement") { $0.contains("spectator_count") }
                #expect(request.hasPrefix("POST /add HTTP/1.1\r\n"))
                #expect(request.contains("application/x-www-form-urlencoded"))
                for field in [
                    "username=Ten%20%26%20Co&", "&core_name=Fake&", "&core_version=2.0&", "&game_name=good&",
                    "&port=\(invitation.port)&", "&has_password=1&", "&force_mitm=0&", "&retroarch_version=1.14.0&",
                ] {
                    #expect(request.contains(field), "\(field)")
                }
                try await hosts.server.line("host_announced")
            }
            try await lobby.close()
        }
    }

    /// One host in an answer of `/api/v1/hosts`, by the names the API promises.
    struct HostFigures: Decodable {
        var id: String
        var state: String
        var core: String
        var game: String
        var file: String
        var guests: Int
        var port: Int?
        var session: String?
    }
}

extension LifecycleTests.Admin {
    func hosts() async throws -> [LifecycleTests.HostFigures] {
        struct Hosts: Decodable {
            var hosts: [LifecycleTests.HostFigures]
        }
        return try await get("/api/v1/hosts").decode(Hosts.self).hosts
    }
}

/// Takes one request, whatever it is.
private final class StandInLobby: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let heard: LifecycleTests.History<String>
    private var request = ""

    init(_ heard: LifecycleTests.History<String>) {
        self.heard = heard
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        request += String(buffer: unwrapInboundIn(data))
        guard request.contains("spectator_count=0") else { return }
        heard.append(request)
        request = ""
        context.writeAndFlush(
            wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")), promise: nil)
    }
}
