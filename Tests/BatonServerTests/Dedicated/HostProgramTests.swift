import Foundation
import Testing

extension LifecycleTests {
    /// What becomes of the programs of dedicated hosts.
    @Suite struct HostPrograms {
        @Test func oneThatCrashesAtOnceIsARefusal() async throws {
            try await withHosts { hosts in
                #expect(try await hosts.asker().ask("crash") == nil)
                let line = try await hosts.server.line("host_failed")
                #expect(line.text.contains("something is terribly wrong") && line.text.contains("3"))
                try await hosts.server.line("host_ended_crashed")
                #expect(try hosts.hostFolders().isEmpty)
            }
        }

        @Test func oneThatCrashesTakesLeaveOfItsGuests() async throws {
            try await withHosts { hosts in
                let asker = try await hosts.asker()
                let guest = try await hosts.join(try await asker.ask("good"))
                guest.write("die".utf8)
                _ = try await guest.readToEnd()
                try await hosts.server.line("host_ended_crashed")
                #expect(try hosts.programs().isEmpty)
                #expect(try await asker.ask("good") != nil)
            }
        }

        @Test func oneThatNeverAnswersIsKilled() async throws {
            try await withHosts("start_timeout: 1s") { hosts in
                #expect(try await hosts.asker().ask("silent") == nil)
                try await hosts.server.line("host_ended_start_timeout")
                #expect(try hosts.programs().isEmpty)
            }
        }

        @Test func oneThatIgnoresItsEndIsKilled() async throws {
            try await withHosts { hosts in
                #expect(try await hosts.asker().ask("stubborn") != nil)
                let admin = try await hosts.admin()
                let id = try #require(try await admin.hosts().first).id
                #expect(try await admin.send("DELETE", "/api/v1/hosts/\(id)").status == 204)
                try await hosts.server.line("host_stopping")
                try await hosts.server.line("host_ended_requested")
                #expect(try hosts.programs().isEmpty)
            }
        }

        @Test func oneThatChattersFillsNothing() async throws {
            try await withHosts("idle_timeout: 3s", command: ["serve", "--log-level", "debug"]) { hosts in
                let guest = try await hosts.join(try await hosts.asker().ask("chatter"))
                let before = try hosts.server.process.residentBytes()
                for round in 0..<200 { try await HostingServer.say("round \(round)", guest) }
                #expect(try hosts.server.process.residentBytes() - before < 64 << 20)
                try await guest.close()
                try await hosts.server.line("host_ended_idle")
                #expect(hosts.server.log.count { $0.event == "host_output" } < 1000)
            }
        }

        @Test func noneOutlivesAServerThatStops() async throws {
            try await withHosts { hosts in
                let asker = try await hosts.asker()
                let guest = try await hosts.join(try await asker.ask("good"))
                #expect(try await asker.ask("stubborn") != nil)
                hosts.process.send(SIGINT)
                _ = try await guest.readToEnd()
                let exit = try await hosts.process.exit()
                #expect(exit == .code(0))
                #expect(try hosts.programs().isEmpty && hosts.hostFolders().isEmpty)
            }
        }

        @Test func noneOutlivesAServerThatIsKilled() async throws {
            try await withHosts { hosts in
                let asker = try await hosts.asker()
                #expect(try await asker.ask("good") != nil)
                #expect(try await asker.ask("stubborn") != nil)
                #expect(try hosts.programs().count == 2)
                hosts.process.send(SIGKILL)
                _ = try await hosts.process.exit()
                try await eventually("the programs are gone") { try hosts.programs().isEmpty }
                #expect(try hosts.hostFolders().count == 2)
                try await withHosts(in: hosts.directory) { next in
                    _ = try await next.server.address(of: "dedicated")
                    #expect(try next.hostFolders().isEmpty, "what was left behind is removed")
                }
            }
        }

        /// Two servers of one user share a folder for temporary files.
        @Test func aServerLeavesTheFoldersOfOthersAlone() async throws {
            try await withHosts { hosts in
                let asker = try await hosts.asker()
                let guest = try await hosts.join(try await asker.ask("good"))
                try await withHosts(in: hosts.directory) { next in
                    _ = try await next.server.address(of: "dedicated")
                    #expect(try hosts.hostFolders().count == 1)
                }
                try await HostingServer.say("still here", guest)
            }
        }

        @Test func aDrainWaitsForGuests() async throws {
            try await withHosts { hosts in
                let asker = try await hosts.asker()
                let guest = try await hosts.join(try await asker.ask("good"))
                #expect(try await asker.ask("better") != nil)
                hosts.process.send(SIGTERM)
                try await hosts.server.line("host_ended_server_draining")
                #expect(try await asker.ask("better") == nil)
                for round in 0..<20 { try await HostingServer.say("round \(round)", guest) }
                #expect(hosts.process.isRunning)
                try await guest.close()
                let exit = try await hosts.process.exit()
                #expect(exit == .code(0))
                #expect(try hosts.programs().isEmpty)
            }
        }
    }
}
