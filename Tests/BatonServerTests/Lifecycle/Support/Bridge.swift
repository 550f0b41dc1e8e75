import Foundation
import NIOCore
import Testing

extension LifecycleTests {
    /// `baton netplay join` into a host's session.
    struct Bridge {
        let process: ChildProcess
        let address: SocketAddress
        private let host: Tunnel.Host

        /// The arguments that lead to a host's session.
        static func arguments(into host: Tunnel.Host) -> [String] {
            let session = Data(host.session).base64EncodedString()
            return ["netplay", "join", "127.0.0.1:\(host.address.port ?? 0)", "--session", session]
        }

        /// Runs a bridge for as long as `body` takes.
        static func into(_ host: Tunnel.Host, _ body: (Bridge) async throws -> Void) async throws {
            let process = try ChildProcess(arguments: arguments(into: host))
            defer { process.send(SIGKILL) }
            let line = try await process.output.first("it listens") { $0.hasPrefix("listening on ") }
            let address = try #require(line.firstMatch(of: /listening on (\S+);/)?.1)
            try await body(
                Bridge(process: process, address: try RunningServer.socketAddress(String(address)), host: host))
        }

        /// A guest joins, who knows nothing of tunnels, and the host opens a link for it.
        func join(isReading: Bool = true) async throws -> Tunnel.Pair {
            let guest = try await connect(isReading: isReading)
            return Tunnel.Pair(guest: guest, link: try await host.link())
        }

        func connect(isReading: Bool = true) async throws -> Connection {
            try await .open(to: address, isReading: isReading)
        }
    }
}

extension LifecycleTests.Tunnel.Host {
    /// Opens the link for the next guest.
    func link() async throws -> LifecycleTests.Connection {
        let announcement = try await connection.read(16)
        guard announcement.starts(with: LifecycleTests.Tunnel.link) else {
            throw LifecycleTests.Unexpected(bytes: announcement)
        }
        let link = try await LifecycleTests.Connection.open(to: address)
        link.write(announcement)
        return link
    }
}
