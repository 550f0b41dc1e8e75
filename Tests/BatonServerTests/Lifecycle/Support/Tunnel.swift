import NIOCore

extension LifecycleTests {
    /// The netplay tunnel as RetroArch talks to it.
    enum Tunnel {
        static let session = Array("RATS".utf8)
        static let link = Array("RATL".utf8)
        static let openSession = session + [UInt8](repeating: 0, count: 12)

        /// A host and the session it opened.
        struct Host {
            var connection: Connection
            var address: SocketAddress
            var session: [UInt8]
            private var source: String?

            init(at address: SocketAddress, from source: String? = nil) async throws {
                connection = try await .open(to: address, from: source)
                connection.write(openSession)
                let reply = try await connection.read(16)
                guard reply.starts(with: Tunnel.session) else { throw Unexpected(bytes: reply) }
                session = Array(reply.dropFirst(4))
                self.address = address
                self.source = source
            }

            /// A guest joins and the host opens a link for it; if they read, they have heard each other when this returns.
            func join(from source: String? = nil, isReading: Bool = true) async throws -> Pair {
                let guest = try await Connection.open(
                    to: address, from: source ?? self.source, isReading: isReading)
                guest.write(Tunnel.session + session)
                let announcement = try await connection.read(16)
                guard announcement.starts(with: Tunnel.link) else { throw Unexpected(bytes: announcement) }
                let link = try await Connection.open(to: address, from: self.source)
                link.write(announcement)
                let pair = Pair(guest: guest, link: link)
                if isReading { try await pair.play() }
                return pair
            }

            /// Another guest, whom the tunnel is expected to turn away: returns when it has.
            func joinInVain() async throws {
                let guest = try await Connection.open(to: address, from: source)
                guest.write(Tunnel.session + session)
                let said = try await guest.readToEnd()
                guard said.readableBytes == 0 else { throw Unexpected(bytes: Array(said.readableBytesView)) }
            }

            func close() async throws {
                try await connection.close()
            }
        }

        /// A guest and its link.
        struct Pair {
            var guest: Connection
            var link: Connection

            /// Sends something each way, and waits until it has arrived.
            func play(rounds: Int = 1) async throws {
                for round in 0..<rounds {
                    try await pass("input \(round)", from: guest, to: link)
                    try await pass("frame \(round) of the game", from: link, to: guest)
                }
            }

            func close() async throws {
                try await guest.close()
                try await link.close()
            }

            private func pass(_ text: String, from sender: Connection, to receiver: Connection) async throws {
                let bytes = Array(text.utf8)
                sender.write(bytes)
                let arrived = try await receiver.read(bytes.count)
                guard arrived == bytes else { throw Unexpected(bytes: arrived) }
            }
        }
    }

    /// Bytes that should not have come.
    struct Unexpected: Error {
        var bytes: [UInt8]
    }
}
