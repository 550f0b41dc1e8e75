import Foundation
import NIOCore
import Netplay
import Testing

extension LifecycleTests {
    /// Dedicated hosts, asked for by datagrams.
    @Suite struct Hosting {
        @Test func aRequestStartsAHostAndIdlenessEndsIt() async throws {
            try await withHosts("idle_timeout: 1s") { hosts in
                let asker = try await hosts.asker()
                let invitation = try await asker.ask("good")
                #expect(invitation?.session == nil)
                #expect(try hosts.programs().count == 1)
                let guest = try await hosts.join(invitation)
                let rooms = try await hosts.admin().rooms().filter { $0.protocol == "dedicated" }
                let local = try #require(guest.channel.localAddress?.port)
                #expect(rooms.map { $0.peers.map(\.endpoint) } == [["127.0.0.1:\(local)"]])
                try await guest.close()
                try await hosts.server.line("host_ended_idle")
                #expect(try hosts.programs().isEmpty && hosts.hostFolders().isEmpty)
                let metrics = try await hosts.admin().metrics()
                #expect(metrics.value("baton_rooms", ["protocol": "dedicated"]) == 0)
                #expect(metrics.value("baton_relayed_bytes_total", ["protocol": "dedicated"]) > 24)
                #expect(metrics.value("baton_events_total", ["event": "guest_joined"]) == 1)
            }
        }

        @Test func theSameRequestAgainIsTheSameHost() async throws {
            try await withHosts { hosts in
                let (one, two) = (try await hosts.asker(), try await hosts.asker())
                let port = try #require(try await one.ask("good"))
                #expect(try await one.ask("good") == port)
                #expect(try await two.ask("good") == port)
                let other = try await one.ask("good", game: "another room")
                #expect(other != nil && other != port)
                #expect(try hosts.programs().count == 2)
                #expect(try await one.ask("better") == nil, "an address may have two")
                let stranger = try await hosts.asker(from: "127.0.0.2")
                #expect(try await stranger.ask("better") != nil)
            }
        }

        /// A question whether the host is there keeps nobody waiting, and is no guest.
        @Test func pokesAreAnsweredAndDoNotCount() async throws {
            try await withHosts("idle_timeout: 2s") { hosts in
                let port = try #require(try await hosts.asker().ask("good")).port
                let address = try SocketAddress(ipAddress: "127.0.0.1", port: Int(port))
                for _ in 0..<3 {
                    let poke = try await Connection.open(to: address)
                    poke.write("POKE".utf8)
                    #expect(try await poke.readToEnd().readableBytes == 24)
                }
                let stranger = try await Connection.open(to: address)
                stranger.write("GET / HTTP/1.1\r\n\r\n".utf8)
                #expect(try await stranger.readToEnd().readableBytes == 0)
                _ = try await Connection.open(to: address)
                try await hosts.server.line("host_ended_idle")
                let metrics = try await hosts.admin().metrics()
                #expect(metrics.value("baton_events_total", ["event": "guest_joined"]) == 0)
                #expect(metrics.value("baton_connections_closed_total", ["reason": "no_netplay"]) == 1)
            }
        }

        @Test func nothingButNamesOfContentIsFound() async throws {
            try await withHosts("requests_burst: 1000") { hosts in
                let content = hosts.directory.appending(path: "content")
                let outside = hosts.directory.appending(path: "outside.rom")
                try Data("secret".utf8).write(to: outside)
                let files = FileManager.default
                try files.createSymbolicLink(at: content.appending(path: "linked.rom"), withDestinationURL: outside)
                try files.createSymbolicLink(
                    at: content.appending(path: "inside.rom"), withDestinationURL: content.appending(path: "good.rom"))
                let asker = try await hosts.asker()
                hosts.process.send(SIGHUP)
                try await hosts.server.line("reloaded")
                for name in [
                    "linked", "../outside", "../content/good", "./good", "good.rom", "/etc/passwd", "..", "", "good/",
                    content.appending(path: "good").path,
                ] {
                    #expect(try await asker.ask(name) == nil, "\(name)")
                }
                #expect(try await asker.ask("good", core: "../cores/fake_libretro") == nil)
                #expect(try await asker.ask("good", crc: 1) == nil)
                #expect(try hosts.programs().isEmpty)
                #expect(try await asker.ask("inside") != nil)
                #expect(try await asker.ask("good", core: "fAkE", crc: 0x4E7E_3E91) == nil)
            }
        }

        @Test func theChecksumMustBeThatOfTheFile() async throws {
            try await withHosts { hosts in
                try hosts.addContent("numbers", "123456789")
                let asker = try await hosts.asker()
                hosts.process.send(SIGHUP)
                try await hosts.server.line("reloaded")
                #expect(try await asker.ask("numbers", crc: 0xCBF4_3926) != nil)
                #expect(try await asker.ask("numbers", crc: 0xCBF4_3927) == nil)
            }
        }

        @Test func aThousandRequestsASecondDoNotMatter() async throws {
            try await withHosts { hosts in
                let asker = try await hosts.asker()
                #expect(try await asker.ask("good") != nil)
                let known = asker.answers.all.count
                for number in 0..<1000 {
                    asker.send(Asker.request(number.isMultiple(of: 3) ? "good" : "nothing\(number)"))
                    if number.isMultiple(of: 10) { try await Task.sleep(for: .milliseconds(10)) }
                }
                let stranger = try await hosts.asker(from: "127.0.0.3")
                #expect(try await stranger.ask("good") != nil)
                let metrics = try await hosts.admin().metrics()
                let unheard = metrics.value(
                    "baton_connections_refused_total", ["protocol": "dedicated", "reason": "too_fast"])
                #expect(unheard > 900)
                #expect(asker.answers.all.count - known <= 1000 - unheard)
                #expect(try hosts.programs().count == 2)
            }
        }

        @Test func datagramsThatAreNoRequestsAreCounted() async throws {
            try await withHosts { hosts in
                let asker = try await hosts.asker()
                asker.send(ByteBuffer(string: "hello?"))
                asker.send(ByteBuffer())
                asker.send(ByteBuffer(repeating: 0, count: 4000))
                #expect(try await asker.ask("good") != nil)
                #expect(asker.answers.all.count == 1)
                let metrics = try await hosts.admin().metrics()
                #expect(metrics.value("baton_connections_refused_total", ["reason": "malformed"]) == 3)
            }
        }
    }
}
