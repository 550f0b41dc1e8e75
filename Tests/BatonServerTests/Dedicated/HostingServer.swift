import Foundation
import NIOCore
import Netplay
import Testing

extension LifecycleTests {
    /// A server with dedicated hosts, which are fakes, and all of its folders.
    struct HostingServer {
        let server: RunningServer
        let directory: URL

        var process: ChildProcess { server.process }

        func asker(from source: String = "127.0.0.1") async throws -> Asker {
            try await Asker(to: try await server.address(of: "dedicated"), from: source)
        }

        func admin() async throws -> Admin { try await server.admin(token: "secret") }

        func addContent(_ name: String, _ text: String = "content") throws {
            try Data(text.utf8).write(to: directory.appending(path: "content/\(name).rom"))
        }

        /// The processes that this server's hosts are.
        func programs() throws -> [Int32] { try LifecycleTests.programs(in: directory) }

        /// The folders of hosts that exist, over all servers that used this directory.
        func hostFolders() throws -> [String] {
            let all = directory.appending(path: "tmp").path
            let paths = try FileManager.default.subpathsOfDirectory(atPath: all)
            return paths.filter { $0.hasSuffix("/retroarch.cfg") }
        }

        /// A guest's connection, behind whose header it is.
        func join(_ invitation: HostingInvitation?) async throws -> Connection {
            let port = try #require(invitation).port
            return try await Self.join(try SocketAddress(ipAddress: "127.0.0.1", port: Int(port)))
        }

        static func join(_ address: SocketAddress, saying opening: [UInt8] = []) async throws -> Connection {
            let guest = try await Connection.open(to: address)
            guest.write(opening + Array("RANP".utf8) + [UInt8](repeating: 1, count: 20))
            #expect(try await guest.read(24).starts(with: "RANP".utf8))
            try await say("guest", guest)
            return guest
        }

        /// Says something the fake says again.
        static func say(_ text: String, _ guest: Connection) async throws {
            // The rest of the header comes back too.
            guest.write("<\(text)>".utf8)
            var heard = ""
            while !heard.hasSuffix("<\(text)>") { heard += String(decoding: try await guest.read(1), as: UTF8.self) }
        }
    }

    /// Runs a server with a fake RetroArch and content of every kind. Its processes are gone afterwards.
    static func withHosts<Result>(
        _ settings: String = "", command: [String] = ["serve"], in directory: URL? = nil,
        _ body: (HostingServer) async throws -> Result
    ) async throws -> Result {
        guard let directory else {
            return try await withDirectory { directory in
                try makeFolders(in: directory)
                // Should a test fail, no program may be left behind.
                defer { for program in (try? programs(in: directory)) ?? [] { kill(program, SIGKILL) } }
                return try await withHosts(settings, command: command, in: directory, body)
            }
        }
        let first = Int.random(in: 20_000...30_000)
        let configuration = """
            admin: {listen: "127.0.0.1:0", token: "secret"}
            netplay:
              listen: "127.0.0.1:0"
              dedicated:
                listen: "127.0.0.1:0"
                retroarch: \(directory.path)/retroarch
                cores: \(directory.path)/cores
                core_info: \(directory.path)/cores
                content: \(directory.path)/content
                ports: \(first)-\(first + 200)
            \(settings.split(separator: "\n").map { "    \($0)\n" }.joined())
            """
        let environment = [
            "TMPDIR": directory.appending(path: "tmp").path,
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin",
        ]
        return try await withServer(configuration, command: command, environment: environment) { server in
            try await body(HostingServer(server: server, directory: directory))
        }
    }

    fileprivate static func programs(in directory: URL) throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }.filter { process in
            let words = try? Data(contentsOf: URL(filePath: "/proc/\(process)/cmdline"))
            return words?.firstRange(of: Data("\(directory.path)/tmp/baton-hosts".utf8)) != nil
        }
    }

    static func makeFolders(in directory: URL) throws {
        for name in ["tmp", "cores", "content"] {
            let folder = directory.appending(path: name)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        }
        try Data().write(to: directory.appending(path: "cores/fake_libretro.so"))
        try Data(FakeRetroArch.info.utf8).write(to: directory.appending(path: "cores/fake_libretro.info"))
        let program = directory.appending(path: "retroarch")
        try Data(FakeRetroArch.script.utf8).write(to: program)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.path)
        for name in ["good", "better", "crash", "silent", "stubborn", "chatter"] {
            try Data("content".utf8).write(to: directory.appending(path: "content/\(name).rom"))
        }
    }
}
